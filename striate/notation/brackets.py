"""Brackets paired before anything is parsed, so that one missing bracket is one problem."""

from __future__ import annotations

from striate.errors import Problem
from striate.notation.tokens import NEWLINE, NUMBER, WORD, Token
from striate.notation.vocabulary import MAX_NESTING
from striate.source import Span

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPENING = {close: opening for opening, close in _CLOSING.items()}


class TooDeepError(Exception):
    """Brackets nested beyond the limit."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.problem = Problem(
            f"brackets are nested more than {MAX_NESTING} deep here. "
            "Give the inner part a name of its own: name = …",
            span,
        )


def balance(tokens: list[Token], problems: list[Problem]) -> list[Token]:
    """The tokens with every bracket paired.

    A bracket that was not closed is reported and closed where its surroundings end; a closing
    bracket without an opening one is reported and left out. Raises TooDeepError.
    """
    result: list[Token] = []
    stack: list[Token] = []

    def close_down_to(depth: int, place: int) -> None:
        while len(stack) > depth:
            opening = stack.pop()
            problems.append(_unclosed(opening))
            _drop_newlines(result)
            result.append(Token(_CLOSING[opening.kind], "", place, place))

    skip = 0
    for index, token in enumerate(tokens[:-1]):
        if skip:
            skip -= 1
            continue
        if stack and token.kind == NEWLINE and starts_definition(tokens, index + 1):
            close_down_to(0, token.start)
        if token.kind in _CLOSING:
            stack.append(token)
            if len(stack) > MAX_NESTING:
                raise TooDeepError(token.span)
        elif token.kind in _OPENING:
            depth = _last(stack, _OPENING[token.kind])
            if depth < 0:
                problems.append(_stray(token))
                skip = 2 if tokens[index + 1].kind == "*" else 0
                continue
            close_down_to(depth + 1, token.start)
            stack.pop()
        result.append(token)
    end = tokens[-1]
    close_down_to(0, end.start)
    return [*result, end]


def starts_definition(tokens: list[Token], index: int) -> bool:
    """Whether `name(…) =` stands at an index: that is never inside brackets."""
    if tokens[index].kind != WORD or tokens[index + 1].kind != "(":
        return False
    index += 2
    while tokens[index].kind in (WORD, NUMBER, ","):
        index += 1
    return tokens[index].kind == ")" and tokens[index + 1].kind == "="


def _last(stack: list[Token], kind: str) -> int:
    return max((i for i, token in enumerate(stack) if token.kind == kind), default=-1)


def _drop_newlines(tokens: list[Token]) -> None:
    while tokens and tokens[-1].kind == NEWLINE:
        tokens.pop()


def _unclosed(token: Token) -> Problem:
    close = _CLOSING[token.kind]
    return Problem(f"this '{token.kind}' is never closed. Add the missing '{close}'", token.span)


def _stray(token: Token) -> Problem:
    opening = _OPENING[token.kind]
    return Problem(
        f"this '{token.kind}' closes nothing. Add the missing '{opening}' or take it out",
        token.span,
    )
