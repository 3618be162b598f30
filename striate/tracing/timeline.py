"""The memory of a training step over its operations, stacked by what it is for."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

from striate.drawing.axes import Axis, Frame, linear_axis, nice_ticks, title_text
from striate.drawing.output import format_of, render_scene, write_picture
from striate.drawing.scene import (
    GREY,
    INK,
    Circle,
    Group,
    Line,
    Polygon,
    Rect,
    Scene,
    Shape,
    Text,
    shortened,
    text_width,
)
from striate.errors import UserError
from striate.sizing.memory import KINDS, Memory
from striate.sizing.table import big_bytes

COLOURS = {
    "parameters": "#444444",
    "optimizer": "#8c6d00",
    "image": "#56b4e9",
    "saved": "#0072b2",
    "gradients": "#d55e00",
    "passing": "#cc79a7",
}
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def draw_memory(memory: Memory, output: str | Path) -> None:
    """Draw a step's memory over time into a file, .svg or .png.

    Raises UserError for another ending, and when the file cannot be written.
    """
    path = Path(output)
    form = format_of(path)
    if form == "txt":
        raise UserError(f"{path}: a plot is written as .svg or .png")
    write_picture(path, render_scene(memory_timeline(memory), form))


def memory_timeline(memory: Memory, width: float = 720, height: float = 320) -> Scene:
    """What is alive after each operation, as one area for each kind, with the peak marked."""
    peak = memory.peak
    unit, word = next((each for each in _UNITS if peak.bytes >= each[0]), (1, "B"))
    top, right, bottom = 52.0, 14.0, 42.0
    high = 1.06 * peak.bytes / unit
    y_axis = Axis(0, high, nice_ticks(0, high))
    last = max(1, len(memory.timeline) - 1)
    x_axis = Axis(0, last, linear_axis(0, last, margin=0).ticks)
    left = y_axis.room + 16
    frame = Frame(left, top, width - left - right, height - top - bottom, x_axis, y_axis)
    images = f"a batch of {memory.batch}" if memory.batch > 1 else "one image"
    title = f"{memory.name}: a training step with {images}, {memory.settings}"
    shapes: list[Shape] = [title_text(shortened(title, 11.3, width - 2 * right), right, 18)]
    shapes += _areas(memory, frame, unit)
    shapes += frame.shapes("operations", word)
    shapes += _phases(memory, frame)
    shapes += _peak(memory, frame, unit)
    shapes += _legend(memory, left, top - 12)
    return Scene(width, height, tuple(shapes), title)


def _areas(memory: Memory, frame: Frame, unit: int) -> list[Shape]:
    """The areas from the bottom: each kind lies on those before it."""
    heights = [list(accumulate(instant.live)) for instant in memory.timeline]
    shapes: list[Shape] = []
    for place, kind in enumerate(KINDS):
        upper = [frame.place(x, row[place] / unit) for x, row in enumerate(heights)]
        lower = [
            frame.place(x, (row[place - 1] if place else 0) / unit) for x, row in enumerate(heights)
        ]
        most = max(instant.live[place] for instant in memory.timeline)
        if most:
            area = Polygon((*upper, *reversed(lower)), COLOURS[kind])
            shapes.append(Group(f"{kind}: at most {big_bytes(most)}", (area,)))
    return shapes


def _phases(memory: Memory, frame: Frame) -> list[Shape]:
    """Where the backward pass and the optimizer begin."""
    shapes: list[Shape] = []
    before = ""
    for x, instant in enumerate(memory.timeline):
        if instant.phase != before:
            place, _ = frame.place(x, 0)
            if before:
                shapes.append(Line(((place, frame.top), (place, frame.bottom)), GREY, 0.8, 3))
            if instant.phase != "optimizer":
                shapes.append(Text(place + 4, frame.top + 11, instant.phase, 9, colour=INK))
            before = instant.phase
    return shapes


def _peak(memory: Memory, frame: Frame, unit: int) -> list[Shape]:
    peak = memory.peak
    x, y = frame.place(memory.timeline.index(peak), peak.bytes / unit)
    where = f"{big_bytes(peak.bytes)} at {peak.layer}" if peak.layer else big_bytes(peak.bytes)
    if x + 6 + text_width(where, 9) < frame.right:
        label = Text(x + 6, max(y - 5, frame.top - 2), where, 9, bold=True)
    else:
        label = Text(x - 6, max(y - 5, frame.top - 2), where, 9, "end", bold=True)
    return [Circle(x, y, 2.6, INK), label]


def _legend(memory: Memory, left: float, y: float) -> list[Shape]:
    shapes: list[Shape] = []
    x = left
    for place, kind in enumerate(KINDS):
        if any(instant.live[place] for instant in memory.timeline):
            shapes.append(Rect(x, y - 8, 10, 9, fill=COLOURS[kind]))
            shapes.append(Text(x + 14, y, kind, 9))
            x += text_width(kind, 9) + 30
    return shapes
