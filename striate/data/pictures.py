"""Reading one picture as a person sees it: turned upright, on white, in 8 bits, at one size."""

from __future__ import annotations

import io
import math
import os
import stat
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from striate.data.eight_bits import Pixels, Unreadable, eight_bits, is_wide
from striate.errors import UserError

__all__ = [
    "MAX_PIXELS",
    "Pixels",
    "Preprocess",
    "UnreadablePicture",
    "fit",
    "picture_shape",
    "read_picture",
]

MAX_PIXELS = 100_000_000
LARGEST_SIDE = 65_535

_PLUGINS = (  # each makes its format known to Pillow when it is imported
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    TiffImagePlugin,
    PpmImagePlugin,
)
_KINDS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112  # EXIF tag
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_SPARE = 3.0  # short cuts in resizing are taken down to so many times the target size
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

# Remarks about odd metadata say nothing to a user whose picture was read well.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Preprocess:
    """The size and colour that every picture of a run is brought to: H x W x C, uint8.

    `fit` is "cover" (resize, keeping proportions, until the picture covers H x W; cut the centre)
    or "stretch" (resize both axes). Raises UserError on values that no picture can have.
    """

    channels: int
    height: int
    width: int
    fit: str = "cover"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or isinstance(self.channels, bool):
            raise UserError(
                f"preprocess: channels is {self.channels!r}; expected 1 (grey) or 3 (colour)."
            )
        for side in ("height", "width"):
            value = getattr(self, side)
            if type(value) is not int or not 1 <= value <= LARGEST_SIDE:
                raise UserError(
                    f"preprocess: {side} is {value!r}; "
                    f"expected a whole number from 1 to {LARGEST_SIDE}."
                )
        if self.height * self.width > MAX_PIXELS:
            raise UserError(
                f"preprocess: {self.height} x {self.width} is more than {MAX_PIXELS} pixels."
            )
        if self.fit not in ("cover", "stretch"):
            raise UserError(f"preprocess: fit is {self.fit!r}; expected 'cover' or 'stretch'.")

    def to_json(self) -> dict[str, int | str]:
        """A dictionary that `json.dump` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Preprocess:
        """The object that `to_json` came from; raises UserError on anything else."""
        if not isinstance(data, Mapping):
            raise UserError(
                f"preprocess: found {data!r}; expected an object with channels, height, width, fit."
            )
        expected = {"channels", "height", "width", "fit"}
        if missing := sorted(expected - set(data)):
            raise UserError(f"preprocess: {', '.join(missing)} is missing.")
        if unknown := sorted(str(key) for key in set(data) - expected):
            raise UserError(f"preprocess: unknown setting {', '.join(unknown)}.")
        return cls(**data)


class UnreadablePicture(UserError):  # noqa: N818
    """A picture that cannot be read: `path`, and the `reason` in plain words."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}.")


def read_picture(path_or_bytes: str | Path | bytes, preprocess: Preprocess) -> Pixels:
    """Decode one picture to uint8, H x W x C, as `preprocess` says.

    EXIF orientation is applied, transparency shown on white, the first frame of an animation
    taken; 16-bit and float values are scaled, never clipped. A picture that has H x W already
    keeps its pixels. Raises UnreadablePicture.
    """
    try:
        with _stream(path_or_bytes) as stream:
            image = _opened(stream)
            return fit(_upright(image, preprocess), preprocess)
    except Unreadable as problem:
        raise UnreadablePicture(_called(path_or_bytes), str(problem)) from None


def picture_shape(path_or_bytes: str | Path | bytes) -> tuple[int, int, int]:
    """Channels (1 or 3), height and width as seen upright, from the header alone.

    Raises UnreadablePicture.
    """
    try:
        with _stream(path_or_bytes) as stream:
            image = _opened(stream)
            channels = 1 if image.mode in ("1", "L", "LA", "La") or is_wide(image) else 3
            width, height = _stored_size(image)
            if _orientation(image) >= 5:
                width, height = height, width
            return channels, height, width
    except Unreadable as problem:
        raise UnreadablePicture(_called(path_or_bytes), str(problem)) from None


