"""Boxes on an axis: how pieces of a picture are put beside, above and around each other.

A box's own origin is its left end on the axis, the line along which data flows to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

from striate.drawing.scene import GREY, Line, Point, Polygon, Shape, Text, moved

WIRE = "#555555"
WIRE_WIDTH = 0.9
_HEAD = (5.0, 2.2)


@dataclass(frozen=True)
class Box:
    """Shapes with the room they take: `width`, and how far `above` and `below` the axis.

    A line comes in at `enter` and goes out at `leave`. `head` says whether the line that comes in
    ends in an arrow head there, and `begins` that none comes in.
    """

    width: float
    above: float
    below: float
    shapes: tuple[Shape, ...]
    enter: float
    leave: float
    head: bool = True
    begins: bool = False

    def at(self, x: float, y: float) -> tuple[Shape, ...]:
        """The shapes with the box's origin moved to `(x, y)`."""
        return tuple(moved(shape, x, y) for shape in self.shapes)


def wire(*points: Point, head: bool = False, radius: float = 4.0) -> tuple[Shape, ...]:
    """A connecting line with rounded corners, and a head at its end if wanted."""
    rounded = _rounded(points, radius)
    if not head:
        return (Line(rounded, WIRE, WIRE_WIDTH),)
    (x0, y0), (x, y) = rounded[-2:]
    length = hypot(x - x0, y - y0)
    if length < _HEAD[0]:
        return (Line(rounded, WIRE, WIRE_WIDTH),)
    u, v = (x - x0) / length, (y - y0) / length
    back = (x - _HEAD[0] * u, y - _HEAD[0] * v)
    side = (_HEAD[1] * v, -_HEAD[1] * u)
    wings = ((back[0] + side[0], back[1] + side[1]), (back[0] - side[0], back[1] - side[1]))
    line = Line((*rounded[:-1], back), WIRE, WIRE_WIDTH)
    return line, Polygon(((x, y), *wings), WIRE)


def _rounded(points: Sequence[Point], radius: float) -> tuple[Point, ...]:
    """The points with each corner replaced by a short curve."""
    path = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        for t in (0.0, 0.25, 0.5, 0.75, 1.0):
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
            path.append(
                (
                    a * start[0] + b * corner[0] + c * end[0],
                    a * start[1] + b * corner[1] + c * end[1],
                )
            )
    return (*path, points[-1])


def _towards(start: Point, end: Point, radius: float) -> Point:
    length = hypot(end[0] - start[0], end[1] - start[1])
    share = min(radius, length / 2) / length if length else 0.0
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def row(boxes: Sequence[Box], gap: float) -> Box:
    """Boxes one after the other on one axis, each joined to the next by an arrow."""
    shapes: list[Shape] = []
    x = 0.0
    leave = 0.0
    for index, box in enumerate(boxes):
        if index:
            x += gap
        if index and not box.begins:
            shapes += wire((leave, 0), (x + box.enter, 0), head=box.head)
        shapes += box.at(x, 0)
        leave = x + box.leave
        x += box.width
    return Box(
        width=x,
        above=max(box.above for box in boxes),
        below=max(box.below for box in boxes),
        shapes=tuple(shapes),
        enter=boxes[0].enter,
        leave=leave,
        head=boxes[0].head,
        begins=boxes[0].begins,
    )


_BRACKET = 17.0


def bracketed(box: Box, text: str) -> Box:
    """The box with a bracket and a text under it."""
    y = box.below + 3
    inset = min(3.0, box.width / 8)
    left, right = inset, box.width - inset
    points = ((left, y), (left, y + 4), (right, y + 4), (right, y))
    shapes = (
        *box.shapes,
        Line(points, GREY, 0.8),
        Text(box.width / 2, y + 14, text, 10, "middle", bold=True),
    )
    return replace(box, below=box.below + _BRACKET, shapes=shapes)


def repeated(box: Box, count: int) -> Box:
    """The box with a bracket and `×N` under it."""
    return bracketed(box, f"×{count}")
