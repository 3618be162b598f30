"""The matrix of a convolution: its products, its structure, and matrices found by other ways."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from scipy.linalg import toeplitz as toeplitz_of

from striate.equalities import Case, case_of, toeplitz
from striate.equalities.toeplitz import toeplitz_matrix
from striate.errors import UserError

from .conftest import CASES


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_both_products_equal_torch(case) -> None:
    found = toeplitz(case)
    assert found.equal
    assert [pair.what for pair in found.pairs] == ["output", "image's gradient"]


@settings(max_examples=25, deadline=None)
@given(CASES)
def test_its_columns_are_what_torch_makes_of_single_pixels(case) -> None:
    matrix = toeplitz_matrix(case)
    silent = Case(case.layer, case.image, case.weight, torch.zeros_like(case.bias))
    pixels = torch.eye(matrix.shape[1], dtype=matrix.dtype).view(-1, *case.shape)
    expected = torch.stack([silent.by_torch(pixel).flatten() for pixel in pixels], dim=1)
    torch.testing.assert_close(matrix, expected)


def test_its_blocks_are_toeplitz_in_a_toeplitz_arrangement() -> None:
    """For one channel and stride 1, against scipy's matrix of one row of the filter."""
    case = case_of("conv3-1 valid", (1, 6, 7), seed=2)
    matrix = toeplitz_matrix(case)
    blocks = matrix.view(4, 5, 6, 7).transpose(1, 2)  # output row, input row, then within
    for u in range(3):
        weights = case.weight[0, 0, u]
        first_column = [float(weights[0]), *[0.0] * 4]
        first_row = [*weights.tolist(), *[0.0] * 4]
        expected = torch.from_numpy(toeplitz_of(first_column, first_row))
        for i in range(4):
            assert torch.equal(blocks[i, i + u], expected)
    assert matrix.count_nonzero() <= 4 * 5 * 9


def test_every_other_block_is_zero() -> None:
    case = case_of("conv2-1 valid", (1, 4, 4), seed=0)
    blocks = toeplitz_matrix(case).view(3, 3, 4, 4).transpose(1, 2)
    for i in range(3):
        for r in range(4):
            assert r - i in (0, 1) or not blocks[i, r].any()


def test_too_large() -> None:
    with pytest.raises(UserError) as caught:
        toeplitz(case_of("conv3-8", (3, 64, 64)))
    assert str(caught.value) == (
        "the Toeplitz matrix would be 32768×12288, more than 20,000,000 values. "
        "Give a smaller --input, such as 1x8x8"
    )
