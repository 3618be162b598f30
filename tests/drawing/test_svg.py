from base64 import b64decode
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from striate.drawing.scene import Circle, Group, Image, Line, Polygon, Rect, Scene, Text
from striate.drawing.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"


def _scene(*shapes, title=""):
    return Scene(120, 80, shapes, title)


def test_a_whole_document():
    scene = _scene(
        Rect(1, 2, 3, 4, "#ff0000"),
        Group(
            "two <shapes>",
            (
                Circle(5, 6, 7, stroke="#000000"),
                Line(
                    ((0, 0), (1.5, 2.25)),
                ),
            ),
        ),
        Text(9, 10, "64×32", 8, "middle", bold=True, rotation=-90),
        title="A & B",
    )
    assert to_svg(scene) == (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="120" height="80" viewBox="0 0 120 80" role="img" font-family="Helvetica Neue, '
        'Helvetica, Arial, Liberation Sans, Nimbus Sans, sans-serif" stroke-linejoin="round">\n'
        "<title>A &amp; B</title>\n"
        '<rect width="120" height="80" fill="#ffffff"/>\n'
        '<rect x="1" y="2" width="3" height="4" fill="#ff0000"/>\n'
        "<g>\n<title>two &lt;shapes&gt;</title>\n"
        '<circle cx="5" cy="6" r="7" fill="none" stroke="#000000" stroke-width="0.8"/>\n'
        '<polyline points="0,0 1.5,2.25" fill="none" stroke="#222222" stroke-width="1"/>\n</g>\n'
        '<text x="9" y="10" font-size="8" text-anchor="middle" font-weight="bold" '
        'transform="rotate(-90 9 10)" fill="#222222">64×32</text>\n'
        "</svg>\n"
    )


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_valid_xml(text):
    root = ElementTree.fromstring(to_svg(_scene(Text(1, 1, text), Group(text, ()), title=text)))
    shown = root.find(f"{SVG}text").text or ""
    assert len(shown) == len(text)
    kept = [(a, b) for a, b in zip(shown, text, strict=True) if a != "\ufffd"]
    assert all(a == b for a, b in kept)


def test_an_image_is_embedded():
    root = ElementTree.fromstring(to_svg(_scene(Image(1, 2, 3, 4, b"\x89PNG bytes", smooth=False))))
    image = root.find(f"{SVG}image")
    data = image.get("{http://www.w3.org/1999/xlink}href")
    assert b64decode(data.removeprefix("data:image/png;base64,")) == b"\x89PNG bytes"
    assert image.get("style") == "image-rendering:pixelated"


def test_numbers_are_short():
    text = to_svg(_scene(Polygon(((0.1 + 0.2, -1e-9), (10.0, 2 / 3), (100, 4.999)), "#000000")))
    assert 'points="0.3,0 10,0.67 100,5"' in text
