"""Chains and what they are made of: layers, uses of definitions, groups, branches, labels.

What cannot be read is noted, and reading goes on at the next join.
"""

from __future__ import annotations

import re
from typing import Literal

from striate.notation import hints
from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_arguments, read_value
from striate.notation.headers import at_header, at_input
from striate.notation.references import read_reference
from striate.notation.settings import check_plain, read_layer
from striate.notation.signs import JOINS, MEANINGS, SIGNS, at_end, at_sign, skip_to_join
from striate.notation.tokens import BAD, END, NEWLINE, NUMBER, TIMES, WORD, Token
from striate.notation.tree import (
    Branches,
    CallItem,
    Chain,
    Expression,
    From,
    Group,
    Item,
    Labelled,
    Tap,
)
from striate.notation.vocabulary import COUNT, REFERENCES, is_layer
from striate.source import Span

Place = Literal["top", "definition", "inside"]
"""Where a chain stands: it decides what a line break means."""


def read_chain(cursor: Cursor, place: Place) -> Chain:
    """Items up to the end of their place. Empty only where a problem has been noted."""
    start = cursor.token.start
    items: list[Item] = []
    while True:
        index = cursor.index
        try:
            item = _read_item(cursor)
            items.append(item)
            _refuse_after(cursor, item)
        except Unreadable:
            cursor.index = index
            skip_to_join(cursor)
        if not _join(cursor, place):
            break
    _refuse_doubled_labels(cursor, items)
    if not items:
        return Chain((), Span(start, start))
    return Chain(tuple(items), items[0].span | items[-1].span)


def _join(cursor: Cursor, place: Place) -> bool:
    """Past what joins an item to the next. False at the end of the chain."""
    if cursor.at(NEWLINE):
        if cursor.ahead().kind not in JOINS:
            return _join_lines(cursor, place)
        cursor.take()
    if at_sign(cursor) and place != "inside":
        _refuse_sign(cursor)
        cursor.skip_newlines()
        return not cursor.at(END)
    if at_end(cursor):
        return False
    while cursor.at(*JOINS):
        join = cursor.take()
        cursor.skip_newlines()
        if cursor.at(*JOINS):
            cursor.note("two joins follow each other. Keep one", cursor.token.span)
        elif at_end(cursor):
            cursor.note(f"nothing follows this '{join.text}'. Take it out", join.span)
            return False
    return True


def _join_lines(cursor: Cursor, place: Place) -> bool:
    after = cursor.ahead().kind
    if place == "inside":
        cursor.take()
        return after == END or not at_end(cursor)
    if place == "definition" or after == END or at_header(cursor, 1) or at_input(cursor, 1):
        return False
    cursor.take()
    return True


def _refuse_sign(cursor: Cursor) -> None:
    sign = cursor.take()
    cursor.note(
        f"'{sign.text}' stands between branches, and branches are in parentheses, "
        f"as in (conv3-64 {sign.text} id)",
        sign.span,
    )


def _read_item(cursor: Cursor) -> Item:
    token = cursor.token
    match token.kind:
        case "[":
            return _read_group(cursor)
        case "(":
            return _read_branches(cursor)
        case "word" if cursor.ahead().kind == ":":
            return _read_labelled(cursor)
        case "word" if token.text in cursor.definitions:
            return _read_call(cursor)
        case "word" if is_layer(token.text):
            return read_layer(cursor)
        case "word" if token.text in REFERENCES:
            return read_reference(cursor, lambda: _read_body(cursor))
        case "word":
            raise _unknown(cursor, token)
        case "{":
            raise cursor.failure("braces hold numbers, as in conv3-{2*c}. Layers go in [ … ]")
        case "number":
            raise cursor.failure(
                f"a layer begins with a word, as in conv3-64, and {cursor.found()} is a number"
            )
        case "->" | ",":
            raise cursor.failure(f"nothing stands before this '{token.text}'. Take it out")
        case _:
            raise cursor.failure(f"expected a layer such as conv3-64, found {cursor.found()}")


