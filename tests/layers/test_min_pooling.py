"""Minimum pooling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from striate.layers.min_pooling import MinPool


@settings(max_examples=40, deadline=None)
@given(st.from_type(MinPool), st.tuples(st.integers(1, 2), st.integers(3, 7), st.integers(3, 7)))
def test_it_is_the_smallest_value_of_each_window(
    layer: MinPool, volume: tuple[int, int, int]
) -> None:
    values = np.random.default_rng(1).normal(size=(1, *volume)) + 3
    module = layer.module((volume,))
    image = torch.from_numpy(values).requires_grad_()
    found = module(image)
    (height, width), (pad_h, pad_w) = found.shape[2:], layer.torch_padding((volume,))
    around = ((0, 0), (0, 0), (pad_h, pad_h + 2), (pad_w, pad_w + 2))
    padded = np.pad(values, around, constant_values=np.inf)
    windows = sliding_window_view(padded, layer.kernel_size, (2, 3))
    strided = windows[:, :, :: layer.step[0], :: layer.step[1]]
    expected = strided[:, :, :height, :width].min((4, 5))
    assert (volume[0], height, width) == layer.output((volume,))
    np.testing.assert_array_equal(found.detach().numpy(), expected)
    assert torch.autograd.gradcheck(module, (image,))


def test_a_unit_reads_its_window(windows_are_right: Callable[..., None]) -> None:
    windows_are_right(MinPool((3, 2), (2, 1), 1), (1, 6, 5))
