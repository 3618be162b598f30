"""Biases in front of batch normalisation, against their gradient in torch."""

from __future__ import annotations

import pytest
import torch

import striate

RULE = "useless bias"


def test_they_are_told_together(told) -> None:
    text = "input 3x8x8\n-> [conv3-8 -> bn -> relu]*2 -> conv3-4 nobias -> bn -> gap -> fc-2"
    (lint,) = told(text, RULE)
    assert (lint.level, lint.layers, lint.line, lint.column) == ("note", ("conv1", "conv2"), 2, 5)
    assert lint.message == (
        "conv3-8 adds a bias that the batch normalisation behind it subtracts, as in 1 layer more: "
        "16 parameters without effect. Write nobias"
    )


def test_vgg16_bn_has_4224_of_them(told) -> None:
    (lint,) = told("vgg16_bn", RULE)
    assert len(lint.layers) == 13
    assert "4,224 parameters without effect" in lint.message


@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> conv3-8 nobias -> bn",
        "input 3x8x8 -> conv3-8 -> relu -> bn",
        "input 3x8x8 -> conv3-8 -> (bn | id)",  # the other branch sees the bias
        "input 3x8x8 -> conv3-8 -> lrn5",
        "input 3x8x8 -> bn -> conv3-8",
        "input 3x8x8 -> conv3-8 -> tap early -> bn",
        "input 8x8x8 -> same: conv3-8 -> bn -> again same -> relu",  # needed the second time
        "input 3x8x8 -> localconv3-8 -> bn",  # a bias for every place, not for the channel
    ],
)
def test_biases_with_an_effect(told, text: str) -> None:
    assert told(text, RULE) == []


def test_shared_biases_count_once(told) -> None:
    (lint,) = told("input 8x8x8 -> same: conv3-8 -> bn -> again same -> bn", RULE)
    assert lint.layers == ("same",)
    assert "8 parameters without effect" in lint.message


def test_their_gradient_is_zero() -> None:
    text = "input 3x8x8 -> conv3-8 -> bn -> relu -> conv3-4 -> gap"
    module = striate.build(text, seed=0).double()
    module(torch.randn(4, 3, 8, 8, dtype=torch.float64)).square().sum().backward()
    gradients = {name: value.grad for name, value in module.named_parameters()}
    assert gradients["conv1.bias"].abs().max() < 1e-12
    assert gradients["conv2.bias"].abs().max() > 1e-3
