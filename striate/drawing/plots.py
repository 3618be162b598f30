"""Plots of a training: curves, confusion matrices, calibration, grids of pictures.

Each takes plain numbers and gives a scene; nothing is imported for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite

from striate.drawing.axes import FRAME, Axis, Frame, linear_axis, log_axis, title_text
from striate.drawing.scene import (
    GREY,
    INK,
    WHITE,
    Circle,
    Group,
    Image,
    Line,
    Point,
    Rect,
    Scene,
    Shape,
    Text,
    shortened,
    text_width,
)

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#444444")
"""Told apart by colour-blind readers (after Okabe & Ito 2008)."""
_DASHES = (0.0, 5.0, 2.0)


@dataclass(frozen=True)
class Series:
    """One curve. Points whose value is not finite leave a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def line_plot(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_y: bool = False,
    width: float = 460,
    height: float = 280,
) -> Scene:
    """Curves over common axes, with a legend when there is more than one.

    With `log_y` values that are not positive leave gaps. Without any point the plot says so.
    """
    points = [_finite(one, log_y) for one in series]
    everything = [point for runs in points for run in runs for point in run]
    top = 34.0 + (18.0 if len(series) > 1 else 0.0)
    right, bottom = 14.0, 42.0
    heading = title_text(shortened(title, 11.3, width - 2 * right), right, 18)
    if not everything:
        note = Text(width / 2, height / 2, "nothing to show yet", 10, "middle", colour=GREY)
        return Scene(width, height, (heading, note), title)
    xs, ys = zip(*everything, strict=True)
    y_axis = log_axis(min(ys), max(ys)) if log_y else linear_axis(min(ys), max(ys))
    x_axis = linear_axis(min(xs), max(xs), margin=0.015)
    left = y_axis.room + 16
    frame = Frame(left, top, width - left - right, height - top - bottom, x_axis, y_axis)
    shapes: list[Shape] = [heading, *frame.shapes(x_label, y_label)]
    for index, runs in enumerate(points):
        shapes.append(Group(series[index].name, tuple(_curve(frame, runs, index))))
    if len(series) > 1:
        shapes += _legend([one.name for one in series], left, top - 9, frame.width)
    return Scene(width, height, tuple(shapes), title)


