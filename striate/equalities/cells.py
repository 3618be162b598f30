"""Matrices as grids of coloured cells, in a row with signs between them, as on a blackboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image as Pictures
from torch import Tensor

from striate.drawing.scene import (
    GREY,
    INK,
    Image,
    Line,
    Rect,
    Scene,
    Shape,
    Text,
    extent,
    moved,
    text_width,
)

_MOST_CELLS = 2500
_MOST_NUMBERED = 700
_LOW, _HIGH = (0xE0, 0x8A, 0x3C), (0x3C, 0x8D, 0xD0)
_LINE = "#c4c4c4"
_MARK = "#b3261e"
_SHEET = 5
_MARGIN = 16.0
_GAP = 12.0

Colour = Callable[[int, int], str]


@dataclass(frozen=True)
class Tile:
    """Shapes with their origin in the top left corner of what they take up."""

    width: float
    height: float
    shapes: tuple[Shape, ...]


def shade(value: float, largest: float) -> str:
    """White for zero, orange below, blue above."""
    share = min(1.0, abs(value) / largest) if largest else 0.0
    end = _HIGH if value > 0 else _LOW
    return "#" + "".join(f"{round(255 + (c - 255) * share * 0.85):02x}" for c in end)


def cells(
    matrix: Tensor,
    name: str = "",
    cell: float = 22.0,
    *,
    marked: Sequence[tuple[int, int]] = (),
    colour: Colour | None = None,
    blocks: tuple[int, int] | None = None,
    behind: int = 0,
    faint: bool = True,
) -> Tile:
    """A two-dimensional tensor as a grid under its name: numbers where there is room for them.

    `marked` cells are framed together. `colour` gives the fill of a cell in place of its value's.
    Lines divide the grid into `blocks` of so many rows and columns. The edges of as many grids as
    `behind` says look out behind it. Zeros are written grey if `faint`. Very large matrices are
    drawn as pictures.
    """
    rows, columns = matrix.shape
    top = (16.0 if name else 0.0) + behind * _SHEET
    values = matrix.tolist()
    largest = float(matrix.abs().max()) if matrix.numel() else 0.0
    fill = colour or (lambda i, j: shade(values[i][j], largest))
    shapes: list[Shape] = [Text(0, 10, name, 10, colour=GREY)] if name else []
    for at in range(behind * _SHEET, 0, -_SHEET):
        shapes.append(Rect(at, top - at, columns * cell, rows * cell, "#f4f4f4", "#999999"))
    if rows * columns > _MOST_CELLS:
        fills = [[fill(i, j) for j in range(columns)] for i in range(rows)]
        shapes.append(Image(0, top, columns * cell, rows * cell, _png(fills), False))
    else:
        shapes += [
            Rect(j * cell, top + i * cell, cell, cell, fill(i, j), _LINE, 0.6)
            for i in range(rows)
            for j in range(columns)
        ]
        if cell >= 12 and rows * columns <= _MOST_NUMBERED:
            shapes += _numbers(values, cell, top, faint)
    if blocks:
        shapes += _divisions((rows, columns), blocks, cell, top)
    shapes.append(Rect(0, top, columns * cell, rows * cell, stroke="#777777", line_width=1))
    if marked:
        shapes.append(_frame(marked, cell, top))
    width = max(columns * cell + behind * _SHEET, text_width(name, 10))
    return Tile(width, top + rows * cell, tuple(shapes))


def _numbers(values: list[list[float]], cell: float, top: float, faint: bool) -> list[Shape]:
    texts = [[_number(value) for value in row] for row in values]
    widest = max(text_width(text, 1) for row in texts for text in row)
    size = min(11.0, cell * 0.55, (cell - 3) / widest)
    shapes: list[Shape] = []
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            ink = "#a8a8a8" if faint and text == "0" else INK
            x, y = (j + 0.5) * cell, top + (i + 0.5) * cell + size * 0.36
            shapes.append(Text(x, y, text, size, "middle", colour=ink))
    return shapes


def _divisions(
    size: tuple[int, int], blocks: tuple[int, int], cell: float, top: float
) -> list[Shape]:
    height, width = size[0] * cell, size[1] * cell
    pen = min(1.2, cell / 8)
    across = [top + i * cell for i in range(blocks[0], size[0], blocks[0])]
    down = [j * cell for j in range(blocks[1], size[1], blocks[1])]
    return [
        *(Line(((0, y), (width, y)), "#555555", pen) for y in across),
        *(Line(((x, top), (x, top + height)), "#555555", pen) for x in down),
    ]


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _frame(marked: Sequence[tuple[int, int]], cell: float, top: float) -> Rect:
    rows, columns = zip(*marked, strict=True)
    first, left = min(rows), min(columns)
    return Rect(
        left * cell,
        top + first * cell,
        (max(columns) - left + 1) * cell,
        (max(rows) - first + 1) * cell,
        stroke=_MARK,
        line_width=2.2,
    )


def _png(fills: list[list[str]]) -> bytes:
    """Colours as a picture of one pixel a cell."""
    picture = Pictures.new("RGB", (len(fills[0]), len(fills)))
    picture.putdata([tuple(bytes.fromhex(fill[1:])) for row in fills for fill in row])
    return _saved(picture)


def photograph(matrix: Tensor, name: str, width: float) -> Tile:
    """Values from 0 to 255 as a grey picture under its name."""
    rows, columns = matrix.shape
    picture = Pictures.new("L", (columns, rows))
    picture.putdata(matrix.round().clamp(0, 255).int().flatten().tolist())
    height = width * rows / columns
    shapes = (Text(0, 10, name, 10, colour=GREY), Image(0, 16, width, height, _saved(picture)))
    return Tile(max(width, text_width(name, 10)), 16 + height, shapes)


def _saved(picture: Pictures.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def sign(text: str, size: float = 18.0) -> Tile:
    """An operator between two tiles."""
    return Tile(text_width(text, size), size, (Text(0, size * 0.75, text, size),))


def stacked(tiles: Sequence[Tile], gap: float = 8.0) -> Tile:
    """Tiles under each other."""
    shapes: list[Shape] = []
    y = 0.0
    for tile in tiles:
        shapes += [moved(shape, 0, y) for shape in tile.shapes]
        y += tile.height + gap
    return Tile(max(tile.width for tile in tiles), y - gap, tuple(shapes))


def row(tiles: Sequence[Tile], gap: float = _GAP) -> Tile:
    """Tiles beside each other, their middles on one line."""
    height = max(tile.height for tile in tiles)
    shapes: list[Shape] = []
    x = 0.0
    for tile in tiles:
        shapes += [moved(shape, x, (height - tile.height) / 2) for shape in tile.shapes]
        x += tile.width + gap
    return Tile(x - gap, height, tuple(shapes))


def slide(title: str, statement: str, tiles: Sequence[Tile], note: str) -> Scene:
    """A whole picture: the heading, what is claimed, the tiles under each other, the outcome."""
    lines = _wrapped(statement, 11, max(420.0, *(tile.width for tile in tiles)))
    shapes: list[Shape] = [Text(_MARGIN, 28, title, 16, bold=True)]
    y = 32.0
    for line in lines:
        y += 15
        shapes.append(Text(_MARGIN, y, line, 11, colour=GREY))
    y += 18
    for tile in tiles:
        shapes += [moved(shape, _MARGIN, y) for shape in tile.shapes]
        y += tile.height + 22
    shapes.append(Text(_MARGIN, y + 6, note, 11, bold=True))
    right = max(extent(shape)[2] for shape in shapes)
    return Scene(right + _MARGIN, y + 22, tuple(shapes), title)


def _wrapped(text: str, size: float, width: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
