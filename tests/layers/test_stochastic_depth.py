"""Stochastic depth."""

from __future__ import annotations

import pytest
import torch
from torchvision.ops import stochastic_depth

from striate import build
from striate.layers.stochastic_depth import DropPath


@pytest.mark.parametrize("volume", [(6, 4, 5), (6,)])
def test_whole_images_are_dropped_and_the_rest_scaled(volume: tuple[int, ...]) -> None:
    module = DropPath(0.25).module((volume,))
    images = torch.rand(4000, *volume) + 1
    dropped = module(images)
    factors = (dropped / images).flatten(1)
    assert torch.allclose(factors, factors[:, :1].expand_as(factors))
    assert torch.allclose(factors, (factors > 0) / 0.75)
    assert float((factors[:, 0] == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(module.eval()(images), images)


def test_the_mask_is_that_of_torchvision() -> None:
    images = torch.rand(64, 3, 4, 4)
    torch.manual_seed(3)
    found = DropPath(0.4).module(((3, 4, 4),))(images)
    torch.manual_seed(3)
    expected = stochastic_depth(images, 0.4, "row")
    assert torch.equal(found, expected)


def test_the_gradient_passes_where_the_path_does() -> None:
    module = DropPath(0.5).module(((2, 3, 3),))
    images = torch.ones(50, 2, 3, 3, requires_grad=True)
    dropped = module(images)
    dropped.sum().backward()
    assert images.grad is not None
    assert torch.equal(images.grad, dropped.detach())


def test_without_the_path_the_shortcut_is_left() -> None:
    network = build("input 3x8x8 -> (conv3-3 -> bn -> droppath1 + id)", seed=0)
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(network(images), images)
    assert not torch.equal(network.eval()(images), images)
