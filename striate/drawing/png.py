"""A scene as PNG, painted by Pillow at several times its size and reduced: smooth edges."""

from __future__ import annotations

import unicodedata
from functools import cache
from io import BytesIO
from itertools import pairwise
from math import dist, isqrt

from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont

from striate.drawing.scene import Circle, Image, Line, Point, Polygon, Rect, Scene, Text, flat
from striate.errors import UserError

_MOST_PIXELS = 80_000_000
_FINEST = 4

_STROKES: dict[str, tuple[float, tuple[tuple[Point, ...], ...]]] = {
    "×": (0.58, (((0.11, 0.13), (0.47, 0.49)), ((0.11, 0.49), (0.47, 0.13)))),
    "−": (0.58, (((0.08, 0.31), (0.50, 0.31)),)),
    "–": (0.56, (((0.03, 0.28), (0.53, 0.28)),)),
    "—": (1.0, (((0.05, 0.28), (0.95, 0.28)),)),
    "→": (0.9, (((0.08, 0.31), (0.82, 0.31)), ((0.62, 0.49), (0.82, 0.31), (0.62, 0.13)))),
    "≤": (0.58, (((0.5, 0.58), (0.08, 0.38), (0.5, 0.18)), ((0.08, 0.06), (0.5, 0.06)))),
    "≥": (0.58, (((0.08, 0.58), (0.5, 0.38), (0.08, 0.18)), ((0.08, 0.06), (0.5, 0.06)))),
}
"""Signs that Pillow's own font lacks: the advance, and lines in units of the size, y upwards."""

_OTHER_FONTS = ("DejaVuSans.ttf", "Arial Unicode.ttf", "NotoSans-Regular.ttf", "Arial.ttf")


