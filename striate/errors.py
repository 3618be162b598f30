"""Everything that Striate raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.source import Source, Span, underline


class StriateError(Exception):
    """A failure that is told in one message, without a traceback."""

    exit_status = 1


class UserError(StriateError):
    """A mistake in what the user gave: the message says what was found, expected, and the fix."""

    exit_status = 2


class UnwrittenError(UserError):
    """A torch network that the notation has no words for."""


class InterruptedRunError(StriateError):
    """Ctrl-C after a training, while it was tested or shown: the message says what there is."""

    exit_status = 130


_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "could not create a primitive")
"""What torch says on a CPU, CUDA, and oneDNN, which makes the code of a convolution in memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Python's own error, or torch's, which is known by its text and not imported for it."""
    told = isinstance(error, RuntimeError) and any(each in str(error) for each in _OUT_OF_MEMORY)
    return told or isinstance(error, MemoryError)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong at one place of a text."""

    message: str
    span: Span


def show_problem(source: Source, problem: Problem) -> str:
    """A problem as people see it: its place, its message, and the text underlined."""
    line, column = source.position(problem.span.start)
    picture = "\n".join(f"  {row}" for row in underline(source, problem.span).split("\n"))
    return f"{source.name}:{line}:{column}: {problem.message}\n{picture}"


class NotationError(UserError):
    """One or more problems in a network's text, each shown with its line and an underline."""

    def __init__(self, source: Source, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.span))
        super().__init__("\n\n".join(show_problem(source, each) for each in self.problems))


class ShapeError(NotationError):
    """A network that reads well but whose volumes do not fit together."""
