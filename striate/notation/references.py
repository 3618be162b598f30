"""`again stem`, `from stem`, `unpool p1`, `tap side [chain]`: items with words of their own."""

from __future__ import annotations

from collections.abc import Callable

from striate.notation.cursor import Cursor, Unreadable
from striate.notation.tokens import WORD, Token
from striate.notation.tree import Again, Chain, From, Name, Tap, Unpool
from striate.notation.vocabulary import AGAIN, FROM, OUTPUT, TAP, UNPOOL

_FORMS = {
    AGAIN: "again says what is used once more, by its label: again stem",
    FROM: "from says which value the line goes on from, by its label: from stem",
    UNPOOL: "unpool says whose indices it takes, by the label of that pool: unpool p1",
    TAP: "tap gives a side output a name: tap aux, or tap aux [ … ] with layers of its own",
}


def read_reference(cursor: Cursor, read_body: Callable[[], Chain]) -> Again | From | Unpool | Tap:
    """One of the four. The cursor stands at its word; `read_body` reads `[ … ]`."""
    word = cursor.take()
    name = _name(cursor, word)
    if word.text == AGAIN:
        return Again(Name(name.text, name.span), cursor.since(word.start))
    if word.text == FROM:
        return From(Name(name.text, name.span), cursor.since(word.start))
    if word.text == UNPOOL:
        return Unpool(Name(name.text, name.span), cursor.since(word.start))
    if name.text == OUTPUT:
        cursor.note(
            "'output' is the name of the network's own output. Give the tap another", name.span
        )
    body = read_body() if cursor.at("[") else None
    return Tap(name.text, body, cursor.since(word.start))


def _name(cursor: Cursor, word: Token) -> Token:
    if not cursor.at(WORD):
        raise _nameless(cursor, word)
    name = cursor.take()
    if "." in name.text:
        raise cursor.failure(
            f"'{cursor.written(name.span)}' is not a label: a label has no dots", name.span
        )
    return name


def _nameless(cursor: Cursor, word: Token) -> Unreadable:
    return cursor.failure(f"{_FORMS[word.text]}. Found {cursor.found()}", word.span)