def to_png(scene: Scene, scale: float = 2) -> bytes:
    """The scene as a PNG file of `scale` pixels a unit.

    Raises UserError when the picture would have more than 80 million pixels.
    """
    width, height = round(scene.width * scale), round(scene.height * scale)
    if width * height > _MOST_PIXELS:
        raise UserError(
            f"the picture would be {width}×{height} pixels, more than {_MOST_PIXELS:,}. "
            "Write it as .svg, which has no pixels"
        )
    fine = max(1, min(_FINEST, isqrt(_MOST_PIXELS // max(1, width * height))))
    canvas = Pictures.new("RGB", (width * fine, height * fine), "white")
    painter = _Painter(canvas, scale * fine)
    for shape in flat(scene.shapes):
        painter.paint(shape)
    buffer = BytesIO()
    (canvas.reduce(fine) if fine > 1 else canvas).save(buffer, "PNG", dpi=(96 * scale, 96 * scale))
    return buffer.getvalue()


class _Painter:
    """Paints shapes given in scene units on a canvas of `scale` pixels a unit."""

    def __init__(self, canvas: Pictures.Image, scale: float) -> None:
        self.canvas = canvas
        self.draw = ImageDraw.Draw(canvas)
        self.scale = scale

    def paint(self, shape: Polygon | Line | Rect | Circle | Text | Image) -> None:
        match shape:
            case Polygon(points, fill, stroke, line_width):
                if fill:
                    self.draw.polygon(self._points(points), fill=fill)
                if stroke:
                    self._line((*points, points[0], points[1]), stroke, line_width)
            case Line(points, stroke, line_width, dash):
                for part in _dashes(points, dash) if dash else [points]:
                    self._line(part, stroke, line_width)
            case Rect():
                self._rect(shape)
            case Circle(x, y, radius, fill, stroke, line_width):
                self.draw.ellipse(
                    self._box(x - radius, y - radius, 2 * radius, 2 * radius),
                    fill=fill or None,
                    outline=stroke or None,
                    width=self._pen(line_width),
                )
            case Text():
                self._text(shape)
            case Image():
                self._image(shape)

    def _points(self, points: tuple[Point, ...]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def _box(self, x: float, y: float, width: float, height: float) -> list[float]:
        return [v * self.scale for v in (x, y, x + width, y + height)]

    def _pen(self, line_width: float) -> int:
        return max(1, round(line_width * self.scale))

    def _line(self, points: tuple[Point, ...], stroke: str, line_width: float) -> None:
        self.draw.line(
            self._points(points), fill=stroke, width=self._pen(line_width), joint="curve"
        )

    def _rect(self, rect: Rect) -> None:
        half = rect.line_width / 2 if rect.stroke else 0
        self.draw.rounded_rectangle(
            self._box(rect.x - half, rect.y - half, rect.width + 2 * half, rect.height + 2 * half),
            radius=(rect.radius + half) * self.scale if rect.radius else 0,
            fill=rect.fill or None,
            outline=rect.stroke or None,
            width=self._pen(rect.line_width),
        )

    def _image(self, image: Image) -> None:
        with Pictures.open(BytesIO(image.png)) as opened:
            picture = opened.convert("RGB")
        size = (max(1, round(image.width * self.scale)), max(1, round(image.height * self.scale)))
        way = Pictures.Resampling.BICUBIC if image.smooth else Pictures.Resampling.NEAREST
        place = (round(image.x * self.scale), round(image.y * self.scale))
        self.canvas.paste(picture.resize(size, way), place)

    def _text(self, text: Text) -> None:
        size = text.size * self.scale
        runs = [(run, _advance(run, size)) for run in _runs(text.text)]
        total = sum(advance for _, advance in runs)
        left = {"start": 0.0, "middle": -total / 2, "end": -total}[text.anchor]
        if not text.rotation:
            self._runs_at(self.draw, text, runs, (text.x * self.scale + left, text.y * self.scale))
            return
        reach = round(total + 2 * size)
        mask = Pictures.new("L", (2 * reach, 2 * reach))
        self._runs_at(ImageDraw.Draw(mask), text, runs, (reach + left, reach), fill=255)
        turned = mask.rotate(-text.rotation, Pictures.Resampling.BICUBIC)
        place = (round(text.x * self.scale - reach), round(text.y * self.scale - reach))
        self.canvas.paste(text.colour, place, turned)

    def _runs_at(
        self,
        draw: ImageDraw.ImageDraw,
        text: Text,
        runs: list[tuple[str, float]],
        start: Point,
        fill: str | int | None = None,
    ) -> None:
        size = text.size * self.scale
        ink = text.colour if fill is None else fill
        weight = max(1, round(size * 0.013)) if text.bold else 0
        x, y = start
        for run, advance in runs:
            if run in _STROKES:
                for stroke in _STROKES[run][1]:
                    points = [(x + u * size, y - v * size) for u, v in stroke]
                    width = round(size * (0.095 if text.bold else 0.07))
                    draw.line(points, fill=ink, width=max(1, width), joint="curve")
            else:
                font = _font(run, size)
                draw.text((x, y), run, fill=ink, font=font, anchor="ls", stroke_width=weight)
            x += advance


def _advance(run: str, size: float) -> float:
    return _STROKES[run][0] * size if run in _STROKES else _font(run, size).getlength(run)


def _runs(text: str) -> list[str]:
    """The text cut so that every run has one font, and signs that are drawn stand alone."""
    runs: list[str] = []
    for character in (found for c in text for found in _paintable(c)):
        joins = runs and runs[-1] not in _STROKES and character not in _STROKES
        if joins and (character in _plain()) == (runs[-1][-1] in _plain()):
            runs[-1] += character
        else:
            runs.append(character)
    return runs


@cache
def _paintable(character: str) -> str:
    """The character, or what stands for it where no font at hand has it."""
    if character in _STROKES or character in _plain():
        return character
    other = _other_font(20.0)
    if other is not None and not _lacks(other, character):
        return character
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if c in _plain())
    return bare or "?"


@cache
def _plain() -> frozenset[str]:
    """The characters of Latin 1 and its neighbours that Pillow's own font has."""
    font = _own_font(20.0)
    return frozenset(chr(c) for c in range(32, 0x2100) if not _lacks(font, chr(c))) - set(_STROKES)


def _lacks(font: ImageFont.FreeTypeFont, character: str) -> bool:
    return character != " " and _glyph(font, character) == _glyph(font, "\uffff")


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _font(run: str, size: float) -> ImageFont.FreeTypeFont:
    if run[0] in _plain():
        return _own_font(size)
    return _other_font(size) or _own_font(size)


@cache
def _own_font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@cache
def _other_font(size: float) -> ImageFont.FreeTypeFont | None:
    """A font of the machine that has more letters, for names of classes and files."""
    for name in _OTHER_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def _dashes(points: tuple[Point, ...], length: float) -> list[tuple[Point, Point]]:
    """The parts of a line that a dashed pen paints; a corner starts a new dash."""
    parts = []
    for (x0, y0), (x1, y1) in pairwise(points):
        total = dist((x0, y0), (x1, y1))
        at = 0.0
        while at < total:
            a, b = at / total, min(at + length, total) / total
            ends = [(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in (a, b)]
            parts.append((ends[0], ends[1]))
            at += 2 * length
    return parts
