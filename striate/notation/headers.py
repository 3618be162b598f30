"""The definitions that a text holds, found before its chains are read: they may stand anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from striate.notation.brackets import starts_definition
from striate.notation.cursor import Cursor
from striate.notation.tokens import NEWLINE, WORD, Token
from striate.notation.vocabulary import FUNCTIONS, is_layer


@dataclass(frozen=True)
class Header:
    """`name(a, b) =`."""

    name: Token
    parameters: tuple[str, ...]


def at_header(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether a definition begins at the cursor, or so many tokens ahead."""
    if cursor.ahead(ahead).kind != WORD:
        return False
    return cursor.ahead(ahead + 1).kind == "=" or starts_definition(
        cursor.tokens, cursor.index + ahead
    )


def find_headers(cursor: Cursor) -> None:
    """Notes the name and parameters of every definition in the cursor's `definitions`."""
    depth, at_line_start = 0, True
    for index, token in enumerate(cursor.tokens):
        cursor.index = index
        if at_line_start and depth == 0 and at_header(cursor):
            _note(cursor, read_header(cursor))
        depth += (token.kind in ("(", "[", "{")) - (token.kind in (")", "]", "}"))
        at_line_start = token.kind == NEWLINE
    cursor.index = 0


def read_header(cursor: Cursor) -> Header:
    """A definition up to its `=`, which `at_header` has seen."""
    name = cursor.take()
    parameters: list[str] = []
    while not cursor.at("="):
        token = cursor.take()
        if token.kind == WORD:
            parameters.append(token.text)
    cursor.take()
    return Header(name, tuple(parameters))


def _note(cursor: Cursor, header: Header) -> None:
    name = header.name
    written = cursor.written(name.span)
    if is_layer(name.text):
        cursor.note(f"'{written}' is a layer already. Give the definition another name", name.span)
    elif name.text in FUNCTIONS:
        cursor.note(
            f"'{written}' is a function of numbers. Give the definition another name", name.span
        )
    elif name.text == "input":
        cursor.note(
            "'input' is the network's input, written like 'input 3x224x224'. "
            "Give the definition another name",
            name.span,
        )
    elif "." in name.text:
        cursor.note(f"'{written}' is not a name: a name has no dots", name.span)
    elif name.text in cursor.definitions:
        cursor.note(f"'{written}' is defined twice. Give one of them another name", name.span)
    doubled = [p for p in header.parameters if header.parameters.count(p) > 1]
    if doubled:
        cursor.note(f"{written} has the parameter '{doubled[0]}' twice", name.span)
    cursor.definitions.setdefault(name.text, header.parameters)
