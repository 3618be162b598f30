"""Backward passes as convolutions, against torch, and against differences by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.equalities import Case, backward, case_of
from striate.equalities.backward import gradient_of

from .conftest import CASES


@settings(max_examples=100, deadline=None)
@given(CASES, st.integers(0, 99))
def test_all_three_gradients_equal_torch(case, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    gradient = torch.randn(case.output_shape, generator=generator, dtype=torch.float64)
    found = backward(case, gradient)
    assert [pair.what for pair in found.pairs] == [
        "image's gradient",
        "weights' gradient",
        "bias's gradient",
    ]
    assert [pair.left.shape for pair in found.pairs] == [
        case.image.shape,
        case.weight.shape,
        case.bias.shape,
    ]
    assert found.equal


@pytest.mark.parametrize("settings_", ["/2 p1", " valid d2", "/3x2 full", " same"])
def test_gradients_are_differences(settings_: str) -> None:
    """The loss is linear in every number, so a difference quotient is exact."""
    case = case_of(f"conv3x2-2{settings_}", (2, 7, 6), seed=4)
    gradient = gradient_of(case, 4)
    image, weight, _ = backward(case, gradient).pairs

    def loss(changed: Case) -> float:
        return float((changed.by_torch() * gradient).sum())

    before = loss(case)
    for place in [(0, 0, 0), (1, 3, 2), (0, 6, 5)]:
        pixels = case.image.clone()
        pixels[place] += 1
        moved = loss(Case(case.layer, pixels, case.weight, case.bias))
        assert float(image.right[place]) == moved - before
    for place in [(0, 0, 0, 0), (1, 1, 2, 1)]:
        weights = case.weight.clone()
        weights[place] += 1
        moved = loss(Case(case.layer, case.image, weights, case.bias))
        assert float(weight.right[place]) == moved - before


def test_the_gradient_is_stretched_by_the_stride() -> None:
    case = case_of("conv3-1/2 p1", (1, 5, 5))
    ones = torch.ones(case.output_shape, dtype=torch.float64)
    stretched = backward(case, ones).matrices["stretched"]
    assert stretched.shape == (1, 7, 7)
    assert stretched[0].nonzero().tolist() == [[i, j] for i in (1, 3, 5) for j in (1, 3, 5)]


def test_the_filter_is_turned_and_its_channels_exchanged() -> None:
    case = case_of("conv2-3", (2, 4, 4))
    turned = backward(case, gradient_of(case, 0)).matrices["turned"]
    assert turned.shape == (2, 3, 2, 2)
    assert float(turned[1, 2, 0, 1]) == float(case.weight[2, 1, 1, 0])


def test_another_gradient_is_told_apart() -> None:
    case = case_of("conv3-2", (1, 6, 6), seed=1)
    gradient = gradient_of(case, 1)
    right = backward(case, gradient).pairs[0].left
    wrong = backward(case, gradient.flip(1)).pairs[0].right
    assert not torch.allclose(right, wrong)
