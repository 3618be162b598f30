"""The words over a stepped drawing, against hand-made ones and against what the formulas give."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.drawing.steps import steps_of
from striate.drawing.steps_words import notes, settings_line, size_lines
from striate.errors import UserError
from striate.graph import load_graph


def words(layer: str, size: str = "1x5x5") -> list[str]:
    steps = steps_of(load_graph(f"input {size} -> {layer}"))
    return [settings_line(steps), *size_lines(steps), *notes(steps)]


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        ("conv3-1 valid", "1x5x5", ["filter 3×3", "size: 5 − (3 − 1) = 3"]),
        (
            "conv3-1/2 p1",
            "1x5x5",
            ["filter 3×3 · padding 1 · stride 2", "size: floor((5 + 2·1 − 3) / 2) + 1 = 3"],
        ),
        (
            "conv2-4",
            "1x5x5",
            [
                "filter 2×2 · padding 0 before, 1 after",
                "size: 5 + 0 + 1 − (2 − 1) = 5",
                "filter 1 of 4",
            ],
        ),
        (
            "conv3x1-1/2x1 valid d2x1",
            "3x6x5",
            [
                "filter 3×1 · stride 2×1 · dilation 2×1",
                "rows: floor((6 − 2·(3 − 1) − 1) / 2) + 1 = 1",
                "columns: 5 − (1 − 1) = 5",
                "channel 1 of 3; what the others give is added",
                "pale: read by no window",
            ],
        ),
        (
            "tconv3-1/2 p1 op1",
            "1x3x3",
            [
                "filter 3×3 · stride 2 · padding 1 · output padding 1",
                "size: (3 − 1)·2 − 2·1 + 3 + 1 = 6",
                "as a convolution of stride 1 over the input with zeros between and around",
                "and the filter turned by 180°",
            ],
        ),
        (
            "tconv3-1 full d2",
            "1x9x9",
            [
                "filter 3×3 · padding 4 · dilation 2",
                "size: (9 − 1)·1 − 2·4 + 2·(3 − 1) + 1 = 5",
                "as a convolution of stride 1 over the input",
                "and the filter turned by 180°",
            ],
        ),
        (
            "pool2 ceil",
            "3x5x5",
            [
                "window 2×2 · stride 2",
                "size: ceil((5 − 2) / 2) + 1 = 3",
                "channel 1 of 3, each is pooled alone",
            ],
        ),
    ],
)
def test_words(layer: str, size: str, expected: list[str]) -> None:
    assert words(layer, size) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["conv{k}-1/{s} {p} d{d}", "tconv{k}-1/{s} {p} d{d}", "pool{k}/{s} ceil"]),
    *(st.integers(1, 4) for _ in range(3)),
    st.sampled_from(["valid", "same", "full", "p1"]),
    st.integers(4, 12),
)
def test_the_formula_gives_the_size(form: str, k: int, s: int, d: int, p: str, size: int) -> None:
    text = f"input 1x{size}x{size} -> {form.format(k=k, s=s, d=d, p=p)}"
    try:
        steps = steps_of(load_graph(text))
    except UserError:
        assume(False)
    (line,) = size_lines(steps)
    formula, result = line.removeprefix("size: ").split(" = ")
    python = formula.replace("·", "*").replace("−", "-")
    names = {"floor": math.floor, "ceil": math.ceil}
    assert eval(python, {"__builtins__": {}}, names) == int(result) == steps.rows.positions
