from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image as Pictures

from striate.drawing.png import to_png
from striate.drawing.scene import (
    Circle,
    Image,
    Line,
    Polygon,
    Rect,
    Scene,
    Text,
    extent,
    text_width,
)
from striate.errors import UserError


def _painted(*shapes, width=60, height=40, scale=2):
    return Pictures.open(BytesIO(to_png(Scene(width, height, shapes), scale))).convert("RGB")


def _ink(picture):
    """The box of everything that is not white, in scene units."""
    box = picture.convert("L").point(lambda v: 255 * (v < 200)).getbbox()
    return tuple(v / 2 for v in box) if box else None


def test_size_and_colours():
    picture = _painted(
        Rect(10, 10, 20, 10, "#ff0000"),
        Circle(45, 20, 6, "#00ff00"),
        Polygon(((0, 30), (10, 30), (10, 40), (0, 40)), "#0000ff"),
    )
    assert picture.size == (120, 80)
    assert picture.getpixel((40, 30)) == (255, 0, 0)
    assert picture.getpixel((90, 40)) == (0, 255, 0)
    assert picture.getpixel((5, 75)) == (0, 0, 255)
    assert picture.getpixel((2, 2)) == (255, 255, 255)


def test_edges_are_smooth():
    picture = _painted(Circle(30, 20, 10, "#000000"))
    greys = {picture.getpixel((x, y)) for x in range(120) for y in range(80)}
    assert len(greys) > 8


@pytest.mark.parametrize("text", ["conv3-64", "64×224×224", "−1 – 2 → 3 ≥ 4 ≤ 5 — 6"])
@pytest.mark.parametrize("rotation", [0, -90])
@pytest.mark.parametrize("anchor", ["start", "middle", "end"])
def test_text_is_painted_where_its_extent_says(text, rotation, anchor):
    shape = Text(150, 150, text, 10, anchor, rotation=rotation)
    ink = _ink(_painted(shape, width=300, height=300))
    box = extent(shape)
    assert all(a - 0.6 <= b for a, b in zip(box[:2], ink[:2], strict=True))
    assert all(a <= b + 0.6 for a, b in zip(ink[2:], box[2:], strict=True))
    length = (ink[2] - ink[0], ink[3] - ink[1])[rotation != 0]
    assert length > 0.75 * text_width(text, 10)


@pytest.mark.parametrize("character", "×−–—→≤≥")
def test_signs_that_the_font_lacks_are_drawn_and_differ_from_its_missing_sign(character):
    drawn = _painted(Text(10, 30, character, 20))
    missing = _painted(Text(10, 30, "\U000f0000", 20))
    assert _ink(drawn) is not None
    assert drawn.tobytes() != missing.tobytes()


def test_an_image_keeps_its_pixels():
    source = Pictures.new("RGB", (2, 1), "#ff0000")
    source.putpixel((1, 0), (0, 0, 255))
    buffer = BytesIO()
    source.save(buffer, "PNG")
    picture = _painted(Image(10, 10, 20, 10, buffer.getvalue(), smooth=False))
    assert picture.getpixel((38, 30)) == (255, 0, 0)
    assert picture.getpixel((42, 30)) == (0, 0, 255)


def test_a_dashed_line_has_gaps():
    picture = _painted(Line(((0, 20), (60, 20)), "#000000", 2, dash=6))
    row = [picture.getpixel((x, 40))[0] < 128 for x in range(120)]
    assert 40 < sum(row) < 80
    assert sum(a != b for a, b in pairwise(row)) >= 8


def test_the_same_scene_gives_the_same_bytes():
    scene = Scene(60, 40, (Text(5, 20, "conv3-64 · relu", 6), Circle(30, 30, 5, "#123456")))
    assert to_png(scene) == to_png(scene)


def test_a_picture_of_too_many_pixels_is_refused():
    with pytest.raises(UserError) as caught:
        to_png(Scene(10_000, 5_000, ()), scale=2)
    assert str(caught.value) == (
        "the picture would be 20000×10000 pixels, more than 80,000,000. "
        "Write it as .svg, which has no pixels"
    )
