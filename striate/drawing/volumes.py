"""One stage as a box: a cuboid to scale with its labels, or a chip where many share a card."""

from __future__ import annotations

from collections.abc import Sequence

from striate.drawing.boxes import Box
from striate.drawing.parts import Stage
from striate.drawing.scene import (
    GREY,
    INK,
    Group,
    Point,
    Polygon,
    Rect,
    Shape,
    Text,
    text_width,
)
from striate.drawing.style import Cuboid, Look, look, shade
from striate.layers import show

_NAME_SIZE = 9.5
_NOTE_SIZE = 8.0
_LINE = 10.5
_PAD = 8.0
_NOTES_WIDTH = 60.0


def volume(
    cuboid: Cuboid, kind: Look, name: str, notes: Sequence[str], told: str, drop: float
) -> Box:
    """A cuboid centred on the axis; its labels begin `drop` below the axis.

    `notes` are the smaller lines under the name; without a name they stand alone.
    """
    texts = [(name, _NAME_SIZE, True)] if name else []
    texts += [(note, _NOTE_SIZE, False) for note in notes]
    labels_width = max(text_width(*text) for text in texts)
    width = max(labels_width, cuboid.width) + _PAD
    left = (width - cuboid.width) / 2
    y = drop + 3
    shapes: list[Shape] = list(_faces(cuboid, kind.fill, left))
    for text, size, bold in texts:
        y += _LINE if bold else _LINE - 0.5
        colour = INK if bold else GREY
        shapes.append(Text(width / 2, y, text, size, "middle", bold, colour))
    return Box(
        width=width,
        above=cuboid.half,
        below=y + 3,
        shapes=(Group(told, tuple(shapes)),),
        enter=left,
        leave=left + cuboid.length + cuboid.right / 2,
    )


def _faces(cuboid: Cuboid, fill: str, left: float) -> tuple[Polygon, ...]:
    """Top, right side and front, the outline centred on the axis."""
    edge = shade(fill, -0.45)
    bottom = cuboid.half
    top = bottom - cuboid.height
    right = left + cuboid.length
    back: Point = (right + cuboid.right, top - cuboid.up)
    lid = ((left, top), (left + cuboid.right, back[1]), back, (right, top))
    side = ((right, top), back, (back[0], bottom - cuboid.up), (right, bottom))
    front = ((left, top), (right, top), (right, bottom), (left, bottom))
    return (
        Polygon(lid, shade(fill, 0.35), edge, 0.6),
        Polygon(side, shade(fill, -0.14), edge, 0.6),
        Polygon(front, fill, edge, 0.6),
    )


def notes_of(stage: Stage) -> list[str]:
    """The small lines of a stage: its volume, what comes before it, what is folded in."""
    lines = [show(stage.output)]
    if stage.note:
        lines.append(stage.note)
    if stage.prefix:
        lines += _wrapped(("after", *_dotted(stage.prefix)))
    if stage.folded:
        words = _dotted(stage.folded)
        lines += _wrapped(("then", *words) if stage.prefix else words)
    return lines


def _dotted(words: Sequence[str]) -> tuple[str, ...]:
    return (*(f"{word} ·" for word in words[:-1]), words[-1])


def _wrapped(words: Sequence[str]) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if text_width(longer, _NOTE_SIZE) > _NOTES_WIDTH:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


_CHIP_NAME, _CHIP_NOTE = 8.5, 7.0
_CHIP_LINE = 8.6
_CHIP_PAD = 6.6


def _chip_lines(stage: Stage) -> list[tuple[str, float]]:
    """A chip's lines and their sizes, in the order in which the layers work."""
    before, after = " · ".join(stage.prefix), " · ".join(stage.folded)
    lines = [(before, _CHIP_NOTE), (stage.label, _CHIP_NAME), (stage.note, _CHIP_NOTE)]
    lines.append((after, _CHIP_NOTE))
    return [(text, size) for text, size in lines if text]


def chip_width(stage: Stage) -> float:
    """The room that a chip's text needs."""
    return max(text_width(text, size) for text, size in _chip_lines(stage)) + 9


def chip(stage: Stage, width: float, told: str) -> Box:
    """A small labelled plate in the colour of the stage's kind."""
    lines = _chip_lines(stage)
    fill = look(stage.node.layer).fill
    height = _CHIP_LINE * len(lines) + _CHIP_PAD
    top = -height / 2
    plate = Rect(0, top, width, height, shade(fill, 0.35), shade(fill, -0.35), 0.7, 3)
    shapes: list[Shape] = [plate]
    for index, (text, size) in enumerate(lines):
        y = top + _CHIP_PAD / 2 + _CHIP_LINE * (index + 1) - 1.5
        colour = INK if size == _CHIP_NAME else shade(fill, -0.62)
        shapes.append(Text(width / 2, y, text, size, "middle", colour=colour))
    return Box(width, height / 2, height / 2, (Group(told, tuple(shapes)),), 0, width)
