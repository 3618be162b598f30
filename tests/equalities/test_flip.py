"""Convolution by its definition, against torch and scipy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from scipy.signal import convolve2d, correlate2d

from striate.equalities import case_of, flip

from .conftest import CASES


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_definition_equals_torch_with_the_filter_turned(case) -> None:
    assert flip(case).equal


def test_scipy_calls_them_by_the_same_names() -> None:
    case = case_of("conv3x2-1 full nobias", (1, 6, 5), seed=8)
    image, weight = (np.asarray(t) for t in (case.image[0], case.weight[0, 0]))
    found = flip(case)
    np.testing.assert_array_equal(found.pairs[0].left[0], convolve2d(image, weight, "full"))
    np.testing.assert_array_equal(case.by_torch()[0], correlate2d(image, weight, "full"))


def test_a_single_1_shows_the_filter_or_the_turned_one() -> None:
    found = flip(case_of("conv3-1", (1, 7, 7), seed=0)).matrices
    assert torch.equal(found["convolution"][0, 2:5, 2:5], found["filter"][0, 0])
    assert torch.equal(found["correlation"][0, 2:5, 2:5], found["turned"][0, 0])
    assert not torch.equal(found["filter"], found["turned"])
