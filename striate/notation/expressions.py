"""Tokens to expressions: numbers, names, `+ - * / // %`, functions, parentheses, braces."""

from __future__ import annotations

from collections.abc import Callable

from striate.notation import hints
from striate.notation.arithmetic import LIMIT
from striate.notation.cursor import Cursor
from striate.notation.tokens import END, NEWLINE, NUMBER, TIMES, WORD, Token
from striate.notation.tree import Apply, Binary, Expression, Name, Negative, Number, Size
from striate.notation.vocabulary import FUNCTIONS, MAX_OPERATIONS
from striate.source import Span

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}
"""How tightly each operator binds."""


def read_expression(cursor: Cursor) -> Expression:
    """An expression: inside braces, between parentheses of settings, as an argument."""
    return _Reader(cursor).operations()


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


def read_size(cursor: Cursor, first: Expression, spaced: bool = False) -> Expression | Size:
    """What was read first, or the `3x5` that it begins; `spaced` allows `3 x 5`."""
    word = spaced and cursor.at(WORD) and cursor.token.text == "x"
    if not word and not (cursor.at(TIMES) and (spaced or cursor.glued)):
        return first
    cursor.take()
    second = read_value(cursor, "x")
    return Size(first, second, first.span | second.span)


def read_number(cursor: Cursor) -> Number:
    """One number, as written."""
    token = cursor.take()
    return number(cursor, token.text, token.span)


def number(cursor: Cursor, text: str, span: Span) -> Number:
    """A number from its digits."""
    value = float(text)
    if not value < LIMIT:
        raise cursor.failure(f"{cursor.written(span)} is too large: numbers are below 2**53", span)
    return Number(value if "." in text or "e" in text else int(value), span)


def read_braces(cursor: Cursor) -> Expression:
    """`{expression}`."""
    return _Reader(cursor).enclosed()


def read_arguments(cursor: Cursor) -> tuple[Expression, ...]:
    """`(expression, …)`, each of them on its own. The cursor stands at the parenthesis."""
    return _listed(cursor, lambda: read_expression(cursor))


def _listed(cursor: Cursor, read: Callable[[], Expression]) -> tuple[Expression, ...]:
    cursor.take()
    found: list[Expression] = []
    cursor.skip_newlines()
    while not cursor.at(")"):
        found.append(read())
        cursor.skip_newlines()
        if cursor.at(","):
            cursor.take()
            cursor.skip_newlines()
        elif not cursor.at(")"):
            raise cursor.failure(f"expected ',' or ')' after a value, found {cursor.found()}")
    cursor.take()
    return tuple(found)


class _Reader:
    """Reads one expression by recursive descent, and counts its operations."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.count = 0

    def operations(self, weakest: int = 1) -> Expression:
        """Factors and the operators between them that bind at least so tightly."""
        cursor = self.cursor
        result = self.factor()
        while PRECEDENCE.get(cursor.token.kind, 0) >= weakest:
            operator = cursor.take()
            self.operation(operator)
            right = self.operations(PRECEDENCE[operator.kind] + 1)
            result = Binary(operator.kind, result, right, result.span | right.span)
        return result

    def operation(self, token: Token) -> None:
        """Counts one operator or function."""
        self.count += 1
        if self.count > MAX_OPERATIONS:
            raise self.cursor.failure(
                f"this expression has more than {MAX_OPERATIONS} operators and functions. "
                "Give parts of it a name on a line of their own: name = {…}",
                token.span,
            )

    def factor(self) -> Expression:
        cursor = self.cursor
        token = cursor.token
        match token.kind:
            case "number":
                return read_number(cursor)
            case "(" | "{":
                return self.enclosed()
            case "word":
                cursor.take()
                return self.apply(token) if cursor.at("(") else _name(cursor, token)
            case "-":
                return self.negative()
            case _:
                raise cursor.failure(f"expected a number or a name, found {cursor.found()}")

    def enclosed(self) -> Expression:
        """`(expression)` or `{expression}`."""
        cursor = self.cursor
        close = ")" if cursor.take().kind == "(" else "}"
        cursor.skip_newlines()
        result = self.operations()
        cursor.skip_newlines()
        if not cursor.at(close):
            raise cursor.failure(f"expected '{close}' or an operator, found {cursor.found()}")
        cursor.take()
        return result

    def negative(self) -> Negative:
        cursor = self.cursor
        sign = cursor.take()
        self.operation(sign)
        if cursor.at("-"):
            raise cursor.failure("two signs follow each other. Keep one, or use parentheses")
        operand = self.factor()
        return Negative(operand, sign.span | operand.span)

    def apply(self, word: Token) -> Apply:
        """A function, with the cursor behind its name."""
        cursor = self.cursor
        self.operation(word)
        if word.text not in FUNCTIONS:
            raise cursor.failure(hints.unknown_function(cursor.written(word.span)), word.span)
        arguments = _listed(cursor, self.operations)
        span = cursor.since(word.start)
        fewest, most = FUNCTIONS[word.text]
        if not fewest <= len(arguments) <= most:
            values = "at least 1 value" if fewest != most else f"{fewest} value{'s' * (fewest > 1)}"
            raise cursor.failure(f"{word.text} takes {values}, not {len(arguments)}", span)
        return Apply(word.text, arguments, span)


def _name(cursor: Cursor, token: Token) -> Name:
    if "." in token.text:
        raise cursor.failure(
            f"'{cursor.written(token.span)}' is not a name: a name has no dots", token.span
        )
    return Name(token.text, token.span)
