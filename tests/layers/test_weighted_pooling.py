"""Pooling weighted by nearness."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import build
from striate.layers.pooling import AvgPool
from striate.layers.weighted_pooling import WeightedPool

VOLUMES = st.tuples(st.integers(1, 2), st.integers(3, 7), st.integers(3, 7))


def test_the_weights_of_three_by_three_are_those_of_the_formula() -> None:
    module = WeightedPool((3, 3)).module(((1, 3, 3),))
    pixels = torch.eye(9, dtype=torch.float64).reshape(9, 1, 3, 3)
    corner, edge = 1 / (1 + sqrt(2)), 1 / 2
    total = 4 * corner + 4 * edge + 1
    expected = [corner, edge, corner, edge, 1, edge, corner, edge, corner]
    assert module(pixels).flatten().tolist() == pytest.approx([n / total for n in expected])


def test_an_even_window_has_its_centre_between_the_pixels() -> None:
    image = torch.randn(2, 3, 8, 6)
    found = WeightedPool((2, 2)).module(((3, 8, 6),))(image)
    torch.testing.assert_close(found, AvgPool((2, 2)).module(((3, 8, 6),))(image))


@settings(max_examples=40, deadline=None)
@given(
    st.from_type(WeightedPool), st.tuples(st.integers(1, 2), st.integers(3, 7), st.integers(3, 7))
)
def test_it_is_a_weighted_mean_of_each_window(
    layer: WeightedPool, volume: tuple[int, int, int]
) -> None:
    image = torch.randn(1, *volume, dtype=torch.float64, requires_grad=True)
    (rows, columns), (pad_h, pad_w) = layer.kernel_size, layer.torch_padding((volume,))
    weights = torch.tensor(
        [
            [
                1 / (1 + sqrt((i - (rows - 1) / 2) ** 2 + (j - (columns - 1) / 2) ** 2))
                for j in range(columns)
            ]
            for i in range(rows)
        ],
        dtype=torch.float64,
    )
    padded = torch.nn.functional.pad(image, (pad_w, pad_w, pad_h, pad_h))
    windows = padded.unfold(2, rows, layer.step[0]).unfold(3, columns, layer.step[1])
    expected = (windows * weights).sum((4, 5)) / weights.sum()
    module = layer.module((volume,))
    torch.testing.assert_close(module(image), expected)
    assert tuple(expected.shape[1:]) == layer.output((volume,))
    assert torch.autograd.gradcheck(module, (image,))


def test_it_works_in_half_precision_and_keeps_no_weights() -> None:
    network = build("input 3x8x8 -> weightedpool3/2", seed=0).bfloat16()
    image = torch.rand(1, 3, 8, 8)
    expected = build("input 3x8x8 -> weightedpool3/2")(image)
    torch.testing.assert_close(network(image.bfloat16()).float(), expected, atol=0.01, rtol=0.01)
    assert not network.state_dict()


def test_a_unit_reads_its_window(windows_are_right: Callable[..., None]) -> None:
    windows_are_right(WeightedPool((3, 2), (2, 1), 1), (2, 6, 5))
