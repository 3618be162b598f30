"""Enlarging without weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate import size
from striate.layers.upsampling import Upsample

FACTORS = st.tuples(st.integers(1, 5), st.integers(1, 5))
VOLUMES = st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(FACTORS, st.booleans(), VOLUMES)
def test_a_unit_reads_its_window(
    windows_are_right: Callable[..., None],
    factors: tuple[int, int],
    bilinear: bool,
    volume: tuple[int, int, int],
) -> None:
    windows_are_right(Upsample(factors, bilinear), volume)


@pytest.mark.parametrize("factor", range(1, 65))
def test_nearest_repeats_every_row_exactly(factor: int) -> None:
    image = torch.arange(101.0).reshape(1, 1, 101, 1)
    layer = Upsample((factor, 1))
    enlarged = layer.module(((1, 101, 1),))(image)
    assert torch.equal(enlarged, image.repeat_interleave(factor, 2))
    assert tuple(enlarged.shape[1:]) == layer.output(((1, 101, 1),))


@pytest.mark.parametrize("factors", [(2, 2), (3, 1), (4, 5)])
def test_bilinear_is_that_of_pillow(factors: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random((7, 6), dtype=np.float32)
    size = (6 * factors[1], 7 * factors[0])
    expected = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
    module = Upsample(factors, bilinear=True).module(((1, 7, 6),))
    found = module(torch.from_numpy(values)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("word", ["nearest", "bilinear"])
def test_the_gradient_comes_back_whole(word: str) -> None:
    module = Upsample((2, 3), word == "bilinear").module(((2, 4, 5),))
    image = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (image,))


def test_the_receptive_field_behind_it_is_exact() -> None:
    """A 3×3 filter on rows that are each there twice sees two rows of the image."""
    rows = size("input 1x8x8 -> upsample2 -> conv3-1 -> pool2").rows
    assert [row.receptive_field for row in rows] == [(1, 1), (2, 2), (3, 3)]
    assert [row.jump for row in rows][:2] == [(0.5, 0.5), (0.5, 0.5)]
    assert rows[2].jump == (1, 1)
    bilinear = size("input 1x8x8 -> upsample2 bilinear -> conv3-1").rows
    assert [row.receptive_field for row in bilinear] == [(2, 2), (3, 3)]
