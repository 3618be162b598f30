"""Names on a line: taps as rows above it that end in their name, values that are taken up elsewhere
and the places where a line begins with one."""

from __future__ import annotations

from striate.drawing.boxes import WIRE, WIRE_WIDTH, Box, wire
from striate.drawing.scene import INK, WHITE, Group, Rect, Shape, Text, text_width

_SPLIT = 14.0
_TURN = 6.0
_CLEAR = 9.0
_BEFORE_NAME = 16.0
_NAME_SIZE = 8.5
_PLATE = 14.0
_APART = 8.0
"""Between the end of a line and the beginning of another."""
_NAMED = "#fff3c4"


def side(branch: Box | None, name: str, *, goes_on: bool = True) -> Box:
    """A branch that leaves the main line upwards and ends in a plate with the tap's name.

    `goes_on` says whether anything follows on the main line.
    """
    plate_width = _plate_width(name)
    own_width = branch.width if branch else 0.0
    y = -(_CLEAR + (branch.below if branch else _PLATE / 2))
    plate_x = _SPLIT + own_width + (_BEFORE_NAME if branch else 4)
    width = plate_x + plate_width
    corner = ((0.0, 0.0), (_TURN, 0.0), (_TURN, y))
    shapes: list[Shape] = [*wire((0, 0), (width, 0))] if goes_on else []
    if branch is None:
        shapes += wire(*corner, (plate_x, y), head=True)
    else:
        shapes += wire(*corner, (_SPLIT + branch.enter, y), head=branch.head)
        shapes += branch.at(_SPLIT, y)
        shapes += wire((_SPLIT + branch.leave, y), (plate_x, y), head=True)
    shapes.append(Group(f"tap {name}: a side output", _plate(name, plate_x, y, plate_width)))
    above = max(branch.above if branch else 0.0, _PLATE / 2) - y
    return Box(width, above, 4, tuple(shapes), 0, width, head=False)


def mark(name: str, *, goes_on: bool) -> Box:
    """The name of a value, on the line behind what gives it."""
    width = _plate_width(name)
    shapes = Group(f"{name}: taken up elsewhere", _plate(name, 0, 0, width, named=True))
    leave = width if goes_on else width / 2
    return Box(width, _PLATE / 2, _PLATE / 2, (shapes,), 0, leave, head=False)


def jump(name: str) -> Box:
    """The name of a value from which a line begins."""
    plate = _plate(name, _APART, 0, _plate_width(name), named=True)
    width = _APART + _plate_width(name)
    shapes = (Group(f"from {name}", plate),)
    return Box(width, _PLATE / 2, _PLATE / 2, shapes, _APART, width, head=False, begins=True)


def _plate_width(name: str) -> float:
    return text_width(name, _NAME_SIZE, bold=True) + 14


def _plate(
    name: str, x: float, y: float, width: float, *, named: bool = False
) -> tuple[Shape, ...]:
    """Round for a side output, cornered and shaded for a named value."""
    fill, radius = (_NAMED, 2.0) if named else (WHITE, _PLATE / 2)
    return (
        Rect(x, y - _PLATE / 2, width, _PLATE, fill, WIRE, WIRE_WIDTH, radius),
        Text(x + width / 2, y + 3, name, _NAME_SIZE, "middle", bold=True, colour=INK),
    )


def sample(x: float, y: float) -> tuple[Shape, ...]:
    """The plate of a tap for the legend, centred at `(x, y)`."""
    return (Rect(x - 7, y - 4.5, 14, 9, WHITE, WIRE, WIRE_WIDTH, 4.5),)


def named_sample(x: float, y: float) -> tuple[Shape, ...]:
    """The plate of a named value for the legend, centred at `(x, y)`."""
    return (Rect(x - 7, y - 4.5, 14, 9, _NAMED, WIRE, WIRE_WIDTH, 2.0),)
