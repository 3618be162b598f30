"""Pixels that dilations pass over, counted in the gradient of one unit."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.graph import load_graph
from striate.sizing.lints.holes import reaching

RULE = "sampling holes"


def test_equal_dilations_in_a_row(told) -> None:
    (lint,) = told("input 3x64x64\n-> conv3-8 d2 -> [conv3-8 d2]*2 -> gap -> fc-2", RULE)
    assert (lint.level, lint.layers, lint.line, lint.column) == ("warning", ("conv3",), 2, 19)
    assert lint.message == (
        "conv3-8 d2 leaves holes: 49 of the 169 pixels in the field of a unit can reach it (29%). "
        "Let the dilations of successive layers begin with 1 and share no factor, as in d1, d2, d3"
    )


@pytest.mark.parametrize(
    "text",
    [
        "input 3x64x64 -> conv3-8 -> conv3-8 d2 -> conv3-8 d3 -> gap",
        "input 3x64x64 -> conv3-8 -> conv3-8 d2 -> conv3-8 d5 -> gap",  # Wang et al.: 1, 2, 5
        "input 3x64x64 -> conv3-8 d2 -> conv3-8 -> gap",
        "input 3x64x64 -> conv1-8/2 -> conv3-8 -> gap",  # strides pass over them, not dilations
        "input 3x64x64 -> conv7-8/4 -> conv7-8 -> conv3-8 d2 -> gap",
        "input 3x64x64 -> conv3-8 -> gap",
    ],
)
def test_fields_without_holes(told, text: str) -> None:
    assert told(text, RULE) == []


def test_a_branch_fills_the_holes_of_another(told) -> None:
    assert told("input 1x64x64 -> conv3-1 d2", RULE)
    assert told("input 1x64x64 -> (conv3-1 d2 + conv5-1)", RULE) == []


def test_what_lies_behind_an_enlarging_layer_is_not_told() -> None:
    graph = load_graph("input 1x16x16 -> conv3-1 -> tconv2-1/2 -> conv3-1 d2")
    assert [pixels is None for pixels in reaching(graph)] == [False, True, True]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    layers=st.lists(
        st.sampled_from(
            [
                *("conv3-1", "conv3-1 d2", "conv3-1 d3", "conv1x3-1 d2", "conv3x1-1 d3", "relu"),
                *("conv3-1/2", "pool2", "conv2-1 d2 p1", "(conv3-1 d2 | conv1x5-1) -> conv1-1"),
                *("(conv3-1 d3 + id)", "(conv3x1-1 d2 + conv1x3-1 d3)"),
            ]
        ),
        min_size=1,
        max_size=4,
    )
)
def test_pixels_are_those_with_a_gradient(told, reach, layers: list[str]) -> None:
    text = f"input 1x97x97 -> {' -> '.join(layers)}"
    graph = load_graph(text)
    pixels = reaching(graph)[-1]
    assert pixels is not None
    unit = (graph.output[1] // 2, graph.output[2] // 2)
    count = int(reach(text, unit).sum())
    assert pixels.count() == count
    filled = reaching(graph, filled=True)[-1]
    assert filled is not None
    lints = told(text, RULE)
    assert bool(lints) == (count < filled.count())
    if lints:
        assert f"{count:,} of the {filled.count():,} pixels" in lints[0].message
