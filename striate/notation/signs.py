"""What joins items: arrows and line breaks in a chain, signs between branches."""

from __future__ import annotations

from striate.notation.cursor import CLOSING, Cursor
from striate.notation.tokens import NEWLINE
from striate.notation.tree import Join
from striate.notation.vocabulary import begins_item

JOINS = ("->", ",")
SIGNS: dict[str, Join] = {"|": "concat", "+": "add", "*": "multiply"}
"""What the signs between branches stand for; a `*` may also be that of a repetition."""
MEANINGS = {"|": "join along depth", "+": "add", "*": "multiply"}


def at_sign(cursor: Cursor) -> bool:
    """Whether a sign between branches comes next.

    A `*` is one where an item follows, or what looks like a misspelt one; after `[ … ]` a plain
    name that is no item is the number of repetitions.
    """
    if not cursor.at("*"):
        return cursor.at(*SIGNS)
    after_group = cursor.index > 0 and cursor.before.kind == "]"
    ahead = 1
    while cursor.ahead(ahead).kind == NEWLINE:
        ahead += 1
    if cursor.ahead(ahead).kind == "word":
        return _is_item(cursor, ahead, after_group)
    return cursor.ahead(ahead).kind in ("[", "(", *(() if after_group else (")", *SIGNS)))


def _is_item(cursor: Cursor, ahead: int, after_group: bool) -> bool:
    word = cursor.ahead(ahead).text
    if cursor.ahead(ahead + 1).kind == ":" or begins_item(word):
        return True
    if word in cursor.constants or word in cursor.parameters:
        return False
    return word in cursor.definitions or not after_group


def at_end(cursor: Cursor) -> bool:
    """Whether a branch or the text ends here, or a bracket closes."""
    return cursor.at("end", *CLOSING) or at_sign(cursor)


def skip_to_join(cursor: Cursor) -> None:
    """To where the next item, the next branch or the end of the brackets may be."""
    cursor.skip_to(*JOINS, *SIGNS, NEWLINE)
    while cursor.at("*") and not at_sign(cursor):
        cursor.take()
        cursor.skip_to(*JOINS, *SIGNS, NEWLINE)
