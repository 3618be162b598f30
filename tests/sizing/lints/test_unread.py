"""Rows at the end that nothing reads, against the pixels that get a gradient in torch."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

RULE = "unread rows"


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.integers(4, 20),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    padding=st.integers(0, 2),
    behind=st.sampled_from(["", " -> conv1-1", " -> (conv1-1 | conv3-1) -> conv1-1"]),
)
def test_the_rows_lost_are_those_without_a_gradient(
    told, reach, size: int, kernel: int, stride: int, padding: int, behind: str
) -> None:
    assume(kernel >= stride and size + 2 * padding >= kernel)
    text = f"input 1x{size}x{size} -> conv{kernel}-1/{stride} p{padding}{behind}"
    read = reach(text).any(1)
    lost = size - 1 - int(read.nonzero().max())
    assert int((~read).sum()) == lost  # none inside: the filter is as wide as the stride
    lints = told(text, RULE)
    assert len(lints) == (lost > 0)
    if lost:
        lines = "row and column" if lost == 1 else f"{lost} rows and columns"
        assert f" leaves the last {lines} of its {size}×{size} input unread" in lints[0].message
        assert lints[0].layers == ("conv1",)


def test_another_branch_reads_them(told, reach) -> None:
    text = "input 1x9x9 -> (pool2 -> gap | conv3-1 -> gap)"
    assert told(text, RULE) == []
    assert reach(text).all()
