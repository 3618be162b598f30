"""Brackets paired before anything is parsed, so that one missing bracket is one problem."""

from __future__ import annotations

from striate.notation.notes import Enough, Notes
from striate.notation.tokens import END, NEWLINE, WORD, Token
from striate.notation.vocabulary import MAX_NESTING

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {close: opening for opening, close in _CLOSING.items()}


def balance(tokens: list[Token], notes: Notes) -> list[Token]:
    """The tokens with every bracket paired.

    A bracket that was not closed is noted and closed where its surroundings end; a closing
    bracket without an opening one is noted and left out. Raises Enough where they nest too deep.
    """
    result: list[Token] = []
    stack: list[Token] = []

    def close_down_to(depth: int, place: int) -> None:
        while len(stack) > depth:
            opening = stack.pop()
            close = _CLOSING[opening.kind]
            notes.add(
                f"this '{opening.kind}' is never closed. Add the missing '{close}'", opening.span
            )
            _drop_newlines(result)
            result.append(Token(close, "", place, place))

    skip = 0
    for index, token in enumerate(tokens[:-1]):
        if skip:
            skip -= 1
            continue
        if stack and token.kind == NEWLINE and starts_definition(tokens, index + 1):
            close_down_to(0, token.start)
        if token.kind in _CLOSING:
            stack.append(token)
            _refuse_depth(stack, notes)
        elif token.kind in _OPENING:
            opening = _OPENING[token.kind]
            depth = max((i for i, t in enumerate(stack) if t.kind == opening), default=-1)
            if depth < 0:
                notes.add(
                    f"this '{token.kind}' closes nothing. Add the missing '{opening}' "
                    "or take it out",
                    token.span,
                )
                skip = 2 if tokens[index + 1].kind == "*" else 0
                continue
            close_down_to(depth + 1, token.start)
            stack.pop()
        result.append(token)
    end = tokens[-1]
    close_down_to(0, end.start)
    return [*result, end]


def _refuse_depth(stack: list[Token], notes: Notes) -> None:
    if len(stack) > MAX_NESTING:
        notes.add(
            f"brackets are nested more than {MAX_NESTING} deep here. "
            "Give an inner part a name on a line of its own: name = …",
            stack[-1].span,
        )
        raise Enough


def starts_definition(tokens: list[Token], index: int) -> bool:
    """Whether `name(…) =` stands at an index, on one line: that is never inside brackets."""
    if tokens[index].kind != WORD or tokens[index + 1].kind != "(":
        return False
    index, depth = index + 2, 1
    while depth and tokens[index].kind not in (NEWLINE, END):
        depth += (tokens[index].kind in _CLOSING) - (tokens[index].kind in _OPENING)
        index += 1
    return depth == 0 and tokens[index].kind == "="


def _drop_newlines(tokens: list[Token]) -> None:
    while tokens and tokens[-1].kind == NEWLINE:
        tokens.pop()
