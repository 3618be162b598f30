"""Expressions: values against Python's own, and every way to have none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.notation import ArithmeticProblem, Chain, Expression, Number, evaluate, parse
from striate.notation.arithmetic import divisible

BEFORE = "c = 64\nalpha = 0.75\nv = {"


def _expression(text: str) -> Expression:
    body = parse(f"{BEFORE}{text}}}\nrelu").definitions[-1].body
    assert not isinstance(body, Chain)
    return body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4*c", 256),
        ("c/2", 32),
        ("c//3", 21),
        ("c%3", 1),
        ("-7//2", -4),
        ("-7%3", 2),
        ("1 - 2 - 3", -4),
        ("2 + 3*4", 14),
        ("(2 + 3)*4", 20),
        ("64/4/2", 8),
        ("-(2 - 5)", 3),
        ("min(c, 3, 5)", 3),
        ("max(c, 3)", 64),
        ("round(2.5)", 3),
        ("round(-2.5)", -2),
        ("floor(-0.5)", -1),
        ("ceil(0.1)", 1),
        ("int(-2.9)", -2),
        ("divisible(alpha*32, 8)", 24),
        ("{c}*{2}", 128),
        ("1e3 + .5", 1000.5),
    ],
)
def test_value(text: str, value: float) -> None:
    assert evaluate(_expression(text), {"c": 64, "alpha": 0.75}) == value


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        max_leaves=6,
    )
)
def test_whole_numbers_are_exact(text: str) -> None:
    expected = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}

    def reckon(tokens: list[str]) -> int:
        token = tokens.pop(0)
        if token != "(":
            return int(token)
        left = reckon(tokens)
        operator = tokens.pop(0)
        right = reckon(tokens)
        tokens.pop(0)
        return expected[operator](left, right)

    tokens = text.replace("(", "( ").replace(")", " )").split()
    assert evaluate(_expression(text), {}) == reckon(tokens)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("c/(c - c)", "this is zero, and nothing can be divided by it", "c - c"),
        ("1%0", "this is zero, and nothing can be divided by it", "0"),
        ("1//0", "this is zero, and nothing can be divided by it", "0"),
        (
            "9007199254740991 + 1",
            "this is 9.01e+15, beyond the largest number, 2**53",
            "9007199254740991 + 1",
        ),
        ("1e15/1e-300", "this is inf, beyond the largest number, 2**53", "1e15/1e-300"),
        ("divisible(c, 0)", "divisible(x, n) needs a whole n of at least 1, not 0", "0"),
        ("divisible(c, 1.5)", "divisible(x, n) needs a whole n of at least 1, not 1.5", "1.5"),
        ("alpha", "'alpha' has no value here", "alpha"),
    ],
)
def test_no_value(text: str, message: str, place: str) -> None:
    with pytest.raises(ArithmeticProblem) as caught:
        evaluate(_expression(text), {"c": 64})
    assert caught.value.message == message
    start = len(BEFORE)
    span = caught.value.span
    assert text[span.start - start : span.end - start] == place


@given(st.floats(0.01, 1e6), st.integers(1, 64))
def test_divisible_keeps_its_promises(value: float, divisor: int) -> None:
    rounded = divisible(value, divisor)
    assert rounded % divisor == 0
    assert rounded >= max(divisor, 0.9 * value)
    assert rounded <= max(divisor, value + divisor)


def test_a_number_is_itself() -> None:
    assert evaluate(Number(math.pi, parse("relu").chain.span), {}) == math.pi
