"""Constants of a network set where it is used: `mobilenet_v2(alpha=0.5)`, `mine.net(width=32)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from striate.errors import NotationError
from striate.notation import ArithmeticProblem, Chain, evaluate, parse
from striate.notation.cursor import Cursor, Unreadable
from striate.notation.expressions import read_expression
from striate.notation.notes import Enough, Notes
from striate.notation.tokens import END, WORD, Token, tokenize
from striate.notation.tree import Definition
from striate.notation.vocabulary import nearest
from striate.source import Source, Span

Number = int | float


@dataclass(frozen=True)
class NetworkUse:
    """`network(…)` as a user wrote it: what stands before the parenthesis, and where that is."""

    network: str
    source: Source
    opening: int


def as_use(what: str) -> NetworkUse | None:
    """A text as one thing with parentheses behind it that hold all of the rest; None if it is not.

    Whether there is such a network is not asked.
    """
    text = what.strip()
    opening = _partner(text) if text.endswith(")") else -1
    name = text[:opening].rstrip()
    return NetworkUse(name, Source(text), opening) if opening > 0 and name else None


def _partner(text: str) -> int:
    """Where the parenthesis opens that the last character closes; -1 if none does."""
    depth = 0
    for i in range(len(text) - 1, -1, -1):
        depth += (text[i] == ")") - (text[i] == "(")
        if not depth:
            return i
    return -1


def constants(source: Source) -> dict[str, Definition]:
    """The definitions of a text that are numbers. Raises NotationError when the text is wrong."""
    found = parse(source.text, source.name).definitions
    return {each.name: each for each in found if not isinstance(each.body, Chain)}


def fill_in(source: Source, use: NetworkUse) -> Source:
    """The text with the constants that a use gives, and with a name that tells them.

    Raises NotationError, with the place in the use, for a constant that the text does not have or
    a value that is no number.
    """
    there = constants(source)
    given = _read(use, there)
    text = source.text
    for name in sorted(given, key=lambda name: there[name].span, reverse=True):
        span = there[name].span
        text = f"{text[: span.start]}{name} = {given[name]}{text[span.end :]}"
    shown = ", ".join(f"{name}={value}" for name, value in given.items())
    return Source(text, f"{source.name}({shown})")


def _read(use: NetworkUse, there: Mapping[str, Definition]) -> dict[str, Number]:
    """The values that a use gives, by the constant's name."""
    notes = Notes()
    values: dict[str, Number] = {}
    text = use.source.text
    blank = " " * use.opening  # so that places are those in the whole text
    try:
        cursor = Cursor(text, tokenize(blank + text[use.opening :], notes), notes)
        cursor.take()
        if cursor.at(")"):
            raise cursor.failure(_nothing_given(use.network, there), Span(0, len(text)))
        while not cursor.at(END):
            name = _name(cursor, use.network, there)
            if name.text in values:
                raise cursor.failure(f"'{name.text}' is given twice. Keep one", name.span)
            values[name.text] = _value(cursor)
            if not cursor.at(",", ")"):
                raise cursor.failure(f"expected ',' or ')' after a value, found {cursor.found()}")
            cursor.take()
            if cursor.at(")"):
                cursor.take()
    except (Unreadable, Enough):
        pass
    if notes.problems:
        raise NotationError(use.source, notes.problems)
    return values


def _name(cursor: Cursor, network: str, there: Mapping[str, Definition]) -> Token:
    """The name of a constant and the sign behind it, which are taken."""
    start = cursor.token
    if not cursor.at(WORD) or cursor.ahead().kind != "=":
        raise cursor.failure(
            f"expected a constant with its value, found {cursor.found()}. "
            + (_example(network, there) if there else _none(network)),
            start.span,
        )
    if start.text not in there:
        raise cursor.failure(_unknown(cursor.written(start.span), network, there), start.span)
    cursor.take()
    cursor.take()
    return start


def _value(cursor: Cursor) -> Number:
    start = cursor.token.start
    expression = read_expression(cursor)
    try:
        return evaluate(expression, {})
    except ArithmeticProblem as problem:
        place = cursor.since(start) if problem.span.start < start else problem.span
        raise cursor.failure(f"{problem.message}. Give a number", place) from None


def _unknown(name: str, network: str, there: Mapping[str, Definition]) -> str:
    if not there:
        return _none(network)
    near = nearest(name.lower(), there)
    guess = f" Did you mean '{near}'?" if near else ""
    return f"{network} has no constant '{name}'.{guess} It has {', '.join(there)}"


def _nothing_given(network: str, there: Mapping[str, Definition]) -> str:
    if not there:
        return f"{_none(network)}. Write {network} alone"
    return f"no constant is given. {_example(network, there)}, or {network} alone"


def _example(network: str, there: Mapping[str, Definition]) -> str:
    return f"Write {network}({', '.join(f'{name}=1' for name in there)})"


def _none(network: str) -> str:
    return (
        f"{network} has no constants that could be set. A line such as width = 64 in its text "
        "makes one"
    )
