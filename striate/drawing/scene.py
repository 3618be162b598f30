"""A picture as frozen values: what every drawing here makes and every format here writes.

Lengths are in units of 1/96 inch, the origin is the top left corner, y grows downwards. Shapes are
painted in order. Colours are written `#rrggbb`; an empty colour paints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import cos, radians, sin
from typing import Literal

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

INK = "#222222"
GREY = "#6b6b6b"
PALE = "#d9d9d9"
WHITE = "#ffffff"


@dataclass(frozen=True)
class Polygon:
    """A closed, filled outline."""

    points: tuple[Point, ...]
    fill: str = ""
    stroke: str = ""
    line_width: float = 0.8


@dataclass(frozen=True)
class Line:
    """An open line through points. `dash` is the length of dashes and gaps; 0 is a solid line."""

    points: tuple[Point, ...]
    stroke: str = INK
    line_width: float = 1.0
    dash: float = 0.0


@dataclass(frozen=True)
class Rect:
    """A rectangle, its corners rounded by `radius`."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    line_width: float = 0.8
    radius: float = 0.0


@dataclass(frozen=True)
class Circle:
    """A disc."""

    x: float
    y: float
    radius: float
    fill: str = ""
    stroke: str = ""
    line_width: float = 0.8


@dataclass(frozen=True)
class Text:
    """One line of text whose baseline starts, is centred, or ends at `(x, y)`.

    `rotation` turns it clockwise about that point, in degrees.
    """

    x: float
    y: float
    text: str
    size: float = 10.0
    anchor: Anchor = "start"
    bold: bool = False
    colour: str = INK
    rotation: float = 0.0


@dataclass(frozen=True)
class Image:
    """A picture file (PNG bytes) stretched over a rectangle; without `smooth`, pixel by pixel."""

    x: float
    y: float
    width: float
    height: float
    png: bytes = field(repr=False)
    smooth: bool = True


@dataclass(frozen=True)
class Group:
    """Shapes that belong together; `title` is what a reader is told when pointing at them."""

    title: str
    shapes: tuple[Shape, ...]


Shape = Polygon | Line | Rect | Circle | Text | Image | Group


@dataclass(frozen=True)
class Scene:
    """A whole picture on white. `title` says in words what it shows."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    title: str = ""


def flat(shapes: Sequence[Shape]) -> Iterator[Polygon | Line | Rect | Circle | Text | Image]:
    """Every shape inside groups too, in the order of painting."""
    for shape in shapes:
        if isinstance(shape, Group):
            yield from flat(shape.shapes)
        else:
            yield shape


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The shape shifted by `(dx, dy)`."""
    if isinstance(shape, Group):
        return replace(shape, shapes=tuple(moved(inner, dx, dy) for inner in shape.shapes))
    if isinstance(shape, Polygon | Line):
        return replace(shape, points=tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)


# The wider of Helvetica's and Aileron's advance for each character from space to tilde, in 1/1000
# of the size: a text laid out by it fits in either.
_ADVANCES = (
    *(278, 278, 355, 580, 580, 889, 667, 191, 333, 333, 560, 584, 278, 333, 278, 303),
    *(580,) * 10,
    *(278, 278, 584, 584, 584, 556, 1015),
    *(667, 667, 722, 722, 667, 611, 778, 730, 278, 544, 667, 575, 866),
    *(722, 778, 667, 778, 722, 667, 612, 722, 667, 952, 667, 667, 611),
    *(307, 303, 295, 580, 556, 333),
    *(556, 611, 529, 615, 556, 290, 615, 593, 238, 233, 522, 247, 855),
    *(593, 586, 611, 615, 333, 500, 313, 592, 514, 785, 500, 513, 500),
    *(334, 260, 334, 584),
)
_OTHER_ADVANCES = {"·": 278, "×": 584, "−": 584, "…": 1000, "–": 560, "→": 1000, "≤": 584, "≥": 584}
_WIDE_FROM = 0x1100
_BOLD = 1.06


def text_width(text: str, size: float, bold: bool = False) -> float:
    """An upper estimate of a text's width, near for sans-serif fonts like Helvetica."""
    total = 0
    for character in text:
        index = ord(character) - 32
        if 0 <= index < len(_ADVANCES):
            total += _ADVANCES[index]
        else:
            wide = 1000 if ord(character) >= _WIDE_FROM else 667
            total += _OTHER_ADVANCES.get(character, wide)
    return total * size / 1000 * (_BOLD if bold else 1)


def shortened(text: str, size: float, width: float) -> str:
    """The text, or its beginning and end around `…` when it is wider than `width`."""
    if text_width(text, size) <= width:
        return text
    for keep in range(len(text) - 1, 1, -1):
        tail = keep // 3
        cut = text[: keep - tail] + "…" + text[len(text) - tail :]
        if text_width(cut, size) <= width:
            return cut
    return "…"


def extent(shape: Shape) -> tuple[float, float, float, float]:
    """The rectangle `(left, top, right, bottom)` that a shape covers, line widths left out."""
    if isinstance(shape, Group):
        boxes = [extent(inner) for inner in shape.shapes]
        lefts, tops, rights, bottoms = zip(*boxes, strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)
    if isinstance(shape, Polygon | Line):
        xs, ys = zip(*shape.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    if isinstance(shape, Circle):
        r = shape.radius
        return shape.x - r, shape.y - r, shape.x + r, shape.y + r
    if isinstance(shape, Text):
        return _text_extent(shape)
    return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height


_ASCENT, _DESCENT = 0.76, 0.22


def _text_extent(text: Text) -> tuple[float, float, float, float]:
    width = text_width(text.text, text.size, text.bold)
    left = {"start": 0.0, "middle": -width / 2, "end": -width}[text.anchor]
    up, down = _ASCENT * text.size, _DESCENT * text.size
    c, s = cos(radians(text.rotation)), sin(radians(text.rotation))
    corners = [(x, y) for x in (left, left + width) for y in (-up, down)]
    xs = [text.x + c * x - s * y for x, y in corners]
    ys = [text.y + s * x + c * y for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
