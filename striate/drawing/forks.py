"""Branches as boxes: rows that leave one line, run side by side and meet in a symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from striate.drawing.boxes import WIRE, WIRE_WIDTH, Box, wire
from striate.drawing.scene import GREY, WHITE, Circle, Group, Line, Rect, Shape, Text, text_width
from striate.drawing.style import MERGE, shade

RADIUS = 5.5
_BAR = 5.0
_SPLIT = 14.0
_TURN = 6.0
_BEFORE_JOIN = 16.0
_BYPASS = 9.0
_NOTE_SIZE = 7.0


@dataclass(frozen=True)
class _Row:
    """A branch (None: the identity) and where its axis is, below the main axis."""

    box: Box | None
    y: float


def fork(
    branches: Sequence[Box | None], main: int | None, kind: str, note: str, told: str, gap: float
) -> Box:
    """Branches that split on the left and meet on the right in ⊕ (`add`), ⊗ (`multiply`) or a bar
    (`concat`).

    `None` is an identity branch, drawn as a line around the others. `main` is the branch that stays
    on the axis; without one all stand around it. `note` stands under the symbol.
    """
    rows = _arranged(branches, main, gap)
    widest = max((row.box.width for row in rows if row.box), default=0.0)
    join_x = _SPLIT + widest + _BEFORE_JOIN
    around = sum(row.box is not None for row in rows) < 2
    shapes: list[Shape] = []
    for row in rows:
        shapes += _in(row)
        if row.box:
            shapes += row.box.at(_SPLIT, row.y)
        shapes += _out(row, join_x, to_bar=kind == "concat" and not around)
    low, high = min(row.y for row in rows), max(row.y for row in rows)
    bar = (-9.0, 9.0) if around else (low - 7, high + 7)
    symbol = _bar(join_x, *bar) if kind == "concat" else _ring(join_x, kind)
    foot = bar[1] if kind == "concat" else RADIUS
    if note:
        symbol = (*symbol, Text(join_x, foot + 9.5, note, _NOTE_SIZE, "middle", colour=GREY))
        foot += 12
    shapes.append(Group(told, symbol))
    half = max(RADIUS, text_width(note, _NOTE_SIZE) / 2)
    return Box(
        width=join_x + half,
        above=max(-low + 4, *(_above(row) - row.y for row in rows)),
        below=max(foot, *((row.box.below if row.box else 4) + row.y for row in rows)),
        shapes=tuple(shapes),
        enter=0,
        leave=join_x + (_BAR / 2 if kind == "concat" else RADIUS),
        head=False,
    )


def _above(row: _Row) -> float:
    return row.box.above if row.box else 4.0


def _arranged(branches: Sequence[Box | None], main: int | None, gap: float) -> list[_Row]:
    """The rows from top to bottom: identities first and the main branch last, or as given."""
    if main is None:
        return _stacked(list(branches), gap, on_axis=None)
    others = [box for i, box in enumerate(branches) if i != main]
    others.sort(key=lambda box: box is not None)
    return _stacked([*others, branches[main]], gap, on_axis=-1)


def _stacked(boxes: list[Box | None], gap: float, on_axis: int | None) -> list[_Row]:
    places = [0.0]
    for upper, lower in pairwise(boxes):
        between = gap if upper and lower else _BYPASS
        reach = (upper.below if upper else 0) + (lower.above if lower else 0)
        places.append(places[-1] + reach + between)
    axis = (places[0] + places[-1]) / 2 if on_axis is None else places[on_axis]
    return [_Row(box, y - axis) for box, y in zip(boxes, places, strict=True)]


def _in(row: _Row) -> tuple[Shape, ...]:
    if row.box is None or row.box.begins:
        return ()
    end = (_SPLIT + row.box.enter, row.y)
    if row.y == 0:
        return wire((0, 0), end, head=row.box.head)
    return wire((0, 0), (_TURN, 0), (_TURN, row.y), end, head=row.box.head)


def _out(row: _Row, join_x: float, *, to_bar: bool) -> tuple[Shape, ...]:
    start = [(_SPLIT + row.box.leave, row.y)] if row.box else [(0.0, 0.0), (_TURN, 0.0)]
    if row.box is None and row.y:
        start.append((_TURN, row.y))
    if to_bar or row.y == 0:
        stop = _BAR / 2 if to_bar else RADIUS
        return wire(*start, (join_x - stop, row.y), head=True)
    end = -RADIUS if row.y < 0 else RADIUS
    return wire(*start, (join_x, row.y), (join_x, end), head=True)


OTHER = "other"
"""How the legend calls the joins without a sign of their own."""
_ARMS = {"add": ((0.6, 0.0), (0.0, 0.6)), "multiply": ((0.42, 0.42), (-0.42, 0.42))}
"""From the middle to the end of both strokes, in radii."""


def _ring(x: float, kind: str) -> tuple[Shape, ...]:
    """⊕ or ⊗; ○ for what has no sign of its own."""
    arms = [(RADIUS * dx, RADIUS * dy) for dx, dy in _ARMS.get(kind, ())]
    return (
        Circle(x, 0, RADIUS, WHITE, WIRE, WIRE_WIDTH),
        *(Line(((x - dx, -dy), (x + dx, dy)), WIRE, 1.1) for dx, dy in arms),
    )


def _bar(x: float, top: float, bottom: float) -> tuple[Shape, ...]:
    edge = shade(MERGE.fill, -0.45)
    return (Rect(x - _BAR / 2, top, _BAR, bottom - top, MERGE.fill, edge, 0.7, 1.5),)


def sample(kind: str, x: float, y: float) -> tuple[Shape, ...]:
    """The symbol of a join for the legend, centred at `(x, y)`."""
    symbol = _bar(0, -6, 6) if kind == "concat" else _ring(0, kind)
    return Box(0, 0, 0, symbol, 0, 0).at(x, y)