def fit(image: Image.Image, preprocess: Preprocess) -> Pixels:
    """Bring an 8-bit picture to `preprocess`: uint8, H x W x C (antialiased bicubic)."""
    size = (preprocess.width, preprocess.height)
    image = _with_channels(image, preprocess.channels)
    if image.size != size:
        box = _cover_box(image.size, size) if preprocess.fit == "cover" else None
        image = image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=_SPARE)
    pixels = np.asarray(image)
    return pixels[:, :, None] if preprocess.channels == 1 else pixels


def _called(source: str | Path | bytes) -> str:
    return "picture" if isinstance(source, bytes) else str(source)


def _stream(source: str | Path | bytes) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        descriptor = os.open(source, _OPEN_FLAGS)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
        what = "a folder, not a picture" if stat.S_ISDIR(mode) else "not an ordinary file"
        raise Unreadable(f"this is {what}")
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except PermissionError:
        raise Unreadable("permission denied") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "bad name"
        raise Unreadable(f"cannot be opened ({reason})") from None


def _opened(stream: IO[bytes]) -> Image.Image:
    """Read the header alone and hold it to MAX_PIXELS.

    Pillow's own `Image.open` would try every format it knows and print its own size warnings.
    """
    prefix = stream.read(16)
    stream.seek(0)
    if not prefix:
        raise Unreadable("the file is empty")
    kind = _kind(prefix)
    try:
        image: Image.Image = Image.OPEN[kind][0](stream, "")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(f"more pixels than the limit of {_spaced(MAX_PIXELS)}") from None
    except Exception:  # a damaged header ends in almost any exception inside Pillow
        raise Unreadable(f"the {kind} header is damaged or cut short") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unreadable(
            f"{width} x {height} = {_spaced(width * height)} pixels, "
            f"more than the limit of {_spaced(MAX_PIXELS)}"
        )
    return image


def _kind(prefix: bytes) -> str:
    for kind in _KINDS:
        accept = Image.OPEN[kind][1]
        if accept is not None and accept(prefix) is True:
            return kind
    if prefix[4:8] == b"ftyp":
        raise Unreadable("a HEIC or AVIF picture or a film; convert it to JPEG or PNG")
    raise Unreadable("not a picture (expected JPEG, PNG, BMP, GIF, WebP, TIFF, PPM or PGM)")


def _upright(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Decode, turn as EXIF says, and reduce to the 8-bit modes L and RGB."""
    kind = image.format
    try:
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            _skip_needless_detail(image, preprocess)
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        return eight_bits(image if turn is None else image.transpose(turn))
    except MemoryError:
        raise Unreadable("not enough memory to decode it") from None
    except Unreadable:
        raise
    except Exception as error:  # damaged data end in almost any exception inside Pillow
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        problem = "are cut short" if cut else "are damaged"
        raise Unreadable(f"the {kind} data {problem}") from None


def _skip_needless_detail(image: JpegImagePlugin.JpegImageFile, preprocess: Preprocess) -> None:
    """Let the JPEG decoder halve the picture while that leaves _SPARE times the size asked for."""
    width, height = preprocess.width, preprocess.height
    if 2 * _SPARE * max(width, height) > max(image.size):
        return
    if _orientation(image) >= 5:
        width, height = height, width
    scale = max(width / image.width, height / image.height)
    wide, high = (math.ceil(_SPARE * scale * side) for side in image.size)
    image.draft(None, (wide, high))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8. (PNG's own `getexif` would decode the whole picture.)"""
    try:
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF does not make the picture unreadable
        return 1
    return value if value in _UPRIGHT else 1


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before turning (Pillow reports turned sizes for TIFF alone)."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]
    return image.size


def _with_channels(image: Image.Image, channels: int) -> Image.Image:
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _cover_box(
    source: tuple[int, int], target: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The centred part (left, top, right, bottom) of the source that has the target's shape."""
    (width, height), (target_width, target_height) = source, target
    box_width = min(width, height * target_width / target_height)
    box_height = min(height, width * target_height / target_width)
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return left, top, left + box_width, top + box_height


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")
