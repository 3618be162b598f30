"""Pooling over depth."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from striate import size
from striate.layers import MismatchError
from striate.layers.depth_pooling import DepthPool


@pytest.mark.parametrize("volume", [(12, 3, 4), (12,)])
def test_it_is_the_largest_of_neighbouring_channels(volume: tuple[int, ...]) -> None:
    layer = DepthPool(4)
    values = np.random.default_rng(2).normal(size=(2, *volume))
    image = torch.from_numpy(values).requires_grad_()
    module = layer.module((volume,))
    expected = np.stack([values[:, i : i + 4].max(1) for i in (0, 4, 8)], 1)
    np.testing.assert_array_equal(module(image).detach().numpy(), expected)
    assert layer.output((volume,)) == expected.shape[1:]
    assert torch.autograd.gradcheck(module, (image,))


def test_rows_columns_and_receptive_field_stay() -> None:
    """Pooling over depth keeps H×W and reduces channels."""
    conv, pool = size("input 3x16x16 -> conv5-64 -> maxout4").rows
    assert (conv.output, pool.output) == ((64, 16, 16), (16, 16, 16))
    assert (pool.receptive_field, pool.start) == (conv.receptive_field, conv.start)
    assert pool.parameters == pool.macs == 0


def test_the_size_must_divide_the_channels() -> None:
    with pytest.raises(MismatchError) as error:
        DepthPool(3).output(((64, 8, 8),))
    assert str(error.value) == (
        "depthpool3 takes the largest of each 3 channels, but its input has 64. Choose a divisor "
        "of 64"
    )
