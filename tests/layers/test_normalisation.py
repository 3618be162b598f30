"""Normalisation over the channels of a position, and over groups of them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from striate import build, size
from striate.layers import MismatchError
from striate.layers.normalisation import GroupNorm, LayerNorm


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    for weight in module.parameters():
        torch.nn.init.uniform_(weight, 0.5, 1.5)
    return module


def test_layer_normalisation_is_over_the_channels_of_a_position() -> None:
    image = torch.randn(2, 5, 3, 4)
    module = drawn(LayerNorm(0.1).module(((5, 3, 4),)))
    mean = image.mean(1, keepdim=True)
    spread = (image.var(1, unbiased=False, keepdim=True) + 0.1).sqrt()
    weight, bias = (each.reshape(-1, 1, 1) for each in module.parameters())
    torch.testing.assert_close(module(image), (image - mean) / spread * weight + bias)


def test_layer_normalisation_of_a_vector_is_torch_s() -> None:
    values = torch.randn(4, 7)
    module = drawn(LayerNorm().module(((7,),)))
    weight, bias = module.parameters()
    torch.testing.assert_close(module(values), functional.layer_norm(values, (7,), weight, bias))


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_normalisation_is_over_the_channels_of_a_group(groups: int) -> None:
    image = torch.randn(2, 6, 3, 4)
    module = drawn(GroupNorm(groups, 0.1).module(((6, 3, 4),)))
    parts = image.reshape(2, groups, -1)
    mean = parts.mean(2, keepdim=True)
    spread = (parts.var(2, unbiased=False, keepdim=True) + 0.1).sqrt()
    weight, bias = (each.reshape(-1, 1, 1) for each in module.parameters())
    expected = ((parts - mean) / spread).reshape(image.shape) * weight + bias
    torch.testing.assert_close(module(image), expected)


def test_groups_that_do_not_divide_the_channels() -> None:
    with pytest.raises(MismatchError) as error:
        GroupNorm(4).output(((6, 5, 5),))
    assert str(error.value) == (
        "gn4 makes 4 equal groups, but its input has 6 channels. Choose a divisor of 6"
    )


@pytest.mark.parametrize("word", ["ln", "gn2", "flatten -> ln", "flatten -> gn4"])
def test_the_weights_are_those_of_the_module(word: str) -> None:
    text = f"input 4x6x6 -> {word}"
    network = build(text, seed=0)
    channels = size(text).rows[-1].output[0]
    held = {name: tuple(each.shape) for name, each in network.named_parameters()}
    assert sorted(held.values()) == [(channels,), (channels,)]
    weight, bias = network.parameters()
    assert weight.eq(1).all()
    assert bias.eq(0).all()
