"""Layers that break the equivariance of a network over turns, against what torch gives."""

from __future__ import annotations

import pytest
import torch

import striate

RULE = "broken turns"
START = "input 1x9x9 -> p4lift3-4 -> relu -> "
END = " -> p4pool -> gap"

KEEPING = [
    "p4bn -> tanh",
    "pool3/2",
    "pool3/2 p1",
    "avgpool3/3",
    "l2pool3/1 same",
    "(p4conv3-4 + id)",
    "(p4conv3-2 | p4conv1-2)",
    "(id * gap -> sigmoid)",
    "upsample2 bilinear -> crop3",
    "adaptavgpool4",
    "p: pool3 -> relu -> unpool p",
    "dropout0",
    "softmax",
]
BREAKING = [
    ("bn", "bn", "Write p4bn"),
    ("conv3-16", "conv3-16", "Write p4conv in its place, or put p4pool before it"),
    ("dwconv3", "dwconv3", "Write p4conv in its place, or put p4pool before it"),
    ("lrn5", "lrn5", "Put p4pool before it"),
    ("shuffle2", "shuffle2", "Put p4pool before it"),
    ("(id | p4pool) -> p4conv3-4", "(id | p4pool)", "Put p4pool before it"),
    ("upsample1x2 -> p4conv3-4", "upsample1x2", "Put p4pool before it"),
    ("crop1 a2", "crop1 a2", "Put p4pool before it"),
]


def changes(text: str) -> bool:
    """Whether a quarter turn of the image changes what the network gives, in torch."""
    network = striate.build(text, seed=0).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn(weight.shape, generator=generator).double() * 0.3)
    image = torch.randn(2, *network.graph.input, generator=generator).double()
    return not torch.allclose(network(image), network(image.rot90(1, (2, 3))))


@pytest.mark.parametrize("part", KEEPING)
def test_what_keeps_turns_is_left_alone(told, part: str) -> None:
    text = f"{START}{part}{END}"
    assert told(text, RULE) == []
    assert not changes(text)


@pytest.mark.parametrize(("part", "layer", "fix"), BREAKING)
def test_what_breaks_them_is_told(told, part: str, layer: str, fix: str) -> None:
    text = f"{START}{part}{END}"
    (lint,) = told(text, RULE)
    assert lint.level == "warning"
    assert lint.message == (
        f"{layer} treats the 4 turns of a feature unlike each other, so that a turned image gives "
        f"other features. {fix}"
    )
    assert changes(text)


@pytest.mark.parametrize("part", ["pool2", "pool2 ceil", "avgpool3x1", "pool4/2"])
def test_a_pool_that_lies_unevenly(told, part: str) -> None:
    text = f"{START}{part}{END}"
    (lint,) = told(text, RULE)
    assert lint.message == (
        f"{part} lies unevenly on its 9×9 input, so on the turned image it takes other values "
        "together, and the turns are features of the image no longer. Use a square window and a "
        "stride that come out even at the end, such as pool2 on an even size or pool3/2 on an odd "
        "one"
    )
    assert changes(text)


def test_padding_left_over_counts_as_well(told) -> None:
    text = f"input 1x8x8 -> p4lift3-4 -> pool3/2 p1{END}"
    assert [lint.layers for lint in told(text, RULE)] == [("pool1",)]
    assert changes(text)


def test_fully_connected_layers_want_the_turns_pooled(told) -> None:
    text = f"{START}gap -> fc-3"
    (lint,) = told(text, RULE)
    assert lint.layers == ("fc1",)
    assert lint.message.endswith("Put p4pool before it")
    assert changes(text)
    assert told(f"{START}p4pool -> gap -> fc-3", RULE) == []


def test_channels_that_are_no_turns(told) -> None:
    (lint,) = told("input 1x9x9 -> conv3-8 -> p4conv3-4 -> p4pool -> gap", RULE)
    assert lint.message == (
        "p4conv3-4 takes its 8 channels for 2 features in 4 turns each, which they are not. Make "
        "them of an image with p4lift, and let nothing but p4conv change their number"
    )
    (lint,) = told("input 1x9x9 -> p4lift3-4 -> p4lift3-4 -> p4pool -> gap", RULE)
    assert lint.message == (
        "p4lift3-4 takes its 16 channels for those of an image, but they are features in their "
        "turns. Write p4conv, or put p4pool before it"
    )
    (lint,) = told("input 1x9x9 -> p4mlift3-4 -> p4conv3-4 -> p4pool -> gap", RULE)
    assert lint.layers == ("p4conv1",)


def test_only_the_first_break_is_told_and_ordinary_networks_have_none(told) -> None:
    text = "input 1x9x9 -> p4lift3-4 -> [bn -> conv3-4 -> relu]*2 -> pool2 -> flatten -> fc-3"
    assert [lint.layers for lint in told(text, RULE)] == [("bn1",)]
    assert told("resnet18", RULE) == told("p4cnn", RULE) == []
