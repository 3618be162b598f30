"""The line `input CxHxW`."""

from __future__ import annotations

from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_braces, read_number
from striate.notation.settings import check_plain
from striate.notation.tokens import NUMBER, TIMES, WORD
from striate.notation.tree import Expression, Input
from striate.notation.vocabulary import CHANNELS, HEIGHT, WIDTH


def read_input(cursor: Cursor) -> Input:
    """`input 3x224x224`, where a number may be `{expression}`. The cursor stands at `input`."""
    start = cursor.take().start
    if cursor.at(":", "[", "("):
        raise _bracketed(cursor, start)
    sizes = [_read_size(cursor, start)]
    while cursor.at(TIMES) or (cursor.at(WORD) and cursor.token.text == "x"):
        cursor.take()
        sizes.append(_read_size(cursor, start))
    if len(sizes) != 3:
        raise _incomplete(cursor, start)
    for setting, size in zip((CHANNELS, HEIGHT, WIDTH), sizes, strict=True):
        check_plain(cursor, setting, size, of="input: ")
    return Input(sizes[0], sizes[1], sizes[2], cursor.since(start))


def _read_size(cursor: Cursor, start: int) -> Expression:
    if cursor.at(NUMBER):
        return read_number(cursor)
    if cursor.at("{"):
        return read_braces(cursor)
    raise _incomplete(cursor, start)


def _incomplete(cursor: Cursor, start: int) -> Unreadable:
    return cursor.failure(
        "input needs three sizes, channels x height x width, as in input 3x224x224",
        cursor.since(start),
    )


def _bracketed(cursor: Cursor, start: int) -> Unreadable:
    """`[224x224x3]`, as listings have it."""
    while cursor.at(":", "[", "("):
        cursor.take()
    numbers = []
    while cursor.at(NUMBER, TIMES, WORD, ","):
        token = cursor.take()
        if token.kind == NUMBER:
            numbers.append(token.text)
    if cursor.at("]", ")"):
        cursor.take()
    if len(numbers) != 3:
        return _incomplete(cursor, start)
    last_is_channels = float(numbers[2]) < float(numbers[0])
    channels_first = [numbers[2], *numbers[:2]] if last_is_channels else numbers
    return cursor.failure(
        "the input's size stands without brackets, channels first: channels x height x width. "
        f"Write input {'x'.join(channels_first)}",
        cursor.since(start),
    )