def _unknown(cursor: Cursor, token: Token) -> Unreadable:
    if cursor.ahead().kind == "=":
        return cursor.failure(
            f"a definition begins on a line of its own, so '{token.text} =' cannot stand here"
        )
    if token.text == "input":
        return cursor.failure("the input stands once, before the first layer")
    if token.text in cursor.parameters:
        return cursor.failure(
            f"'{token.text}' is a number here, not a layer. It may stand inside one, "
            f"as in conv3-{token.text}"
        )
    cursor.take()
    while cursor.glued and cursor.at(WORD, NUMBER, TIMES, "-", "/"):
        cursor.take()
    if cursor.glued and cursor.at(BAD):
        return Unreadable()
    span = cursor.since(token.start)
    return cursor.failure(hints.unknown_layer(cursor.written(span), cursor.definitions), span)


def _read_labelled(cursor: Cursor) -> Labelled:
    label = cursor.take()
    cursor.take()
    cursor.skip_newlines()
    if "." in label.text:
        cursor.note(
            f"'{cursor.written(label.span)}' is not a label: a label has no dots", label.span
        )
    if cursor.at(WORD) and cursor.ahead().kind == ":":
        second = cursor.written(cursor.token.span)
        raise cursor.failure(
            f"one item has two labels, '{cursor.written(label.span)}' and '{second}'. Keep one"
        )
    if cursor.at(*JOINS) or at_end(cursor):
        raise cursor.failure(
            f"nothing follows the label '{cursor.written(label.span)}'. "
            "A label stands before what it names, as in stem: conv7-64",
            Span(label.start, label.end + 1),
        )
    item = _read_item(cursor)
    assert not isinstance(item, Labelled)
    if isinstance(item, Tap):
        raise cursor.failure(
            f"a tap has its own name, and no label before it: tap {label.text}",
            cursor.since(label.start),
        )
    if isinstance(item, From):
        raise cursor.failure(
            f"from goes on from a value that has a label already, '{item.label.name}', "
            f"and takes no other: from {item.label.name}",
            cursor.since(label.start),
        )
    return Labelled(label.text, item, cursor.since(label.start))


def _read_call(cursor: Cursor) -> CallItem:
    token = cursor.take()
    has_parameters = bool(cursor.definitions[token.text])
    arguments: tuple[Expression, ...] = ()
    if cursor.at("(") and (cursor.glued or has_parameters):
        arguments = read_arguments(cursor)
    elif cursor.at("-", "/") and cursor.glued:
        form = f"{token.text}({', '.join(cursor.definitions[token.text])})"
        raise cursor.failure(f"a definition is given its values in parentheses: {form}")
    return CallItem(token.text, arguments, cursor.since(token.start))


def _read_group(cursor: Cursor) -> Group:
    start = cursor.token.start
    body = _read_body(cursor)
    count: Expression | None = None
    if cursor.at("*") and not at_sign(cursor):
        cursor.take()
        count = read_value(cursor, "*")
        check_plain(cursor, COUNT, count)
    return Group(body, count, cursor.since(start))


def _read_body(cursor: Cursor) -> Chain:
    """The chain in square brackets."""
    opening = cursor.take()
    cursor.skip_newlines()
    if cursor.at("]"):
        cursor.take()
        raise cursor.failure(
            "these brackets are empty. Put a chain inside", cursor.since(opening.start)
        )
    body = read_chain(cursor, "inside")
    while not cursor.at("]"):
        _refuse_sign(cursor)
        cursor.skip_newlines()
        if not cursor.at("]"):
            read_chain(cursor, "inside")
    cursor.take()
    return body


