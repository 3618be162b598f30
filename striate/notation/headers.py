"""The definitions that a text holds, found before its chains are read: they may stand anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from striate.notation.brackets import starts_definition
from striate.notation.cursor import CLOSING, OPENING, Cursor
from striate.notation.tokens import NEWLINE, NUMBER, WORD, Token
from striate.notation.vocabulary import FUNCTIONS, REFERENCES, is_layer


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


def at_input(cursor: Cursor, ahead: int = 0) -> bool:
    """Whether the line of the input begins at the cursor, or so many tokens ahead."""
    token = cursor.ahead(ahead)
    return token.kind == WORD and token.text == "input"


def find_headers(cursor: Cursor) -> None:
    """Fills the cursor's `definitions` and `constants`, and notes names that cannot be used."""
    depth, at_line_start = 0, True
    for index, token in enumerate(cursor.tokens):
        cursor.index = index
        if at_line_start and depth == 0 and at_header(cursor):
            _declare(cursor, read_header(cursor, quiet=False))
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        at_line_start = token.kind == NEWLINE
    cursor.index = 0


def read_header(cursor: Cursor, *, quiet: bool = True) -> Header:
    """A definition up to its `=`, which `at_header` has seen; `quiet` once it has been checked."""
    name = cursor.take()
    parameters: dict[str, None] = {}
    depth = 0
    while depth or not cursor.at("="):
        token = cursor.take()
        depth += (token.kind in OPENING) - (token.kind in CLOSING)
        is_name = token.kind == WORD and "." not in token.text and token.text not in parameters
        if is_name:
            parameters[token.text] = None
        elif not quiet and token.kind not in ("(", ")", ","):
            form = f"{name.text}({', '.join(parameters)})"
            cursor.note(f"parameters are names, each once, without defaults: {form}", token.span)
            quiet = True
    cursor.take()
    return Header(name, tuple(parameters))


def _declare(cursor: Cursor, header: Header) -> None:
    name = header.name
    written = cursor.written(name.span)
    another = "Give the definition another name"
    if cursor.at(NUMBER, "-", "{"):
        cursor.constants.add(name.text)
    if is_layer(name.text):
        cursor.note(f"'{written}' is a layer already. {another}", name.span)
        return
    if name.text in REFERENCES:
        cursor.note(f"'{written}' is a word of the notation already. {another}", name.span)
        return
    if name.text in FUNCTIONS:
        cursor.note(f"'{written}' is a function of numbers. {another}", name.span)
    elif name.text == "input":
        cursor.note("the network's input is written without '=', as in input 3x224x224", name.span)
    elif "." in name.text:
        cursor.note(f"'{written}' is not a name: a name has no dots", name.span)
    elif name.text in cursor.definitions:
        cursor.note(f"'{written}' is defined twice. Give one of them another name", name.span)
    cursor.definitions.setdefault(name.text, header.parameters)
