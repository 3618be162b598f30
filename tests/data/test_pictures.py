import io
import json
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from striate.data.pictures import (
    MAX_PIXELS,
    Preprocess,
    UnreadablePicture,
    picture_shape,
    read_picture,
)
from striate.errors import UserError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (6, 10, 3), np.uint8)
GREY = RNG.integers(0, 256, (6, 10), np.uint8)
NATIVE = Preprocess(3, 6, 10)
NATIVE_GREY = Preprocess(1, 6, 10)


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG put together by hand, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    middle = b"".join(chunk(part[:4], part[4:]) for part in extra)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + middle
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, bits: int, data: bytes, *, photometric: int = 1) -> bytes:
    """A little-endian grey TIFF of one strip."""
    fields = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, photometric),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, len(data)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + b"\0\0\0\0" + data


def gif_header(width: int, height: int) -> bytes:
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame + b"\x08"


class TestPreprocess:
    def test_survives_json(self) -> None:
        preprocess = Preprocess(3, 32, 48, "stretch")
        assert Preprocess.from_json(json.loads(json.dumps(preprocess.to_json()))) == preprocess

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (
                7,
                "preprocess: found 7; expected an object with channels, height, width, fit.",
            ),
            ({"channels": 3, "fit": "cover"}, "preprocess: height, width is missing."),
            (
                {"channels": 3, "height": 1, "width": 1, "fit": "cover", "mode": 1},
                "preprocess: unknown setting mode.",
            ),
            (
                {"channels": 4, "height": 1, "width": 1, "fit": "cover"},
                "preprocess: channels is 4; expected 1 (grey) or 3 (colour).",
            ),
            (
                {"channels": True, "height": 1, "width": 1, "fit": "cover"},
                "preprocess: channels is True; expected 1 (grey) or 3 (colour).",
            ),
            (
                {"channels": [1], "height": 1, "width": 1, "fit": "cover"},
                "preprocess: channels is [1]; expected 1 (grey) or 3 (colour).",
            ),
            (
                {"channels": 3, "height": 0, "width": 1, "fit": "cover"},
                "preprocess: height is 0; expected a whole number from 1 to 65535.",
            ),
            (
                {"channels": 3, "height": 1, "width": 2.5, "fit": "cover"},
                "preprocess: width is 2.5; expected a whole number from 1 to 65535.",
            ),
            (
                {"channels": 3, "height": 20000, "width": 20000, "fit": "cover"},
                "preprocess: 20000 x 20000 is more than 100000000 pixels.",
            ),
            (
                {"channels": 3, "height": 1, "width": 1, "fit": "pad"},
                "preprocess: fit is 'pad'; expected 'cover' or 'stretch'.",
            ),
        ],
    )
    def test_refuses_nonsense(self, data: object, message: str) -> None:
        with pytest.raises(UserError) as caught:
            Preprocess.from_json(data)
        assert str(caught.value) == message


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
    def test_as_pillow_turns_it(self, tmp_path: Path, kind: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        settings = {"lossless": True} if kind == "webp" else {}
        path = tmp_path / "turned"
        path.write_bytes(encoded(Image.fromarray(COLOUR), kind, exif=exif, **settings))
        with Image.open(path) as stored:
            expected = np.asarray(ImageOps.exif_transpose(stored))
        height, width = expected.shape[:2]
        assert picture_shape(path) == (3, height, width)
        assert (read_picture(path, Preprocess(3, height, width)) == expected).all()

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    def test_damaged_exif_is_no_obstacle(self) -> None:
        data = encoded(Image.fromarray(COLOUR), "png", exif=b"Exif\0\0II*\0garbage")
        assert (read_picture(data, NATIVE) == COLOUR).all()

    def test_a_large_turned_jpeg_keeps_the_right_part(self) -> None:
        """Halving inside the decoder counts with the turned shape."""
        ramp = np.linspace(0, 255, 400).astype(np.uint8)
        wide = np.broadcast_to(ramp, (200, 400))
        exif = Image.Exif()
        exif[0x0112] = 6
        data = encoded(Image.fromarray(np.ascontiguousarray(wide)), "jpeg", quality=95, exif=exif)
        tall = read_picture(data, Preprocess(1, 40, 10))
        assert tall.shape == (40, 10, 1)
        assert np.abs(tall[:, 5, 0] - np.linspace(3, 252, 40)).max() < 3


class TestDepth:
    def test_16_bit_grey_png_is_scaled(self) -> None:
        values = np.linspace(0, 65535, 60).astype(np.uint16).reshape(6, 10)
        read = read_picture(encoded(Image.fromarray(values), "png"), NATIVE_GREY)
        assert (read[..., 0] == np.round(values / 257)).all()

    def test_16_bit_colour_png_is_scaled(self) -> None:
        values = RNG.integers(0, 65536, (6, 10, 3)).astype(">u2")
        rows = b"".join(b"\0" + row.tobytes() for row in values)
        read = read_picture(png(10, 6, 16, 2, rows), NATIVE)
        assert np.abs(read - values / 257).max() <= 1

    def test_16_bit_tiff_is_scaled(self) -> None:
        values = np.linspace(0, 65535, 60).astype(np.uint16).reshape(6, 10)
        read = read_picture(encoded(Image.fromarray(values), "tiff"), NATIVE_GREY)
        assert (read[..., 0] == np.round(values / 257)).all()

    def test_16_bit_tiff_whose_zero_is_white(self) -> None:
        values = np.linspace(0, 65535, 60).astype("<u2").reshape(6, 10)
        read = read_picture(tiff(10, 6, 16, values.tobytes(), photometric=0), NATIVE_GREY)
        assert (read[..., 0] == 255 - np.round(values / 257)).all()

    def test_12_bit_tiff_uses_its_own_full_scale(self) -> None:
        pairs = [(0, 4095), (2048, 1024)]
        packed = b"".join(((a << 12) | b).to_bytes(3, "big") for a, b in pairs)
        read = read_picture(tiff(2, 2, 12, packed), Preprocess(1, 2, 2))
        assert read[..., 0].tolist() == [[0, 255], [128, 64]]

    def test_16_bit_pgm_is_scaled(self) -> None:
        values = np.array([[0, 32768, 65535]], ">u2")
        read = read_picture(b"P5 3 1 65535\n" + values.tobytes(), Preprocess(1, 1, 3))
        assert read[..., 0].tolist() == [[0, 128, 255]]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([0.0, 0.25, 1.0], [0, 64, 255]),
            ([0.0, 100.0, 255.0], [0, 100, 255]),
            ([-2.0, 0.0, 2.0], [0, 128, 255]),
            ([0.0, float("nan"), 1.0], [0, 0, 255]),
            ([7000.0, 7000.0, 7000.0], [0, 0, 0]),
        ],
    )
    def test_float_tiff_is_scaled(self, values: list[float], expected: list[int]) -> None:
        data = encoded(Image.fromarray(np.array([values], np.float32)), "tiff")
        assert read_picture(data, Preprocess(1, 1, 3))[..., 0].tolist() == [expected]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [([0, 257, 65535], [0, 1, 255]), ([-1000, 0, 1000], [0, 128, 255])],
    )
    def test_32_bit_tiff_is_scaled(self, values: list[int], expected: list[int]) -> None:
        data = encoded(Image.fromarray(np.array([values], np.int32)), "tiff")
        assert read_picture(data, Preprocess(1, 1, 3))[..., 0].tolist() == [expected]

    def test_wide_values_count_as_grey(self, tmp_path: Path) -> None:
        path = tmp_path / "wide.png"
        Image.fromarray(np.zeros((6, 10), np.uint16)).save(path)
        assert picture_shape(path) == (1, 6, 10)


