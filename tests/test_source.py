"""Places in a text and the pictures that point at them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.source import Source, Span, underline

TEXT = "input 3x32x32\n-> cnov3-64\n-> fc-10"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("resnet18", "resnet18"),
        ("nets/my net.net", "my net"),
        ("nets\\tiny.net", "tiny"),
        ("tiny.txt", "tiny"),
        ("vgg1.5", "vgg1.5"),
        ("mobilenet_v2(alpha=0.5)", "mobilenet_v2(alpha=0.5)"),
        ("nets/mine.net(width=32, alpha=0.5)", "mine(width=32, alpha=0.5)"),
        ("<text>", "network"),
        ("", "network"),
    ],
)
def test_the_short_name(name: str, stem: str) -> None:
    assert Source("input 1x8x8 -> fc-2", name).stem == stem


def test_positions_count_from_one() -> None:
    source = Source(TEXT)
    assert source.position(0) == (1, 1)
    assert source.position(TEXT.index("cnov")) == (2, 4)
    assert source.line_at(TEXT.index("cnov")) == "-> cnov3-64"


def test_the_carets_stand_under_the_span() -> None:
    start = TEXT.index("cnov3-64")
    assert underline(Source(TEXT), Span(start, start + 8)) == "-> cnov3-64\n   ^^^^^^^^"


def test_a_span_over_the_end_of_its_line_is_cut_there() -> None:
    assert underline(Source(TEXT), Span(6, 30)) == "input 3x32x32\n      ^^^^^^^"


def test_an_empty_span_at_the_end_gets_one_caret() -> None:
    assert underline(Source("fc-"), Span(3, 3)) == "fc-\n   ^"


def test_spans_join_to_what_covers_both() -> None:
    assert Span(3, 5) | Span(9, 12) == Span(3, 12)


@given(st.text(alphabet="abc \t", min_size=1, max_size=400), st.data())
def test_a_long_line_is_cut_so_that_the_carets_are_seen(line: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(start, len(line)))
    shown, carets = underline(Source(line), Span(start, end)).split("\n")
    assert len(shown) <= 101
    assert len(carets) <= 102
    assert "^" in carets
    wanted = line[start:end].replace("\t", " ")
    marked = shown[carets.index("^") :][: carets.count("^")]
    assert wanted.startswith(marked.rstrip()) or not wanted
