from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from striate import zoo
from striate.errors import NotationError, UserError
from striate.graph import Graph, load_graph
from striate.sizing import Row, size

Run = Callable[[Graph, Tensor], list[Tensor]]


def only(text: str) -> Row:
    (row,) = size(text).rows
    return row


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("input 3x224x224 -> conv5-64", 4_864),
        ("input 3x224x224 -> conv5-1 valid", 76),
        ("input 3x224x224 -> conv5-1 valid nobias", 75),
        ("input 20x8x8 -> conv3-1 nobias", 180),
        ("input 8x14x14 -> conv5-16 nobias", 16 * 5 * 5 * 8),
        ("input 3x32x32 -> fc-1 nobias", 3_072),
        ("input 8x8x8 -> bn", 16),
        ("input 8x8x8 -> dwconv3", 80),
        ("input 8x8x8 -> conv3-8 g4", 8 * 2 * 9 + 8),
        ("input 8x8x8 -> tconv2-4/2", 8 * 4 * 4 + 4),
        ("input 8x8x8 -> pool2", 0),
    ],
)
def test_parameters(text: str, parameters: int) -> None:
    assert only(text).parameters == parameters


def test_three_small_filters_have_fewer_weights_than_a_large_one() -> None:
    channels = 32
    small = size(f"input {channels}x16x16 -> [conv3-{channels} nobias]*3")
    large = size(f"input {channels}x16x16 -> conv7-{channels} nobias")
    assert small.totals.parameters == 27 * channels**2
    assert large.totals.parameters == 49 * channels**2


@given(channels=st.integers(1, 64), kernel=st.integers(1, 7), out=st.integers(1, 64))
def test_the_cost_of_a_separable_convolution(channels: int, kernel: int, out: int) -> None:
    before = f"input {channels}x16x16 ->"
    separable = size(f"{before} dwconv{kernel} nobias -> conv1-{out} nobias").totals
    standard = size(f"{before} conv{kernel}-{out} nobias").totals
    expected = Fraction(1, out) + Fraction(1, kernel**2)
    assert Fraction(separable.macs, standard.macs) == expected
    assert Fraction(separable.parameters, standard.parameters) == expected


def test_vgg_16_weights_without_biases() -> None:
    text = zoo.read("vgg16").text.replace("fc-4096", "fc-4096 nobias")
    for width in (64, 128, 256, 512):
        text = text.replace(f"conv3-{width}", f"conv3-{width} nobias")
    assert size(text.replace("fc-1000", "fc-1000 nobias")).totals.parameters == 138_344_128


LAYERS = [
    *("conv3-6", "conv5-4/2", "conv3x1-6 d2", "conv3-6 g2", "dwconv3-8/2", "tconv3-4/2"),
    *("(id * conv1-4)", "(bn * gap -> relu)"),
    *("tconv4-6/2 g2", "bn", "relu", "pool2", "lrn5", "(conv1-2 | conv3-4 -> relu)", "(id + bn)"),
]


@settings(max_examples=40, deadline=None)
@given(items=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=5))
def test_rows_state_what_torch_layers_do(plain: Run, items: list[str]) -> None:
    """Volumes, bytes and MACs of a batch, and the parameters of each layer's own module."""
    text = " -> ".join(["input 4x32x24", "conv1-4", *items, "conv1-4", "gap", "fc-3"])
    try:
        graph = load_graph(text)
    except NotationError:
        return
    ledger = size(graph, batch=3)
    with FlopCounterMode(display=False) as counter:
        outputs = plain(graph, torch.zeros(3, 4, 32, 24))
    assert [tuple(output.shape[1:]) for output in outputs] == [row.output for row in ledger.rows]
    assert [output.nbytes for output in outputs] == [row.output_bytes for row in ledger.rows]
    assert counter.get_total_flops() == ledger.totals.flops
    for node, row in zip(graph, ledger.rows, strict=True):
        if node.layer.role != "merge":
            module = node.layer.module(graph.shapes_into(node))
            assert sum(weight.numel() for weight in module.parameters()) == row.parameters


@pytest.mark.parametrize("name", zoo.names())
def test_totals_are_the_sums_of_the_rows(name: str) -> None:
    ledger = size(name, batch=4)
    totals = ledger.totals
    assert totals.parameters == sum(row.parameters for row in ledger.rows)
    assert totals.macs == sum(row.macs for row in ledger.rows)
    assert totals.flops == 2 * totals.macs
    assert totals.output_bytes == sum(row.output_bytes for row in ledger.rows)


def test_a_batch_multiplies_work_and_bytes_but_not_parameters() -> None:
    one, many = size("lenet5"), size("lenet5", batch=128)
    assert many.totals.parameters == one.totals.parameters
    assert many.totals.macs == 128 * one.totals.macs
    assert many.totals.output_bytes == 128 * one.totals.output_bytes
    assert [row.output for row in many.rows] == [row.output for row in one.rows]


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_none(batch: int) -> None:
    with pytest.raises(UserError) as caught:
        size("lenet5", batch=batch)
    assert str(caught.value) == f"a batch holds at least 1 image, not {batch}"