class TestColour:
    def test_grey_and_colour_convert_as_in_pillow(self) -> None:
        grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
        assert (read_picture(encoded(grey, "png"), NATIVE) == GREY[..., None]).all()
        read = read_picture(encoded(colour, "bmp"), NATIVE_GREY)
        assert (read[..., 0] == np.asarray(colour.convert("L"))).all()

    @pytest.mark.parametrize("kind", ["jpeg", "tiff"])
    def test_cmyk(self, kind: str) -> None:
        data = encoded(Image.fromarray(COLOUR).convert("CMYK"), kind)
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        assert (read_picture(data, NATIVE) == expected).all()

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_alpha_is_shown_on_white(self, mode: str) -> None:
        alpha = np.linspace(0, 255, 60).astype(np.uint8).reshape(6, 10)
        pixels = np.dstack([COLOUR, alpha]) if mode == "RGBA" else np.dstack([GREY, alpha])
        read = read_picture(encoded(Image.fromarray(pixels, mode), "png"), NATIVE)
        share = alpha[..., None] / 255
        expected = pixels[..., :-1] * share + 255 * (1 - share)
        assert np.abs(read - expected).max() <= 1

    @pytest.mark.parametrize("kind", ["png", "gif"])
    def test_transparent_palette_is_shown_on_white(self, kind: str) -> None:
        image = Image.new("P", (10, 6), 1)
        image.putpalette([0, 0, 0, 200, 10, 30])
        image.paste(0, (0, 0, 5, 6))
        read = read_picture(encoded(image, kind, transparency=0), NATIVE)
        assert (read[:, :5] == 255).all()
        assert (read[:, 5:] == [200, 10, 30]).all()

    def test_transparent_key_colour_is_shown_on_white(self) -> None:
        data = encoded(Image.new("RGB", (10, 6), (9, 8, 7)), "png", transparency=(9, 8, 7))
        assert (read_picture(data, NATIVE) == 255).all()

    def test_palette_without_transparency(self) -> None:
        image = Image.fromarray(COLOUR).quantize(16)
        expected = np.asarray(image.convert("RGB"))
        assert (read_picture(encoded(image, "png"), NATIVE) == expected).all()

    def test_one_bit_is_black_and_white(self) -> None:
        read = read_picture(encoded(Image.fromarray(GREY > 127), "png"), NATIVE_GREY)
        assert (read[..., 0] == np.where(GREY > 127, 255, 0)).all()

    @pytest.mark.parametrize("kind", ["gif", "webp", "png"])
    def test_animation_gives_its_first_frame(self, kind: str) -> None:
        frames = [Image.new("RGB", (10, 6), colour) for colour in ("red", "lime", "blue")]
        settings = {"lossless": True} if kind == "webp" else {}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **settings)
        assert (read_picture(data, NATIVE) == [255, 0, 0]).all()

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
    def test_compressed_tiff_in_a_file(self, tmp_path: Path, compression: str) -> None:
        path = tmp_path / "x.tif"
        Image.fromarray(COLOUR).save(path, compression=compression)
        assert (read_picture(path, NATIVE) == COLOUR).all()

    def test_a_phones_jpeg_of_several_pictures_gives_the_first(self) -> None:
        first, second = Image.new("RGB", (400, 240), "red"), Image.new("RGB", (400, 240), "blue")
        data = encoded(first, "mpo", save_all=True, append_images=[second])
        assert np.abs(read_picture(data, NATIVE) - np.array([255.0, 0, 0])).max() <= 2

    def test_lab_is_refused(self) -> None:
        data = encoded(Image.new("LAB", (10, 6)), "tiff")
        with pytest.raises(UnreadablePicture) as caught:
            read_picture(data, NATIVE)
        assert str(caught.value) == (
            "picture: the colour model LAB is not supported; convert it to RGB."
        )


