from itertools import pairwise
from math import inf, isclose, log10, nan

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate.drawing.axes import linear_axis, log_axis, nice_ticks, tick_text

finite = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(finite, finite)
def test_ticks_are_few_round_even_and_inside(low, high):
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-6))
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    slack = 1e-6 * (high - low)
    assert low - slack <= ticks[0] and ticks[-1] <= high + slack
    steps = [b - a for a, b in pairwise(ticks)]
    step = steps[0]
    assert all(isclose(step, other, rel_tol=1e-3) for other in steps)
    mantissa = step / 10 ** round(log10(step) - 0.5)
    assert min(abs(mantissa - m) for m in (0.5, 1, 2, 2.5, 5, 10)) < 0.02
    assert ticks[0] - step < low + slack and ticks[-1] + step > high - slack


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        (0, 100, (0, 20, 40, 60, 80, 100)),
        (1, 40, (10, 20, 30, 40)),
        (-0.02, 0.03, (-0.02, -0.01, 0, 0.01, 0.02, 0.03)),
    ],
)
def test_usual_ranges(low, high, ticks):
    assert nice_ticks(low, high) == ticks


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, inf), (nan, 1)])
def test_a_range_without_a_length_has_no_ticks(low, high):
    with pytest.raises(ValueError, match="two finite ends"):
        nice_ticks(low, high)


@settings(deadline=None)
@given(finite, finite)
def test_an_axis_holds_its_values(low, high):
    low, high = min(low, high), max(low, high)
    axis = linear_axis(low, high)
    assert axis.low <= low and high <= axis.high and axis.low < axis.high
    assert 0 <= axis.share(low) <= axis.share(high) <= 1


@settings(deadline=None)
@given(st.floats(1e-12, 1e12), st.floats(1, 1e9))
def test_a_logarithmic_axis_holds_its_values_and_has_a_tick_when_a_decade_is_in(low, ratio):
    axis = log_axis(low, low * ratio)
    assert 0 <= axis.share(low) <= axis.share(low * ratio) <= 1
    assert all(-1e-6 <= axis.share(tick) <= 1 + 1e-6 for tick in axis.ticks)
    assert axis.ticks or ratio < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.25, "0.25"),
        (20000.0, "20,000"),
        (-1.5, "−1.5"),
        (1e-05, "1e−05"),
        (2.5e7, "2.5e+07"),
        (1.0, "1"),
    ],
)
def test_ticks_as_people_write_them(value, text):
    assert tick_text(value) == text
