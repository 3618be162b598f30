"""The line `input CxHxW`."""

from __future__ import annotations

from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_braces, read_number
from striate.notation.settings import plain_value
from striate.notation.tokens import NUMBER, TIMES, WORD
from striate.notation.tree import Expression, Input
from striate.notation.vocabulary import CHANNELS, HEIGHT, WIDTH, ValueProblem, convert
from striate.source import Span


def read_input(cursor: Cursor) -> Input:
    """`input 3x224x224`, with the cursor at `input`; numbers may be `{expressions}`."""
    start = cursor.take().start
    if cursor.at(":") or cursor.at("["):
        raise _bracketed(cursor, start)
    sizes: list[Expression] = []
    while True:
        if cursor.at(NUMBER):
            sizes.append(read_number(cursor))
        elif cursor.at("{"):
            sizes.append(read_braces(cursor))
        else:
            raise _incomplete(cursor, start)
        if not (cursor.at(TIMES) or (cursor.at(WORD) and cursor.token.text == "x")):
            break
        cursor.take()
    span = cursor.since(start)
    if len(sizes) != 3:
        raise _incomplete(cursor, start)
    for setting, size in zip((CHANNELS, HEIGHT, WIDTH), sizes, strict=True):
        plain = plain_value(size)
        if plain is not None:
            try:
                convert(setting, plain)
            except ValueProblem as problem:
                cursor.note(f"input: {problem}", size.span)
    return Input(sizes[0], sizes[1], sizes[2], span)


def _incomplete(cursor: Cursor, start: int) -> Unreadable:
    return cursor.failure(
        "input needs three sizes, channels x height x width, as in 'input 3x224x224'",
        cursor.since(start),
    )


def _bracketed(cursor: Cursor, start: int) -> Unreadable:
    """`[224x224x3]`, as listings have it."""
    while cursor.at(":", "["):
        cursor.take()
    numbers = []
    while cursor.at(NUMBER, TIMES, WORD, ","):
        token = cursor.take()
        if token.kind == NUMBER:
            numbers.append(token.text)
    if cursor.at("]"):
        cursor.take()
    span: Span = cursor.since(start)
    if len(numbers) != 3:
        return _incomplete(cursor, start)
    return cursor.failure(
        "sizes stand without brackets, channels first: channels x height x width. "
        f"Write 'input {numbers[2]}x{numbers[0]}x{numbers[1]}'",
        span,
    )
