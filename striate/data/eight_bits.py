"""Any of Pillow's colour models to 8 bits of grey or colour, scaled rather than clipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262
_WHITE_IS_ZERO = 0

Pixels = NDArray[np.uint8]


class Unreadable(Exception):  # noqa: N818
    """The reason why a stream is no picture; gets its path where it is caught."""


def is_wide(image: Image.Image) -> bool:
    """Whether a value takes more than 8 bits: 16-bit, 32-bit and float grey."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def eight_bits(image: Image.Image) -> Image.Image:
    """A decoded picture in mode L or RGB, transparency shown on white; raises Unreadable."""
    if is_wide(image):
        return Image.fromarray(_scaled(image))
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(opaque, mask=opaque.getchannel("A"))
        return white
    if image.mode == "LAB":
        raise Unreadable("the colour model LAB is not supported; convert it to RGB")
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(image: Image.Image) -> Pixels:
    """8 bits from 12, 16 or 32 bits or floats.

    Whole numbers of up to 16 bits keep their zero and their full scale; floats within 0..1 or
    0..255 likewise; all else is stretched from its smallest to its largest value.
    """
    tags: Mapping[int, Any] = getattr(image, "tag_v2", {})
    values: NDArray[Any] = np.asarray(image)
    low, high = _value_range(image, values, tags)
    span = high - low if high > low else 1.0
    scaled = np.nan_to_num((values - low) * (255 / span), nan=0.0)
    pixels = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    return 255 - pixels if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO else pixels


def _value_range(
    image: Image.Image, values: NDArray[Any], tags: Mapping[int, Any]
) -> tuple[float, float]:
    """The values that become 0 and 255."""
    if image.mode.startswith("I;16"):
        bits = tags.get(_TIFF_BITS, (16,))[0]
        return 0.0, float(2**bits - 1)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    full_scales = (65_535,) if image.mode == "I" else (1, 255)
    for full in full_scales:
        if low >= 0 and high <= full:
            return 0.0, float(full)
    return low, high
