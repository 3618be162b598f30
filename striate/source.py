"""Places in a text: spans and the caret pictures that point at them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENDING = re.compile(r"\.[A-Za-z]\w*(?=$|\()")


@dataclass(frozen=True)
class Source:
    """A text with the name under which its reader knows it (a file, a zoo network, `<text>`)."""

    text: str
    name: str = "<text>"

    @property
    def stem(self) -> str:
        """`vgg16` for `nets/vgg16.net`, `network` for a text without a file."""
        name = self.name.replace("\\", "/").rsplit("/", 1)[-1]
        return "network" if not name or name.startswith("<") else _ENDING.sub("", name)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both counted from 1."""
        before = self.text[:offset]
        line = before.count("\n") + 1
        return line, offset - (before.rfind("\n") + 1) + 1

    def line_at(self, offset: int) -> str:
        """The whole line that holds a character, without its line end."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return self.text[start : len(self.text) if end < 0 else end]


@dataclass(frozen=True, order=True)
class Span:
    """A half-open range `[start, end)` of characters in a source text."""

    start: int
    end: int

    def __or__(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


_WIDEST_LINE = 100


def underline(source: Source, span: Span) -> str:
    """Two lines of text: the source line on which the span starts, and carets under the span.

    A span that runs over its line's end is underlined up to there; one that is empty gets one
    caret. Long lines are cut around the span so that both lines fit a terminal.
    """
    _, column = source.position(span.start)
    line = source.line_at(span.start).replace("\t", " ").rstrip()
    first = column - 1
    width = max(1, min(span.end - span.start, len(line) - first))
    if len(line) > _WIDEST_LINE:
        cut = max(0, min(first - 30, len(line) - _WIDEST_LINE))
        line = ("…" if cut else "") + line[cut : cut + _WIDEST_LINE]
        first -= cut - (1 if cut else 0)
        width = max(1, min(width, len(line) - first))
    return f"{line}\n{' ' * first}{'^' * width}"
