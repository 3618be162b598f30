"""Rows that strides pass over, against the pixels that get a gradient in torch."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RULE = "skipped rows"


def test_a_bare_stride(told) -> None:
    text = "input 3x32x32 -> conv1-8/2 -> gap"
    (lint,) = told(text, RULE)
    assert (lint.level, lint.layers, lint.line, lint.column) == ("note", ("conv1",), 1, 18)
    assert lint.shown == (
        "<text>:1:18: conv1-8/2 reads 16 of 32 rows and 16 of 32 columns, and nothing else reads "
        "the rest: 75% of the image goes nowhere. Give it a filter of at least 2×2, or write "
        "avgpool2 before it and leave its stride out\n"
        "  input 3x32x32 -> conv1-8/2 -> gap\n"
        "                   ^^^^^^^^^"
    )


def test_a_dilation_that_shares_a_factor_with_the_stride(told) -> None:
    (lint,) = told("input 3x8x32 -> bn -> conv3-8/2 d2", RULE)
    assert lint.message == (
        "conv3-8/2 d2 reads 4 of 8 rows and 16 of 32 columns, and nothing else reads the rest: 75% "
        "of the volume before it goes nowhere. Let its dilation share no factor with the stride of "
        "2, or write avgpool2 before it and leave its stride out"
    )


def test_a_dilation_with_few_places(told) -> None:
    (lint,) = told("input 1x6x6 -> conv3-1 d3 p1", RULE)
    assert lint.message == (
        "conv3-1 d3 p1 reads 4 of 6 rows and 4 of 6 columns, and nothing else reads the rest: 56% "
        "of the image goes nowhere. Take a dilation of at most 2, or pad it with same"
    )
    assert told("input 1x6x6 -> conv3-1 d2 p1", RULE) == []
    assert told("input 1x6x6 -> conv3-1 d3", RULE) == []


@pytest.mark.parametrize(
    "text",
    [
        "input 3x32x32 -> conv3-8/2 -> pool2",
        "input 3x32x32 -> (conv3-8/2 -> bn + conv1-8/2) -> gap",  # the body reads every row
        "input 3x33x33 -> conv3-8/2 d3",
        "input 3x33x33 -> bn -> tap early -> conv1-8/2",
        "input 3x33x33 -> pool2",  # the end alone is another rule's
    ],
)
def test_nothing_is_passed_over(told, text: str) -> None:
    assert told(text, RULE) == []


def test_branches_that_all_pass_over_the_same_rows(told) -> None:
    (lint,) = told("input 3x32x32 -> (conv1-8/2 | conv1-4/2) -> gap", RULE)
    assert lint.layers == ("conv1", "conv2")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.integers(6, 14),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    padding=st.integers(0, 2),
)
def test_the_counts_are_those_of_the_gradient(
    told, reach, size: int, kernel: int, stride: int, dilation: int, padding: int
) -> None:
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        return
    layer = f"conv{kernel}-1/{stride} d{dilation} p{padding}"
    text = f"input 1x{size}x{size} -> {layer}"
    read = reach(text).any(1)
    inner = read[: int(read.nonzero().max()) + 1]
    lints = told(text, RULE)
    assert bool(lints) == (not inner.all())
    if lints:
        count = int(read.sum())
        assert f" reads {count} of {size} rows and {count} of {size} columns" in lints[0].message
