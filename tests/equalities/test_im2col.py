"""Unrolled patches against torch's own, and the equality for every setting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional as F

from striate.equalities import case_of, im2col
from striate.equalities.im2col import correlate
from striate.errors import UserError

from .conftest import CASES


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_product_equals_torch(case) -> None:
    found = im2col(case)
    assert found.equal
    filters, patches = found.matrices["filters"], found.matrices["patches"]
    assert torch.equal(filters @ patches, found.matrices["product"])
    assert filters.shape[1] == patches.shape[0]


@settings(max_examples=40, deadline=None)
@given(CASES)
def test_patches_are_those_of_torch(case) -> None:
    rows, columns = case.axes
    expected = F.unfold(
        case.padded()[None],
        case.layer.kernel_size,
        dilation=(rows.dilation, columns.dilation),
        stride=(rows.stride, columns.stride),
    )[0]
    assert torch.equal(im2col(case).matrices["patches"], expected)


def test_a_patch_by_hand() -> None:
    case = case_of("conv2-1 valid", (1, 3, 3))
    image = torch.arange(9.0, dtype=torch.float64).view(1, 3, 3)
    patches = im2col(type(case)(case.layer, image, case.weight, case.bias)).matrices["patches"]
    assert patches.T.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]


def test_a_group_has_zeros_for_the_channels_of_others() -> None:
    filters = im2col(case_of("conv1-4 g2", (4, 2, 2), seed=1)).matrices["filters"]
    assert not filters[:2, 2:].any() and not filters[2:, :2].any()
    assert filters[:2, :2].any() and filters[2:, 2:].any()


def test_too_many_patches() -> None:
    with pytest.raises(UserError) as caught:
        im2col(case_of("conv11-2", (3, 300, 300)))
    assert str(caught.value) == (
        "the patches matrix would be 363×90000, more than 20,000,000 values. "
        "Give a smaller --input, such as 1x8x8"
    )


def test_correlation_by_this_product_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    image, weight = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4, 9, 8), (6, 2, 3, 2))
    )
    expected = F.conv2d(image[None], weight, stride=(2, 1), dilation=(1, 3), groups=2)[0]
    found = correlate(image, weight, stride=(2, 1), dilation=(1, 3), groups=2)
    torch.testing.assert_close(found, expected)
