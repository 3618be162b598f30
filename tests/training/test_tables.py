from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.training.tables import aligned, fitted, padded, percent, width


def test_shares_are_percentages() -> None:
    assert percent(0.98765) == "98.8 %"
    assert percent(0.98765, 2) == "98.77 %"
    assert percent(math.nan) == "–"


@pytest.mark.parametrize(
    ("text", "cells"), [("cat", 3), ("犬", 2), ("🐈", 2), ("é", 1), ("e\u0301", 1), ("", 0)]
)
def test_width_is_in_terminal_cells(text: str, cells: int) -> None:
    assert width(text) == cells
    assert width(padded(text, 6)) == 6


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("short", 5, "short"),
        ("a rather long name", 10, "a rath…ame"),
        ("犬犬犬犬犬犬犬犬", 9, "犬犬犬…犬"),
        ("two\nlines\x1b[31m", 20, "two\ufffdlines\ufffd[31m"),
    ],
)
def test_names_are_fitted_to_one_line(text: str, cells: int, shown: str) -> None:
    assert fitted(text, cells) == shown


@given(text=st.text(max_size=60), cells=st.integers(4, 40))
@settings(max_examples=200, deadline=None)
def test_a_fitted_name_has_no_control_characters_and_fits(text: str, cells: int) -> None:
    shown = fitted(text, cells)
    assert width(shown) <= cells
    assert "\n" not in shown and "\x1b" not in shown


def test_columns_are_set_to_their_sides() -> None:
    rows = [("a", "1", "x"), ("犬犬", "22", "y")]
    assert aligned(rows, "<><") == ["a      1  x", "犬犬  22  y"]