def test_remainders_and_what_is_lost_of_them() -> None:
    row = size("input 3x33x32 -> pool2 -> gap").rows[0]
    assert (row.remainder, row.lost) == ((1, 0), (1, 0))
    row = size("input 3x32x32 -> conv3-4/2 -> gap").rows[0]
    assert (row.remainder, row.lost) == ((1, 1), (0, 0))


def test_warnings_point_at_the_text() -> None:
    assert size("input 3x33x33 -> pool2 -> gap").warnings == (
        "<text>:1:18: pool2 leaves the last row and column of its 33×33 input unread; pad with "
        "p1, or start from an image of 32×32 or 34×34\n"
        "  input 3x33x33 -> pool2 -> gap\n"
        "                   ^^^^^",
    )


def test_json_tells_taps_and_shared_weights() -> None:
    text = "input 3x8x6 -> tap image -> a: conv3-3 -> again a -> tap b [pool2] -> gap -> fc-5"
    data = json.loads(size(text + " -> tap c [softmax]").to_json())
    assert data["output"] == "fc1"
    assert data["taps"] == [
        {"name": "image", "layer": "input", "output": [3, 8, 6]},
        {"name": "b", "layer": "b.pool1", "output": [3, 4, 3]},
        {"name": "c", "layer": "c.softmax1", "output": [5]},
    ]
    one, two = data["layers"][:2]
    assert (one["name"], one["weights"], one["parameters"]) == ("a", "", 84)
    assert (two["name"], two["weights"], two["parameters"]) == ("a_2", "a", 0)
    assert one["macs"] == two["macs"] == 81 * 48
    assert data["totals"]["parameters"] == 84 + 20


def test_json_keeps_its_contract() -> None:
    text = "input 3x8x6 -> stem: conv3-4/2 -> tconv2-2/2 -> (id | relu) -> fc-5"
    ledger = size(text, batch=2)
    data = json.loads(ledger.to_json())
    assert list(data) == [
        *("name", "input", "batch", "output", "taps", "layers", "totals", "convention"),
        *("warnings", "notes"),
    ]
    assert (data["name"], data["input"], data["batch"]) == ("network", [3, 8, 6], 2)
    promised = {
        *("name", "kind", "output", "parameters", "macs", "output_bytes", "jump"),
        *("receptive_field", "start", "span"),
    }
    for layer, row in zip(data["layers"], ledger.rows, strict=True):
        assert promised <= set(layer)
        assert layer["output"] == list(row.output)
        assert text[slice(*layer["span"])] == text[row.span[0] : row.span[1]]
    assert data["layers"][0] == {
        "name": "stem",
        "kind": "conv",
        "notation": "conv3-4/2",
        "inputs": ["input"],
        "weights": "",
        "output": [4, 4, 3],
        "parameters": 112,
        "macs": 2 * 108 * 12,
        "backward_macs": 2 * 108 * 12,
        "output_bytes": 2 * 4 * 48,
        "jump": [2, 2],
        "receptive_field": [3, 3],
        "start": [-1, -1],
        "center": [0, 0],
        "whole_input": False,
        "remainder": [1, 1],
        "lost": [0, 0],
        "span": [21, 30],
        "saved_bytes": None,
        "unknown_field": False,
        "counted": None,
    }
    assert data["layers"][4]["inputs"] == ["id1", "relu1"]
    assert data["totals"] == {
        "parameters": ledger.totals.parameters,
        "macs": ledger.totals.macs,
        "backward_macs": ledger.totals.backward_macs,
        "flops": ledger.totals.flops,
        "output_bytes": ledger.totals.output_bytes,
        "saved_bytes": None,
        "counted": None,
    }


def test_a_jump_below_one_is_a_float_in_json() -> None:
    (layer,) = json.loads(size("input 1x8x8 -> tconv2-1/2").to_json())["layers"]
    assert layer["jump"] == [0.5, 0.5]
    assert layer["start"] == [0, 0]


def test_csv_holds_what_json_holds() -> None:
    ledger = size("input 3x8x6 -> conv3x1-4 -> tconv2-2/2 -> (id | relu) -> gap", batch=2)
    lines = list(csv.DictReader(io.StringIO(ledger.to_csv())))
    layers = json.loads(ledger.to_json())["layers"]
    assert len(lines) == len(layers)
    for line, layer in zip(lines, layers, strict=True):
        for key in ("name", "kind", "notation"):
            assert line[key] == layer[key]
        for key in ("parameters", "macs", "backward_macs", "output_bytes"):
            assert int(line[key]) == layer[key]
        for key in ("jump", "receptive_field", "start", "remainder", "lost"):
            assert [float(line[f"{key}_h"]), float(line[f"{key}_w"])] == layer[key]
        assert [int(n) for n in line["output"].split("x")] == layer["output"]
        assert [int(line["from"]), int(line["to"])] == layer["span"]
        assert line["inputs"].split() == layer["inputs"]
        assert line["whole_input"] == str(layer["whole_input"]).lower()
