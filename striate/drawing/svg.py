"""A scene as SVG: one self-contained text, the same bytes for the same scene."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from striate.drawing.scene import (
    WHITE,
    Circle,
    Group,
    Image,
    Line,
    Point,
    Polygon,
    Rect,
    Scene,
    Shape,
    Text,
)

FONTS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, Nimbus Sans, sans-serif"


def to_svg(scene: Scene) -> str:
    """The scene as an SVG 1.1 document on a white ground."""
    return document(scene, [element(shape) for shape in scene.shapes])


def document(frame: Scene, elements: Sequence[str]) -> str:
    """A document of a scene's size and title that holds these elements."""
    width, height = _number(frame.width), _number(frame.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="{FONTS}" stroke-linejoin="round">',
        f"<title>{_clean(frame.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{WHITE}"/>',
        *elements,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def element(shape: Shape) -> str:
    """One shape as an SVG element."""
    match shape:
        case Group(title, shapes):
            inside = "\n".join(element(inner) for inner in shapes)
            return f"<g>\n<title>{_clean(title)}</title>\n{inside}\n</g>"
        case Polygon(points, fill, stroke, line_width):
            return f'<polygon points="{_points(points)}"{_paint(fill, stroke, line_width)}/>'
        case Line(points, stroke, line_width, dash):
            dashes = f' stroke-dasharray="{_number(dash)}"' if dash else ""
            paint = _paint("", stroke, line_width)
            return f'<polyline points="{_points(points)}"{paint}{dashes}/>'
        case Rect(x, y, width, height, fill, stroke, line_width, radius):
            rounded = f' rx="{_number(radius)}"' if radius else ""
            place = _attributes(x=x, y=y, width=width, height=height)
            return f"<rect{place}{rounded}{_paint(fill, stroke, line_width)}/>"
        case Circle(x, y, radius, fill, stroke, line_width):
            return f"<circle{_attributes(cx=x, cy=y, r=radius)}{_paint(fill, stroke, line_width)}/>"
        case Text():
            return _text(shape)
        case Image(x, y, width, height, png, smooth):
            sharp = "" if smooth else ' style="image-rendering:pixelated"'
            place = _attributes(x=x, y=y, width=width, height=height)
            data = b64encode(png).decode("ascii")
            return (
                f'<image{place} preserveAspectRatio="none"{sharp} '
                f'xlink:href="data:image/png;base64,{data}"/>'
            )


def _text(text: Text) -> str:
    place = _attributes(x=text.x, y=text.y)
    style = _attributes(font_size=text.size)
    if text.anchor != "start":
        style += f' text-anchor="{text.anchor}"'
    if text.bold:
        style += ' font-weight="bold"'
    if text.rotation:
        turn = " ".join(_number(value) for value in (text.rotation, text.x, text.y))
        style += f' transform="rotate({turn})"'
    return f"<text{place}{style} fill={quoteattr(text.colour)}>{_clean(text.text)}</text>"


def _paint(fill: str, stroke: str, line_width: float) -> str:
    line = f' stroke="{stroke}" stroke-width="{_number(line_width)}"' if stroke else ""
    return f' fill="{fill or "none"}"{line}'


def _attributes(**values: float) -> str:
    return "".join(f' {name.replace("_", "-")}="{_number(v)}"' for name, v in values.items())


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    """At most two decimals, no trailing zeros, no minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _clean(text: str) -> str:
    """Escaped, and without the control characters that XML cannot hold."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text))
