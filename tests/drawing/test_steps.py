"""Where windows stand and what they compute, held to torch and to published figures."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from striate.drawing.steps import steps_of
from striate.errors import NotationError, UserError
from striate.graph import load_graph
from striate.layers.pooling import MaxPool

PUBLISHED = {
    "conv3-1 valid": [[12, 12, 17], [10, 17, 19], [9, 6, 14]],
    "conv3-1/2 p1": [[6, 17, 3], [8, 17, 13], [6, 4, 4]],
    "avgpool3/1": [[1.7, 1.7, 1.7], [1.0, 1.2, 1.8], [1.1, 0.8, 1.3]],
    "maxpool3/1": [[3, 3, 3], [3, 3, 3], [3, 2, 3]],
}
"""Dumoulin & Visin, arXiv 1603.07285, figures 1.1, 1.2, 1.5 and 1.6."""


def steps_for(text: str):
    return steps_of(load_graph(text))


def module_for(steps) -> nn.Module:
    """The layer in torch, its filter the one that the picture shows, without bias."""
    layer = steps.layer.module((steps.input,)).double()
    if steps.operation == "sum":
        shown = steps.weights[::-1] if steps.turned else steps.weights
        with torch.no_grad():
            layer.weight[:] = torch.tensor(shown, dtype=torch.float64).view_as(layer.weight[0, 0])
            layer.bias.zero_()
    return layer


def shown_input(steps) -> torch.Tensor:
    """The numbers on the picture as an image."""
    rows, columns = steps.rows, steps.columns
    values = [
        [steps.value((i * rows.spread, j * columns.spread)) for j in range(columns.size)]
        for i in range(rows.size)
    ]
    return torch.tensor(values, dtype=torch.float64)[None, None]


def read_by_gradient(steps, i: int, j: int) -> set[tuple[int, int]]:
    """The inputs whose change would change an output, filters of ones and no maxima in the way."""
    layer = steps.layer.module((steps.input,)).double()
    for weight in layer.parameters():
        nn.init.ones_(weight)
    if isinstance(pool := steps.layer, MaxPool):
        layer = nn.AvgPool2d(
            pool.kernel_size, pool.step, pool.torch_padding((steps.input,)), ceil_mode=pool.ceil
        )
    image = torch.ones(1, *steps.input, dtype=torch.float64, requires_grad=True)
    layer(image)[0, 0, i, j].backward()
    return {(row, column) for row, column in image.grad[0, 0].nonzero().tolist()}


def assert_windows_are_right(steps) -> None:
    for step in range(steps.count):
        read = {
            (steps.rows.index(row), steps.columns.index(column)) for row, column in steps.taps(step)
        }
        read = {place for place in read if None not in place}
        assert read == read_by_gradient(steps, *steps.output_of(step))


def assert_results_are_right(steps) -> None:
    expected = module_for(steps)(shown_input(steps))[0, 0].flatten().tolist()
    assert [steps.result(step) for step in range(steps.count)] == pytest.approx(expected)


@st.composite
def layers(draw) -> str:
    """A layer that slides a window over a small image of one channel, as a text."""
    height, width = (draw(st.integers(1, 9)) for _ in range(2))
    kernel = "x".join(str(draw(st.integers(1, 4))) for _ in range(2))
    stride = "x".join(str(draw(st.integers(1, 3))) for _ in range(2))
    dilation = "x".join(str(draw(st.integers(1, 2))) for _ in range(2))
    padding = draw(st.sampled_from(["valid", "same", "full", "p0", "p1", "p2x1"]))
    kind = draw(st.sampled_from(["conv", "tconv", "pool", "avgpool", "minpool", "l2pool"]))
    if kind in ("conv", "tconv"):
        return f"input 1x{height}x{width} -> {kind}{kernel}-1/{stride} {padding} d{dilation}"
    padding = draw(st.sampled_from(["valid", "p1", "ceil", "p1 ceil"]))
    return f"input 1x{height}x{width} -> {kind}{kernel}/{stride} {padding}"


@settings(max_examples=120, deadline=None)
@given(layers())
def test_windows_and_results_equal_torch(text: str) -> None:
    try:
        graph = load_graph(text)
    except NotationError:
        assume(False)
    steps = steps_of(graph)
    assert (steps.rows.positions, steps.columns.positions) == graph.output[1:]
    assert_windows_are_right(steps)
    assert_results_are_right(steps)


@pytest.mark.parametrize(("layer", "expected"), PUBLISHED.items())
def test_the_numbers_of_the_guide(layer: str, expected: list[list[float]]) -> None:
    steps = steps_for(f"input 1x5x5 -> {layer}")
    found = [[steps.result(3 * i + j) for j in range(3)] for i in range(3)]
    assert found == [pytest.approx(row, abs=0.05) for row in expected]


def test_a_filter_of_one_weight_is_not_zero() -> None:
    assert steps_for("input 1x4x4 -> conv1-1").weights == (2,)


def test_padding_past_what_a_transposed_convolution_makes_is_cut_off() -> None:
    steps = steps_for("input 1x4x4 -> tconv1-1 p1")
    assert (steps.rows.before, steps.rows.after) == (-1, -1)
    assert_windows_are_right(steps)


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("input 1x6x6 -> conv3-1/2 valid", {5}),
        ("input 1x6x6 -> conv3-1/2 p1", {6}),
        ("lenet5", set()),
    ],
)
def test_places_that_no_window_reads(text: str, unread: set[int]) -> None:
    rows = steps_for(text).rows
    assert {place for place in rows.cells if place not in rows.read} == unread


def test_the_first_layer_that_slides_unless_one_is_named() -> None:
    lenet = load_graph("lenet5")
    assert steps_of(lenet).node.name == "conv1"
    assert steps_of(lenet, "avgpool2").node.name == "avgpool2"


def test_many_channels_are_drawn_by_one() -> None:
    steps = steps_for("input 3x4x4 -> conv3-8")
    assert (steps.input, len(steps.weights)) == ((3, 4, 4), 9)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (
            "lenet5",
            "pool1",
            "lenet5 has no layer 'pool1'. Did you mean avgpool1? Layers whose steps can be drawn: "
            "conv1, avgpool1, conv2, avgpool2, conv3",
        ),
        (
            "lenet5",
            "fc1",
            "fc1 is a layer of kind fc, whose steps are not drawn. Layers whose steps can be "
            "drawn: conv1, avgpool1, conv2, avgpool2, conv3",
        ),
        (
            "input 1x4x4 -> conv3-2",
            "nothing",
            "network has no layer 'nothing'. Layers whose steps can be drawn: conv1",
        ),
        (
            "input 1x4x4 -> relu -> fc-3",
            "",
            "network has no layer whose steps can be drawn: a convolution, a transposed "
            "convolution, pooling with a window",
        ),
        (
            "input 3x70x20 -> conv3-8",
            "",
            "the steps of conv1 cannot be seen: its grid is 72 cells long, more than 64. Give a "
            "smaller image with --input, or the layer alone, such as "
            "'input 3x12x12 -> conv3-8'",
        ),
    ],
)
def test_what_cannot_be_drawn(text: str, name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        steps_of(load_graph(text), name)
    assert str(caught.value) == message


def test_long_lists_of_layers_are_cut() -> None:
    with pytest.raises(UserError, match=r"stem.conv1, .*, …$"):
        steps_of(load_graph("resnet50"), "fc1")


def test_every_place_of_a_window_is_drawn() -> None:
    steps = steps_for("input 1x5x5 -> pool2/2 ceil")
    assert steps.rows.cells == range(6)
    drawn = set(product(steps.rows.cells, steps.columns.cells))
    assert all(set(steps.taps(step)) <= drawn for step in range(steps.count))
    assert [steps.values(step) for step in (2, 8)] == [[0, 1], [1]]
