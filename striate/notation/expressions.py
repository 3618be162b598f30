"""Tokens to expressions: numbers, names, `+ - * / // %`, functions, parentheses, braces."""

from __future__ import annotations

import math

from striate.notation.arithmetic import LIMIT
from striate.notation.cursor import Cursor
from striate.notation.tokens import NUMBER, TIMES, WORD, Token
from striate.notation.tree import Apply, Binary, Expression, Name, Negative, Number, Size
from striate.notation.vocabulary import FUNCTIONS, MAX_OPERATORS, nearest

_SUM, _PRODUCT = ("+", "-"), ("*", "/", "//", "%")


def read_expression(cursor: Cursor) -> Expression:
    """An expression: inside braces, between parentheses of settings, as an argument."""
    start = cursor.index
    result = _sum(cursor)
    operators = sum(
        token.kind in (*_SUM, *_PRODUCT) for token in cursor.tokens[start : cursor.index]
    )
    if operators > MAX_OPERATORS:
        cursor.fail(
            f"this expression has {operators} operators, more than {MAX_OPERATORS}. "
            "Name parts of it: name = {…}",
            result.span,
        )
    return result


def read_value(cursor: Cursor, after: str) -> Expression:
    """A number, a name or `{expression}`: all that may follow a dash, a slash or a star."""
    token = cursor.token
    if token.kind == NUMBER:
        return read_number(cursor)
    if token.kind == WORD:
        cursor.take()
        return _name(cursor, token)
    if token.kind == "{":
        return read_braces(cursor)
    cursor.fail(f"expected a number, a name or {{…}} after '{after}', found {cursor.found()}")


def read_size(cursor: Cursor, first: Expression, letters: bool = False) -> Expression | Size:
    """What was read first, or the `3x5` that it begins."""
    spaced = letters and cursor.at(WORD) and cursor.token.text == "x"
    if not spaced and not (cursor.at(TIMES) and (letters or cursor.glued)):
        return first
    cursor.take()
    second = read_value(cursor, "x")
    return Size(first, second, first.span | second.span)


def read_number(cursor: Cursor) -> Number:
    """One number, as written."""
    token = cursor.take()
    return number(cursor, token.text, token)


def number(cursor: Cursor, text: str, token: Token) -> Number:
    """A number from its digits."""
    value = float(text)
    if not value < LIMIT or math.isinf(value):
        cursor.fail(
            f"{cursor.written(token.span)} is too large: numbers are below 2**53", token.span
        )
    return Number(value if any(c in text for c in ".e") else int(text), token.span)


def read_braces(cursor: Cursor) -> Expression:
    """`{expression}`."""
    cursor.take()
    cursor.skip_newlines()
    result = read_expression(cursor)
    cursor.skip_newlines()
    if not cursor.at("}"):
        cursor.fail(f"expected '}}' or an operator, found {cursor.found()}")
    cursor.take()
    return result


def _sum(cursor: Cursor) -> Expression:
    result = _product(cursor)
    while cursor.at(*_SUM):
        operator = cursor.take().kind
        right = _product(cursor)
        result = Binary(operator, result, right, result.span | right.span)
    return result


def _product(cursor: Cursor) -> Expression:
    result = _factor(cursor)
    while cursor.at(*_PRODUCT):
        operator = cursor.take().kind
        right = _factor(cursor)
        result = Binary(operator, result, right, result.span | right.span)
    return result


def _factor(cursor: Cursor) -> Expression:
    token = cursor.token
    match token.kind:
        case "number":
            return read_number(cursor)
        case "{":
            return read_braces(cursor)
        case "(":
            return _parentheses(cursor)
        case "word":
            cursor.take()
            return _apply(cursor, token) if cursor.at("(") else _name(cursor, token)
        case "-":
            signs = 0
            while cursor.at("-"):
                cursor.take()
                signs += 1
            if signs > 1:
                cursor.fail(
                    "two signs in a row. Write one, or use parentheses", cursor.since(token.start)
                )
            operand = _factor(cursor)
            return Negative(operand, token.span | operand.span)
    cursor.fail(f"expected a number or a name, found {cursor.found()}")


def _parentheses(cursor: Cursor) -> Expression:
    cursor.take()
    result = read_expression(cursor)
    if not cursor.at(")"):
        cursor.fail(f"expected ')' or an operator, found {cursor.found()}")
    cursor.take()
    return result


def _name(cursor: Cursor, token: Token) -> Name:
    if "." in token.text:
        cursor.fail(f"'{cursor.written(token.span)}' is not a name: a name has no dots", token.span)
    return Name(token.text, token.span)


def _apply(cursor: Cursor, word: Token) -> Apply:
    if word.text not in FUNCTIONS:
        near = nearest(word.text, FUNCTIONS)
        hint = f"Did you mean '{near}'?" if near else f"There are {', '.join(FUNCTIONS)}"
        cursor.fail(f"unknown function '{cursor.written(word.span)}'. {hint}", word.span)
    arguments = read_arguments(cursor)
    span = cursor.since(word.start)
    fewest, most = FUNCTIONS[word.text]
    if not fewest <= len(arguments) <= most:
        wanted = "at least 1 value" if fewest != most else f"{fewest} value{'s' * (fewest > 1)}"
        cursor.fail(f"{word.text} takes {wanted}, not {len(arguments)}", span)
    return Apply(word.text, arguments, span)


def read_arguments(cursor: Cursor) -> tuple[Expression, ...]:
    """`(expression, …)`, with the cursor at the opening parenthesis."""
    cursor.take()
    arguments: list[Expression] = []
    cursor.skip_newlines()
    while not cursor.at(")"):
        arguments.append(read_expression(cursor))
        cursor.skip_newlines()
        if cursor.at(","):
            cursor.take()
            cursor.skip_newlines()
        elif not cursor.at(")"):
            cursor.fail(f"expected ',' or ')' after a value, found {cursor.found()}")
    cursor.take()
    return tuple(arguments)
