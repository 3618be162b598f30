"""Pooling by the L2 norm."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.layers.l2_pooling import L2Pool


@pytest.mark.parametrize("layer", [L2Pool((2, 2)), L2Pool((3, 3), (2, 2), "valid", True)])
def test_it_is_torchs_where_torch_has_it(layer: L2Pool) -> None:
    image = torch.randn(2, 3, 8, 8)
    reference = torch.nn.LPPool2d(2, layer.kernel_size, layer.step, ceil_mode=layer.ceil)
    found = layer.module(((3, 8, 8),))(image)
    torch.testing.assert_close(found[..., :3, :3], reference(image)[..., :3, :3])


@settings(max_examples=40, deadline=None)
@given(st.from_type(L2Pool), st.tuples(st.integers(1, 2), st.integers(3, 7), st.integers(3, 7)))
def test_it_is_the_norm_of_each_window(layer: L2Pool, volume: tuple[int, int, int]) -> None:
    image = torch.randn(1, *volume, dtype=torch.float64, requires_grad=True)
    module = layer.module((volume,))
    found = module(image)
    assert tuple(found.shape[1:]) == layer.output((volume,))
    pad_h, pad_w = layer.torch_padding((volume,))
    padded = torch.nn.functional.pad(image, (pad_w, pad_w + 9, pad_h, pad_h + 9))
    for row in range(found.shape[2]):
        for column in range(found.shape[3]):
            top, left = row * layer.step[0], column * layer.step[1]
            window = padded[
                :, :, top : top + layer.kernel_size[0], left : left + layer.kernel_size[1]
            ]
            torch.testing.assert_close(found[:, :, row, column], window.norm(dim=(2, 3)))
    assert torch.autograd.gradcheck(module, (image,))


def test_the_gradient_of_a_window_of_zeros_is_zero() -> None:
    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 0, 0] = 3.0
    image.requires_grad_()
    pooled = L2Pool((2, 2)).module(((1, 4, 4),))(image)
    pooled.sum().backward()
    assert pooled.tolist() == [[[[3.0, 0.0], [0.0, 0.0]]]]
    assert image.grad is not None
    assert image.grad.sum() == 1


def test_a_unit_reads_its_window(windows_are_right: Callable[..., None]) -> None:
    windows_are_right(L2Pool((3, 2), (2, 1), 1), (1, 6, 5))
