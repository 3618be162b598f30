from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from striate.drawing.scene import (
    Circle,
    Group,
    Line,
    Rect,
    Text,
    extent,
    flat,
    moved,
    shortened,
    text_width,
)


def test_estimated_widths_are_never_below_those_of_the_font_that_paints_png():
    font = ImageFont.load_default(100)
    for text in ("conv3-64/2", "138,357,544 parameters", "WAVE jill @ 100%", "[({abc})] ~^_`"):
        assert font.getlength(text) * 0.1 <= text_width(text, 10) * 1.001
        assert text_width(text, 10) < font.getlength(text) * 0.1 * 1.2


@settings(deadline=None)
@given(st.text(max_size=40), st.floats(10, 200))
def test_a_shortened_text_fits_and_keeps_what_it_can(text, width):
    cut = shortened(text, 10, width)
    if text_width(text, 10) <= width:
        assert cut == text
    else:
        assert cut == "…" or (text_width(cut, 10) <= width and cut[0] == text[0])


def test_a_long_text_keeps_its_beginning_and_its_end():
    assert shortened("a_very_long_class_name_number_1", 10, 90) == "a_very_lon…ber_1"


def test_extents():
    assert extent(Circle(5, 6, 2)) == (3, 4, 7, 8)
    assert extent(Line(((1, 9), (4, 2)))) == (1, 2, 4, 9)
    both = Group("two", (Rect(0, 0, 2, 2), Group("one", (Rect(5, 5, 1, 4),))))
    assert extent(both) == (0, 0, 6, 9)
    assert [shape.x for shape in flat([both])] == [0, 5]
    assert extent(moved(both, 10, -1)) == (10, -1, 16, 8)


def test_a_turned_text_takes_its_width_as_height():
    left, top, right, bottom = extent(Text(50, 50, "conv", 10, "end", rotation=-90))
    assert abs((bottom - top) - text_width("conv", 10)) < 1e-9
    assert abs(top - 50) < 1e-9
    assert 9 < right - left < 11