class TestFit:
    @pytest.mark.parametrize("fit", ["cover", "stretch"])
    def test_right_size_is_left_alone(self, fit: str) -> None:
        data = encoded(Image.fromarray(COLOUR), "png")
        assert (read_picture(data, Preprocess(3, 6, 10, fit)) == COLOUR).all()

    def test_cover_cuts_the_centre(self) -> None:
        pixels = RNG.integers(0, 256, (30, 60, 3), np.uint8)
        read = read_picture(encoded(Image.fromarray(pixels), "png"), Preprocess(3, 30, 30))
        assert (read == pixels[:, 15:45]).all()
        read = read_picture(encoded(Image.fromarray(pixels), "png"), Preprocess(3, 10, 60))
        assert (read == pixels[10:20]).all()

    def test_stretch_resizes_both_axes(self) -> None:
        image = Image.fromarray(COLOUR)
        read = read_picture(encoded(image, "png"), Preprocess(3, 9, 7, "stretch"))
        assert (read == np.asarray(image.resize((7, 9), Image.Resampling.BICUBIC))).all()

    @settings(max_examples=40, deadline=None)
    @given(
        *[st.integers(1, 40)] * 4, st.sampled_from([1, 3]), st.sampled_from(["cover", "stretch"])
    )
    def test_any_size_to_any_size(
        self, width: int, height: int, to_width: int, to_height: int, channels: int, fit: str
    ) -> None:
        data = encoded(Image.new("RGB", (width, height), (200, 200, 200)), "png")
        read = read_picture(data, Preprocess(channels, to_height, to_width, fit))
        assert read.shape == (to_height, to_width, channels)
        assert read.dtype == np.uint8
        assert (read == 200).all()

    def test_skipped_jpeg_detail_does_not_show(self) -> None:
        """Against a full decode and a resize without short cuts."""
        noise = RNG.normal(0, 1, (75, 100, 3)).cumsum(0).cumsum(1)
        low, high = noise.min(), noise.max()
        small = Image.fromarray(((noise - low) / (high - low) * 255).astype(np.uint8))
        data = encoded(small.resize((800, 600), Image.Resampling.BICUBIC), "jpeg", quality=92)
        expected = Image.open(io.BytesIO(data)).resize(
            (64, 64), Image.Resampling.BICUBIC, box=(100, 0, 700, 600)
        )
        difference = np.abs(read_picture(data, Preprocess(3, 64, 64)) - np.asarray(expected, float))
        assert difference.mean() < 1
        assert difference.max() < 4


