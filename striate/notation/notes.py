"""The problems of one text, noted while it is read."""

from __future__ import annotations

from striate.errors import Problem
from striate.notation.vocabulary import MAX_PROBLEMS
from striate.source import Span


class Enough(Exception):  # noqa: N818
    """So many problems that reading on is of no use."""


class Notes:
    """Problems in the order in which they were found. Raises Enough at the last that is shown."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, message: str, span: Span) -> None:
        """Notes one problem."""
        self.problems.append(Problem(message, span))
        if len(self.problems) >= MAX_PROBLEMS:
            raise Enough
