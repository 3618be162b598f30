"""Weights on padding, against those that get no gradient in torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from striate.errors import ShapeError
from striate.graph import load_graph
from striate.sizing.lints import lint

RULE = "weights on padding"


def test_filters_on_a_single_pixel(told) -> None:
    text = "input 3x8x8\n-> [pool2]*3 -> [conv3-4 -> relu]*2 -> fc-2"
    (found,) = told(text, RULE)
    assert (found.level, found.layers, found.line) == ("note", ("conv1", "conv2"), 2)
    assert found.message == (
        "conv3-4 filters a map of 1×1: only 1 of its 3×3 places ever meet a value that is not "
        "padding, as in 1 layer more: 224 parameters without effect. Take a larger image, fewer "
        "strides and pools before it, or a smaller filter"
    )


def test_resnet50_on_small_images_has_filters_for_single_pixels(told) -> None:
    """In its last stage 4 of 9 places meet a map of 2×2, then 1 of 9 one of 1×1, twice."""
    graph = load_graph("resnet50", input=(3, 32, 32))
    (found,) = [each for each in lint(graph) if each.rule == RULE]
    assert len(found.layers) == 3
    assert f"{(5 + 8 + 8) * 512 * 512:,} parameters without effect" in found.message
    assert told("resnet50", RULE) == []


@pytest.mark.parametrize(
    "text",
    [
        "input 3x2x2 -> conv3-4 -> fc-2",
        "input 3x1x1 -> conv1-4 -> fc-2",
        "input 3x1x1 -> conv3-4 p1 -> (pool3/1 p1 | id) -> tconv3-2",
        "input 3x4x4 -> once: conv3-3 -> pool4 -> again once -> fc-2",  # met the first time
    ],
)
def test_filters_that_meet_values_in_all_places(told, text: str) -> None:
    assert [each for each in told(text, RULE) if "conv1" not in each.layers] == []


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    groups=st.sampled_from([1, 2]),
)
def test_the_number_is_that_of_weights_without_a_gradient(
    size: tuple[int, int], kernel: tuple[int, int], stride: int, dilation: int, groups: int
) -> None:
    layer = f"conv{kernel[0]}x{kernel[1]}-4/{stride} d{dilation} g{groups} nobias"
    text = f"input 2x{size[0]}x{size[1]} -> {layer}"
    try:
        module = striate.build(text, seed=0)
    except ShapeError:  # a filter that is larger than its padded image
        return
    module(torch.rand(1, 2, *size) + 0.5).sum().backward()
    idle = int((module.get_submodule("conv1").weight.grad == 0).sum())
    messages = [each.message for each in lint(load_graph(text)) if each.rule == RULE]
    if idle:
        assert f": {idle:,} parameter{'s' * (idle > 1)} without effect" in messages[0]
    else:
        assert messages == []
