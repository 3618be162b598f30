"""A convolution moves with its image."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.equalities import case_of, translation
from striate.equalities.translation import shift
from striate.errors import NotationError, UserError


@settings(max_examples=80, deadline=None)
@given(
    *(st.integers(1, 4) for _ in range(3)),
    st.integers(1, 2),
    st.sampled_from(["same", "valid", "full", "p1"]),
    st.integers(8, 30),
    st.integers(0, 9),
)
def test_every_setting(k: int, other: int, s: int, d: int, p: str, size: int, seed: int) -> None:
    try:
        case = case_of(f"conv{k}x{other}-2/{s} {p} d{d}", (2, size, size + 3), seed)
        found = translation(case)
    except NotationError:
        assume(False)
    except UserError as error:
        assert "too small to be moved" in str(error)
        return
    assert found.equal
    assert found.pairs[0].left.numel() and found.matrices["image"].any()


def test_steps_that_are_no_multiples_of_the_stride_break_it() -> None:
    case = case_of("conv3-1/2", (1, 14, 14))
    straight, moved = case.by_torch(), case.by_torch(shift(case.image, 1, 2))
    assert not torch.equal(moved[:, 2:6, 2:6], shift(straight, 1, 1)[:, 2:6, 2:6])


def test_borders_break_it() -> None:
    """The outputs beyond the frame's far ends differ; before it, padding is like what follows."""
    found = translation(case_of("conv3-1 nobias", (1, 12, 12)))
    case = case_of("conv3-1 nobias", (1, 12, 12))
    after = case.by_torch(shift(case.image, 1, 2))
    moved = shift(case.by_torch(), 1, 2)
    differs = (after != moved)[0]
    rows, columns = found.matrices["inside"].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 10, 3, 10)
    assert not differs[2:11, 3:11].any()
    assert differs[11].any() and differs[:, 11].any()


def test_too_small_an_image() -> None:
    with pytest.raises(UserError) as caught:
        translation(case_of("conv5-1 valid", (1, 6, 6)))
    assert str(caught.value) == (
        "an image of 6 rows or columns is too small to be moved under a filter of 5 with stride 1. "
        "Give a larger --input, such as 1x16x16"
    )


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 1), (9, 0), (0, 9)])
def test_shifts(down: int, right: int) -> None:
    image = torch.arange(12.0).view(1, 3, 4)
    expected = torch.zeros(1, 20, 20)
    expected[:, down : down + 3, right : right + 4] = image
    assert torch.equal(shift(image, down, right), expected[:, :3, :4])
