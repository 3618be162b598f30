"""Text to tokens: words, numbers, signs and line breaks, each with its place."""

from __future__ import annotations

import re
from typing import NamedTuple

from striate.notation.notes import Notes
from striate.source import Span

WORD, NUMBER, TIMES, NEWLINE, BAD, END = "word", "number", "x", "newline", "bad", "end"
"""Kinds of tokens; every other token is a sign, and its kind is the sign itself."""


class Token(NamedTuple):
    """One token. `text` is in lower case, with signs in their ASCII form."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """The token's place in the text."""
        return Span(self.start, self.end)


_TOKEN = re.compile(
    r"""
    (?P<skip>    (?: [^\S\n] | \ufeff | \#[^\n]* )+ )
  | (?P<newline> \n )
  | (?P<x>       (?<=[0-9}]) [xX] (?=[0-9{]) | × )
  | (?P<number>  (?: [0-9]+ (?:\.[0-9]+)? | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? )
  | (?P<word>    [A-Za-z_][A-Za-z0-9_]*[0-9] (?=[xX][{])
               | [A-Za-z_][A-Za-z0-9_]* (?: \.[0-9]+ )? )
  | (?P<quoted>  '[^'\n]*' | "[^"\n]*" )
  | (?P<arrow>   (?: ={1,4} | -{2,4} | ~{1,4} ) > )
  | (?P<sign>    -> | → | // | [][(){}|+*/%:,=?−–-] )
  | (?P<bad>     [^\sA-Za-z0-9_#×→−–+*/%:,=?|(){}[\]-]+ )
    """,
    re.VERBOSE,
)

_ASCII = {"→": "->", "−": "-", "–": "-"}


def tokenize(text: str, notes: Notes) -> list[Token]:
    """All tokens of a text, closed by one of kind END; characters of no meaning are reported.

    Line breaks that follow each other are one token.
    """
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or BAD
        if kind == "skip" or (kind == NEWLINE and tokens and tokens[-1].kind == NEWLINE):
            continue
        found = match.group()
        if kind == "sign":
            found = kind = _ASCII.get(found, found)
        elif kind in (BAD, "arrow", "quoted"):
            kind = BAD
            notes.add(_explain(found), Span(*match.span()))
        tokens.append(Token(kind, found.lower(), match.start(), match.end()))
    tokens.append(Token(END, "", len(text), len(text)))
    return tokens


def _explain(found: str) -> str:
    noun = "character" if len(found) == 1 else "characters"
    message = f"unexpected {noun} {found[:20]!r}"
    if '"' in found or "'" in found:
        return f"{message}. Words are written without quotes"
    if ">" in found:
        return f"{message}. Items are joined by '->'"
    if ";" in found:
        return f"{message}. Items are joined by '->'; a definition stands on a line of its own"
    if found == ".":
        return f"{message}. A number is written like 0.5, and items are joined by '->'"
    return f"{message}. A network is written in plain letters, digits and signs such as -> [ ] ( )"
