"""The numbers behind expressions. Every result is finite and exact enough: `|value| < 2**53`."""

from __future__ import annotations

import math
from collections.abc import Mapping

from striate.notation.tree import Apply, Binary, Expression, Name, Negative, Number
from striate.source import Span

LIMIT = 2**53


class ArithmeticProblem(Exception):  # noqa: N818
    """An expression without a value, and the place that is to blame."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.span = span


def evaluate(expression: Expression, environment: Mapping[str, int | float]) -> int | float:
    """The value of an expression, given those of its names.

    Raises ArithmeticProblem for a name without a value, a division by zero or a result beyond
    `2**53`.
    """
    match expression:
        case Number(value):
            return value
        case Name(name):
            if name not in environment:
                raise ArithmeticProblem(f"'{name}' has no value here", expression.span)
            return environment[name]
        case Negative(operand):
            return -evaluate(operand, environment)
        case Binary(operator, left, right):
            value = _operate(
                operator, evaluate(left, environment), evaluate(right, environment), right.span
            )
        case Apply(function, arguments):
            value = _apply(
                function, [evaluate(argument, environment) for argument in arguments], expression
            )
    return _bounded(value, expression.span)


def divisible(value: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to a value, at least `divisor`, and above 0.9 · value.

    The rounding of channels in MobileNetV2's published code (Sandler et al. 2018).
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _operate(operator: str, left: int | float, right: int | float, span: Span) -> int | float:
    if operator in ("/", "//", "%") and right == 0:
        raise ArithmeticProblem("this is zero, and nothing can be divided by it", span)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "//":
            return left // right
        case _:
            return left % right


def _apply(function: str, values: list[int | float], call: Apply) -> int | float:
    match function:
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "round":
            return math.floor(values[0] + 0.5)
        case "floor":
            return math.floor(values[0])
        case "ceil":
            return math.ceil(values[0])
        case "int":
            return int(values[0])
        case _:
            divisor = values[1]
            if divisor != int(divisor) or divisor < 1:
                raise ArithmeticProblem(
                    f"divisible(x, n) needs a whole n of at least 1, not {divisor:g}",
                    call.arguments[1].span,
                )
            return divisible(values[0], int(divisor))


def _bounded(value: int | float, span: Span) -> int | float:
    if not abs(value) < LIMIT:
        raise ArithmeticProblem(f"this is {value:.3g}, beyond the largest number, 2**53", span)
    return value
