"""One thing that is worth saying of a network, with its place in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from striate.errors import Problem, show_problem
from striate.graph import Graph, Node
from striate.layers import Pair
from striate.source import Span

Level = Literal["warning", "note"]


@dataclass(frozen=True)
class Lint:
    """What was found at one place: a warning is a loss, a note worth knowing and often meant."""

    rule: str
    level: Level
    message: str
    """What was found, its number, and the fix."""
    layers: tuple[str, ...]
    """The layers that it is about, by name."""
    line: int
    column: int
    span: Pair
    """The characters of the text, from and up to, of the first of them."""
    shown: str
    """The message with its place and an underline."""

    def to_json(self) -> dict[str, Any]:
        """The fields that docs/ledger.md promises."""
        kept = ("rule", "message", "layers", "line", "column", "span")
        return {field: getattr(self, field) for field in kept}


def found(graph: Graph, rule: str, level: Level, message: str, nodes: Sequence[Node]) -> Lint:
    """A lint at the place of the first of these nodes."""
    return at(graph, rule, level, Problem(message, nodes[0].span), [node.name for node in nodes])


def at(graph: Graph, rule: str, level: Level, problem: Problem, layers: Sequence[str]) -> Lint:
    """A lint for a problem whose place is known."""
    line, column = graph.source.position(problem.span.start)
    return Lint(
        rule=rule,
        level=level,
        message=problem.message,
        layers=tuple(layers),
        line=line,
        column=column,
        span=(problem.span.start, problem.span.end),
        shown=show_problem(graph.source, problem),
    )


def written(graph: Graph, node: Node) -> str:
    """A layer as its text says it, on one line."""
    return " ".join(graph.source.text[node.span.start : node.span.end].split())


def by_place(nodes: Sequence[Node]) -> list[list[Node]]:
    """Nodes that stand at one place of the text together, as those of a repetition do."""
    places: dict[Span, list[Node]] = {}
    for node in nodes:
        places.setdefault(node.span, []).append(node)
    return list(places.values())


def lengths(rows: int, columns: int) -> str:
    """`12 rows and columns`, or `12 rows and 1 column`."""
    if rows == columns:
        return f"{rows} rows and columns" if rows > 1 else "1 row and column"
    return f"{times(rows, 'row')} and {times(columns, 'column')}"


def times(count: int, word: str) -> str:
    """`1 layer`, `3 layers`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
