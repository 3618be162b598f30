"""Zeros around a volume."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from striate import build, size
from striate.layers.padding import Pad


@pytest.mark.parametrize(
    ("layer", "sides"),
    [(Pad((2, 2)), (2, 2, 2, 2)), (Pad((1, 0), (0, 3)), (0, 3, 1, 0)), (Pad((0, 0)), (0, 0, 0, 0))],
)
def test_it_puts_zeros_around(layer: Pad, sides: tuple[int, int, int, int]) -> None:
    image = torch.randn(2, 3, 4, 5)
    padded = layer.module(((3, 4, 5),))(image)
    assert torch.equal(padded, functional.pad(image, sides))
    assert tuple(padded.shape[1:]) == layer.output(((3, 4, 5),))


def test_a_unit_reads_its_own_pixel(windows_are_right: Callable[..., None]) -> None:
    windows_are_right(Pad((1, 2), (3, 0)), (1, 4, 5))


@pytest.mark.parametrize("side", [6, 7, 8, 9])
def test_tensorflow_s_padding_at_stride_2(side: int) -> None:
    """`SAME` of a 3×3 filter at stride 2: of an even side the one row of zeros is at the end."""
    pad = "pad0 a1" if side % 2 == 0 else "pad1"
    rows = size(f"input 1x{side}x{side} -> {pad} -> conv3-1/2 valid").rows
    assert rows[-1].output == (1, -(-side // 2), -(-side // 2))
    assert rows[-1].start == ((0, 0) if side % 2 == 0 else (-1, -1))
    assert rows[-1].lost == (0, 0)


def test_a_network_with_it_trains() -> None:
    network = build("input 1x6x6 -> pad0 a1 -> conv3-2/2 valid -> relu -> fc-2", seed=0)
    network(torch.ones(2, 1, 6, 6)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
