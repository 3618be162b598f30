"""Tokens to expressions: numbers, names, `+ - * / // %`, functions, parentheses, braces."""

from __future__ import annotations

import math

from striate.notation.arithmetic import LIMIT
from striate.notation.cursor import Cursor
from striate.notation.tokens import END, NEWLINE, NUMBER, TIMES, WORD, Token
from striate.notation.tree import Apply, Binary, Expression, Name, Negative, Number, Size
from striate.notation.vocabulary import FUNCTIONS, MAX_OPERATORS, nearest
from striate.source import Span

_SUM, _PRODUCT = ("+", "-"), ("*", "/", "//", "%")


def read_expression(cursor: Cursor) -> Expression:
    """An expression: inside braces, between parentheses of settings, as an argument."""
    start = cursor.index
    result = _sum(cursor)
    operators = sum(
        token.kind in (*_SUM, *_PRODUCT) for token in cursor.tokens[start : cursor.index]
    )
    if operators > MAX_OPERATORS:
        raise cursor.failure(
            f"this expression has {operators} operators, more than {MAX_OPERATORS}. "
            "Name parts of it: name = {…}",
            result.span,
        )
    return result


def read_value(cursor: Cursor, after: str) -> Expression:
    """A number, a name or `{expression}`: all that may follow a dash, a slash or a star."""
    match cursor.token.kind:
        case "number":
            return read_number(cursor)
        case "word":
            return _name(cursor, cursor.take())
        case "{":
            return read_braces(cursor)
        case _:
            raise cursor.failure(
                f"expected a number, a name or {{…}} after '{after}', found {cursor.found()}"
            )


def read_constant(cursor: Cursor) -> Expression:
    """What may stand for a constant: a number, or `{expression}`, alone on its line."""
    start = cursor.token
    if cursor.at("{"):
        result = read_braces(cursor)
    else:
        sign = cursor.take() if cursor.at("-") else None
        if not cursor.at(NUMBER):
            raise cursor.failure(f"expected a number after '-', found {cursor.found()}")
        result = read_number(cursor)
        if sign is not None:
            result = Negative(result, sign.span | result.span)
    if not cursor.at(NEWLINE, END):
        written = cursor.written(Span(start.start, cursor.line_end()))
        raise cursor.failure(
            f"expected the end of the line after a number, found {cursor.found()}. "
            f"A calculation stands in braces: {{{written}}}"
        )
    return result


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
        raise cursor.failure(
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
        raise cursor.failure(f"expected '}}' or an operator, found {cursor.found()}")
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
            return _negative(cursor)
        case _:
            raise cursor.failure(f"expected a number or a name, found {cursor.found()}")


def _negative(cursor: Cursor) -> Negative:
    sign = cursor.take()
    if cursor.at("-"):
        raise cursor.failure("two signs in a row. Write one, or use parentheses")
    operand = _factor(cursor)
    return Negative(operand, sign.span | operand.span)


def _parentheses(cursor: Cursor) -> Expression:
    cursor.take()
    result = read_expression(cursor)
    if not cursor.at(")"):
        raise cursor.failure(f"expected ')' or an operator, found {cursor.found()}")
    cursor.take()
    return result


def _name(cursor: Cursor, token: Token) -> Name:
    if "." in token.text:
        raise cursor.failure(
            f"'{cursor.written(token.span)}' is not a name: a name has no dots", token.span
        )
    return Name(token.text, token.span)


def _apply(cursor: Cursor, word: Token) -> Apply:
    if word.text not in FUNCTIONS:
        near = nearest(word.text, FUNCTIONS)
        hint = f"Did you mean '{near}'?" if near else f"There are {', '.join(FUNCTIONS)}"
        raise cursor.failure(f"unknown function '{cursor.written(word.span)}'. {hint}", word.span)
    arguments = read_arguments(cursor)
    span = cursor.since(word.start)
    fewest, most = FUNCTIONS[word.text]
    if not fewest <= len(arguments) <= most:
        wanted = "at least 1 value" if fewest != most else f"{fewest} value{'s' * (fewest > 1)}"
        raise cursor.failure(f"{word.text} takes {wanted}, not {len(arguments)}", span)
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
            raise cursor.failure(f"expected ',' or ')' after a value, found {cursor.found()}")
    cursor.take()
    return tuple(arguments)