def _read_branches(cursor: Cursor) -> Branches:
    opening = cursor.take()
    branches = [_read_branch(cursor, opening)]
    signs: list[Token] = []
    while at_sign(cursor):
        signs.append(cursor.take())
        branches.append(_read_branch(cursor, signs[-1]))
    cursor.take()
    span = cursor.since(opening.start)
    if not signs:
        raise _one_branch(cursor, span)
    other = next((sign for sign in signs if sign.kind != signs[0].kind), None)
    if other is not None:
        one, two = signs[0].kind, other.kind
        cursor.note(
            f"'{one}' ({MEANINGS[one]}) and '{two}' ({MEANINGS[two]}) are mixed here. Put the "
            f"inner branches in parentheses of their own, as in (a {one} (b {two} c))",
            other.span,
        )
    return Branches(SIGNS[signs[0].kind], tuple(branches), span)


def _read_branch(cursor: Cursor, sign: Token) -> Chain:
    cursor.skip_newlines()
    if at_sign(cursor) or cursor.at(")"):
        if sign.kind != "(" or not cursor.at(")"):
            cursor.note("this branch is empty. Write id for one that changes nothing", sign.span)
        return Chain((), sign.span)
    return read_chain(cursor, "inside")


def _one_branch(cursor: Cursor, span: Span) -> Unreadable:
    inner = cursor.written(Span(span.start + 1, span.end - 1))
    if not inner:
        return cursor.failure("these parentheses are empty. Branches are written (a | b)", span)
    count = ""
    if cursor.at("*"):
        star = cursor.take().start
        read_value(cursor, "*")
        count = cursor.written(cursor.since(star))
    return cursor.failure(
        "parentheses hold branches, (a | b), (a + b) or (a * b), but here is only one. "
        f"To group layers, write [{inner}]{count}",
        span,
    )


def _refuse_after(cursor: Cursor, item: Item) -> None:
    """Notes what may not follow an item. Raises Unreadable where reading cannot go on."""
    if cursor.at("*") and not at_sign(cursor):
        _refuse_star(cursor, item)
    if cursor.at("?"):
        cursor.take()
        cursor.note(
            f"{hints.PATTERN}; a network says which: write it without '?' or leave it out",
            cursor.since(item.span.start),
        )
    if cursor.at(NEWLINE, *JOINS) or at_end(cursor):
        return
    if cursor.at(":"):
        raise cursor.failure(
            "a label is one name, as in stem: conv3-64. In a pasted listing, leave out what "
            "follows the layer: sizes are computed"
        )
    if cursor.at("="):
        raise cursor.failure(
            "a definition begins on a line of its own, with a name and '=', "
            "as in block(c) = conv3-c -> relu"
        )
    if isinstance(item, Group) and re.fullmatch("x[0-9]+", cursor.token.text):
        times = cursor.token.text[1:]
        raise cursor.failure(f"a repetition is written with a star: [ … ]*{times}")
    written, found = cursor.written(item.span), cursor.found()
    if not cursor.at(WORD, NUMBER, "[", "("):
        raise cursor.failure(f"expected '->' or a line break after '{written}', found {found}")
    cursor.note(f"expected '->' or a line break between '{written}' and {found}", cursor.token.span)


def _refuse_star(cursor: Cursor, item: Item) -> None:
    start = cursor.take().start
    read_value(cursor, "*")
    count = cursor.since(start)
    written = cursor.written(item.span)
    cursor.note(f"only [ … ] can be repeated: write [{written}]{cursor.written(count)}", count)


def _refuse_doubled_labels(cursor: Cursor, items: list[Item]) -> None:
    """A tap's name is one of the labels of its chain."""
    seen: set[str] = set()
    for item in items:
        if isinstance(item, Labelled):
            label, place = item.label, Span(item.span.start, item.span.start + len(item.label))
        elif isinstance(item, Tap):
            label, place = item.name, item.span
        else:
            continue
        if label in seen:
            cursor.note(f"the label '{label}' is used twice in this chain. Rename one", place)
        seen.add(label)
