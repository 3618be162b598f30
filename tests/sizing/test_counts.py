"""What layers cost backwards: closed forms, and where the gradients end."""

from __future__ import annotations

import pytest

from striate import zoo
from striate.sizing import size


def backward(text: str) -> list[int]:
    return [row.backward_macs for row in size(text).rows if row.macs]


def test_each_product_comes_back_in_both_gradients() -> None:
    first, second = 8 * 3 * 9 * 64, 8 * 8 * 9 * 64
    assert backward("input 3x8x8 -> conv3-8 -> relu -> conv3-8 -> gap -> fc-5") == [
        first,  # of the weights alone: the image has no gradient
        2 * second,
        2 * 8 * 5,
    ]


def test_a_scale_before_the_first_filter_needs_its_gradient() -> None:
    assert backward("input 3x8x8 -> conv3-8") == [8 * 3 * 9 * 64]
    assert backward("input 3x8x8 -> pool2 -> conv3-8") == [8 * 3 * 9 * 16]
    assert backward("input 3x8x8 -> bn -> conv3-8") == [2 * 8 * 3 * 9 * 64]


def test_a_branch_of_the_image_alone_has_no_gradient_until_branches_meet() -> None:
    one = 4 * 4 * 64
    text = "input 4x8x8 -> (conv1-4 -> conv1-4 + id) -> conv1-4"
    assert backward(text) == [one, 2 * one, 2 * one]


def test_shared_weights_count_each_time() -> None:
    one = 3 * 3 * 9 * 64
    assert backward("input 3x8x8 -> a: conv3-3 -> again a -> again a") == [one, 2 * one, 2 * one]


def test_an_unpool_passes_gradients_to_its_values_and_not_to_the_places() -> None:
    """Where the maxima were is no value: behind it a filter sees the image alone."""
    text = "input 2x4x4 -> c: conv1-2 -> p: pool2 -> unpool p -> conv1-2"
    one = 2 * 2 * 16
    assert backward(text) == [one, 2 * one]


def test_a_mean_with_weights_of_its_own_has_the_gradient_of_its_input() -> None:
    assert backward("input 4x6x6 -> weightedpool3/3") == [0]
    assert backward("input 4x6x6 -> bn -> weightedpool3/3") == [4 * 4 * 9]


@pytest.mark.parametrize("name", zoo.names())
def test_a_step_is_three_times_the_forward_less_the_image(name: str) -> None:
    """All layers of the zoo but the first ones have both gradients."""
    ledger = size(name)
    first = sum(row.macs for row in ledger.rows if 0 < row.backward_macs == row.macs)
    assert ledger.totals.backward_macs == 2 * ledger.totals.macs - first
    assert all(row.macs or not row.backward_macs for row in ledger.rows)
    assert size(name, batch=3).totals.backward_macs == 3 * ledger.totals.backward_macs