def _finite(series: Series, log_y: bool) -> list[list[Point]]:
    """The runs of points that can be shown."""
    runs: list[list[Point]] = [[]]
    for x, y in zip(series.x, series.y, strict=True):
        if isfinite(x) and isfinite(y) and (y > 0 or not log_y):
            runs[-1].append((x, y))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _pen(index: int) -> tuple[str, float]:
    return COLOURS[index % len(COLOURS)], _DASHES[index // len(COLOURS) % len(_DASHES)]


def _curve(frame: Frame, runs: list[list[Point]], index: int) -> list[Shape]:
    colour, dash = _pen(index)
    shapes: list[Shape] = []
    for run in runs:
        places = tuple(frame.place(x, y) for x, y in run)
        if len(places) > 1:
            shapes.append(Line(places, colour, 1.6, dash))
        if len(places) <= 12:
            shapes += [Circle(x, y, 2.2, colour) for x, y in places]
    return shapes


def _legend(names: Sequence[str], left: float, y: float, width: float) -> list[Shape]:
    """The names in one row; each is cut to an equal share when they do not fit."""
    share = width / len(names) - 28
    texts = [shortened(name, 9, max(share, 20)) for name in names]
    if sum(text_width(name, 9) + 28 for name in names) <= width:
        texts = list(names)
    shapes: list[Shape] = []
    x = left
    for index, text in enumerate(texts):
        colour, dash = _pen(index)
        shapes.append(Line(((x, y - 3), (x + 16, y - 3)), colour, 1.8, dash))
        shapes.append(Text(x + 20, y, text, 9))
        x += text_width(text, 9) + 32
    return shapes


_MOST_CLASSES = 100
_NUMBERED = 20


def heatmap(matrix: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> Scene:
    """A confusion matrix: rows are true classes, columns predicted ones, colour the row's share.

    Up to 20 classes every count is written in its cell. Raises ValueError beyond 100 classes, or
    when the matrix and the labels do not agree.
    """
    count = len(labels)
    if count > _MOST_CLASSES or len(matrix) != count or any(len(row) != count for row in matrix):
        raise ValueError(f"a matrix of {len(matrix)} rows for {count} labels cannot be shown")
    numbered = count <= _NUMBERED
    cell = max(5.0, min(36.0, 480 / count)) if not numbered else max(24.0, min(40.0, 400 / count))
    size = min(9.5, max(4.0, cell * 0.8))
    names = [shortened(label, size, 96) for label in labels]
    room = max(text_width(name, size) for name in names)
    upright = numbered and room <= cell - 4
    left, top = 30 + room + 8, 44.0
    below = (size + 10 if upright else room + 10) + 20
    side = cell * count
    width = max(left + side + 14, min(text_width(title, 12, bold=True) + 24, 420))
    heading = shortened(title, 11.3, width - 24)
    shapes: list[Shape] = [title_text(heading, 12, 20)]
    for i, row in enumerate(matrix):
        shapes += _matrix_row(row, i, cell, (left, top), numbered)
        y = top + (i + 0.5) * cell + size * 0.35
        shapes.append(Text(left - 6, y, names[i], size, "end"))
        x = left + (i + 0.5) * cell
        if upright:
            shapes.append(Text(x, top + side + size + 4, names[i], size, "middle"))
        else:
            at = x + size * 0.35
            shapes.append(Text(at, top + side + 6, names[i], size, "end", rotation=-90))
    shapes.append(Rect(left, top, side, side, stroke=FRAME))
    shapes.append(Text(left + side / 2, top + side + below, "predicted", 10, "middle", colour=GREY))
    shapes.append(Text(18, top + side / 2, "true", 10, "middle", colour=GREY, rotation=-90))
    return Scene(width, top + side + below + 12, tuple(shapes), title)


def _matrix_row(
    row: Sequence[int], i: int, cell: float, corner: Point, numbered: bool
) -> list[Shape]:
    total = sum(row)
    shapes: list[Shape] = []
    for j, value in enumerate(row):
        share = value / total if total else 0.0
        x, y = corner[0] + j * cell, corner[1] + i * cell
        if value or numbered:
            shapes.append(Rect(x, y, cell, cell, fill=_shade(share, right=i == j)))
        if numbered and value:
            size = min(9.5, (cell - 4) / max(2.2, text_width(str(value), 1)))
            ink = WHITE if share > 0.55 else INK
            text = Text(x + cell / 2, y + cell / 2 + size * 0.35, str(value), size, "middle")
            shapes.append(Text(text.x, text.y, text.text, size, "middle", colour=ink))
    return shapes


def _shade(share: float, right: bool) -> str:
    """From white to blue for what is right, to vermilion for what is wrong."""
    end = (0x00, 0x5A, 0x96) if right else (0xC4, 0x4E, 0x00)
    strength = share**0.6
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in end)


def reliability(
    confidence: Sequence[float],
    accuracy: Sequence[float],
    counts: Sequence[int],
    *,
    title: str = "Calibration",
) -> Scene:
    """A calibration diagram: for each bin its mean confidence, its accuracy, its share of images.

    Bins without images are left out. The diagonal is perfect calibration (Guo et al. 2017).
    """
    axis = Axis(0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1))
    frame = Frame(58, 34, 240, 240, axis, axis)
    shapes: list[Shape] = [title_text(title, 14, 18)]
    shapes += frame.shapes("confidence", "accuracy")
    total = sum(counts) or 1
    for centre, right, count in zip(confidence, accuracy, counts, strict=True):
        if not count:
            continue
        x, y = frame.place(centre, right)
        _, ideal = frame.place(centre, centre)
        radius = 2.5 + 9 * (count / total) ** 0.5
        dot = Circle(x, y, radius, COLOURS[0], WHITE)
        told = f"{count} images: confidence {centre:.3f}, accuracy {right:.3f}"
        shapes.append(Group(told, (Line(((x, ideal), (x, y)), COLOURS[1], 1.2), dot)))
    diagonal = Line((frame.place(0, 0), frame.place(1, 1)), GREY, 1, 4)
    shapes.insert(1, diagonal)
    note = "larger dots hold more images"
    shapes.append(Text(frame.right, frame.bottom + 48, note, 8.5, "end", colour=GREY))
    return Scene(312, 334, tuple(shapes), title)


def image_grid(
    images: Sequence[bytes],
    captions: Sequence[str] = (),
    *,
    title: str = "",
    columns: int = 8,
    cell: float = 72,
    smooth: bool = True,
) -> Scene:
    """Pictures (PNG bytes) in rows of square cells; a caption's lines stand under its picture.

    `smooth` off keeps every pixel a square, as filters and small digits want it.
    """
    columns = max(1, min(columns, len(images)))
    gap, size = 8.0, 8.0
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    pitch = cell + gap + (lines * (size + 2.5) + 3 if lines else 0)
    top = 32.0 if title else gap
    shapes: list[Shape] = [title_text(title, gap, 18)] if title else []
    for index, png in enumerate(images):
        x = gap + index % columns * (cell + gap)
        y = top + index // columns * pitch
        shapes.append(Image(x, y, cell, cell, png, smooth))
        caption = captions[index] if captions else ""
        for row, line in enumerate(caption.split("\n") if caption else []):
            place = y + cell + (row + 1) * (size + 2.5)
            fitting = shortened(line, size, cell + gap - 3)
            shapes.append(Text(x + cell / 2, place, fitting, size, "middle"))
    rows = ceil(len(images) / columns) if images else 0
    width = max(gap + columns * (cell + gap), text_width(title, 12, bold=True) + 2 * gap)
    return Scene(width, top + rows * pitch + gap / 2, tuple(shapes), title)