BIG_PNG = png(20000, 20000, 8, 2, b"")
NOT_A_PICTURE = "not a picture (expected JPEG, PNG, BMP, GIF, WebP, TIFF, PPM or PGM)"


class TestUnreadable:
    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "the file is empty"),
            (b"To whom it may concern", NOT_A_PICTURE),
            (b"\0", NOT_A_PICTURE),
            (encoded(Image.fromarray(COLOUR), "jpeg")[:-40], "the JPEG data are cut short"),
            (
                encoded(Image.fromarray(COLOUR), "jpeg")[:40],
                "the JPEG header is damaged or cut short",
            ),
            (encoded(Image.fromarray(COLOUR), "png")[:-60], "the PNG data are cut short"),
            (encoded(Image.fromarray(COLOUR), "gif")[:-60], "the GIF data are cut short"),
            (b"BMW is a car", "the BMP header is damaged or cut short"),
            (
                b"\0\0\0\x18ftypheic\0\0\0\0",
                "a HEIC or AVIF picture or a film; convert it to JPEG or PNG",
            ),
            (
                BIG_PNG,
                "20000 x 20000 = 400 000 000 pixels, more than the limit of 100 000 000",
            ),
            (
                gif_header(60000, 60000),
                "60000 x 60000 = 3 600 000 000 pixels, more than the limit of 100 000 000",
            ),
        ],
    )
    def test_content(self, tmp_path: Path, content: bytes, reason: str) -> None:
        path = tmp_path / "x.jpg"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UnreadablePicture) as caught:
                read_picture(path, NATIVE)
        assert (caught.value.path, caught.value.reason) == (str(path), reason)
        assert str(caught.value) == f"{path}: {reason}."

    def test_a_size_that_pillow_warns_of_is_no_noise(self, tmp_path: Path) -> None:
        path = tmp_path / "large.png"
        path.write_bytes(png(9900, 10000, 8, 0, b""))
        assert MAX_PIXELS >= 9900 * 10000
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert picture_shape(path) == (1, 10000, 9900)

    def test_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jpg"
        path.mkdir()
        with pytest.raises(UnreadablePicture) as caught:
            read_picture(path, NATIVE)
        assert str(caught.value) == f"{path}: this is a folder, not a picture."

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadablePicture) as caught:
            picture_shape(tmp_path / "x.jpg")
        assert str(caught.value) == f"{tmp_path / 'x.jpg'}: no such file."

    def test_pipe_does_not_block(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jpg"
        os.mkfifo(path)
        with pytest.raises(UnreadablePicture) as caught:
            read_picture(path, NATIVE)
        assert caught.value.reason == "this is not an ordinary file"

    def test_permission(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jpg"
        Image.fromarray(COLOUR).save(path)
        path.chmod(0)
        user = os.geteuid()
        if user == 0:  # the superuser may read everything
            os.seteuid(65534)
        try:
            with pytest.raises(UnreadablePicture) as caught:
                read_picture(path, NATIVE)
        finally:
            os.seteuid(user)
        assert caught.value.reason == "permission denied"

    def test_name_too_long(self) -> None:
        with pytest.raises(UnreadablePicture) as caught:
            read_picture("x" * 300, NATIVE)
        assert caught.value.reason == "cannot be opened (File name too long)"

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    @settings(max_examples=150, deadline=None)
    @given(
        st.sampled_from(["jpeg", "png", "gif", "bmp", "webp", "tiff", "ppm"]),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
        st.floats(0, 1),
    )
    def test_damage_of_any_kind_is_told_in_plain_words(
        self, kind: str, changes: list[tuple[float, int]], kept: float
    ) -> None:
        data = bytearray(encoded(Image.fromarray(COLOUR), kind))
        for place, value in changes:
            data[int(place * (len(data) - 1))] = value
        try:
            read = read_picture(bytes(data[: int(kept * len(data))]), NATIVE)
        except UnreadablePicture as problem:
            assert "\n" not in problem.reason
            assert "<" not in problem.reason
        else:
            assert read.shape == (6, 10, 3)
