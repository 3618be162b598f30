"""Sizes as formulas."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.sizing.formulas import Formula, Step, constant

STEPS = st.lists(
    st.builds(Step, st.integers(0, 4), st.integers(-9, 9), st.integers(1, 6)), max_size=6
)


def evaluated(text: str, size: int) -> int:
    """What Python says of a formula as it is written."""
    return int(eval(text.replace("·", "*").replace("−", "-"), {"H": size}))


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(1, 500))
def test_what_is_written_is_what_the_steps_give_one_by_one(steps: list[Step], size: int) -> None:
    formula, value = Formula(), size
    for step in steps:
        formula = formula.then(step)
        value = (step.factor * value + step.offset) // step.divisor
    assert formula.at(size) == value
    assert evaluated(formula.written("H"), size) == value


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([], "H"),
        ([Step(1, 1, 2)], "(H+1)//2"),
        ([Step(1, 1, 2)] * 3, "(H−1)//8+1"),
        ([Step(1, 0, 2)] * 5, "H//32"),
        ([Step(1, 0, 2), Step(2, 0, 1)], "2·(H//2)"),
        ([Step(2, 0, 1), Step(1, 0, 2)], "H"),
        ([Step(1, -4, 1)], "H−4"),
        ([Step(3, 0, 1), Step(1, 0, 2)], "(3·H)//2"),
    ],
)
def test_formulas_are_simple(steps: list[Step], text: str) -> None:
    formula = Formula()
    for step in steps:
        formula = formula.then(step)
    assert formula.written("H") == text


def test_a_constant() -> None:
    assert constant(7).then(Step(1, 1, 2)).written("H") == "4"
