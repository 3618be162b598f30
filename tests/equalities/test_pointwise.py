"""1×1 convolutions as fully connected layers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch import nn

from striate.equalities import case_of, pointwise
from striate.errors import UserError

from .conftest import POINTWISE


@settings(max_examples=50, deadline=None)
@given(POINTWISE)
def test_every_setting_equals_torch(case) -> None:
    assert pointwise(case).equal


def test_each_pixel_goes_through_a_linear_layer() -> None:
    case = case_of("conv1-3", (5, 4, 2), seed=6)
    found = pointwise(case)
    layer = nn.Linear(5, 3).double()
    layer.load_state_dict({"weight": found.matrices["weights"], "bias": case.bias})
    for i in range(4):
        for j in range(2):
            torch.testing.assert_close(layer(case.image[:, i, j]), found.pairs[0].left[:, i, j])
    assert found.matrices["pixels"].shape == (8, 5)


def test_a_stride_leaves_pixels_out() -> None:
    assert pointwise(case_of("conv1-3/2", (2, 5, 5))).matrices["pixels"].shape == (9, 2)


@pytest.mark.parametrize(
    ("layer", "size", "padding"), [("conv3-2 valid", "3×3", 0), ("conv1-2 p1", "1×1", 1)]
)
def test_other_filters_are_refused(layer: str, size: str, padding: int) -> None:
    with pytest.raises(UserError) as caught:
        pointwise(case_of(layer, (1, 5, 5)))
    assert str(caught.value) == (
        f"this equality is about 1×1 filters without padding, and this one is {size} with a "
        f"padding of {padding}. Give one such as --layer conv1-4"
    )
