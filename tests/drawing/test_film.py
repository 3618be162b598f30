"""Films: a player of the animation sees in every step what the frame of that step shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from striate.drawing.film import Carried, Film, Shown, to_animated_svg
from striate.drawing.scene import Circle, Rect, Text
from striate.drawing.steps import steps_of
from striate.drawing.steps_film import film_of
from striate.drawing.svg import to_svg
from striate.graph import load_graph

SVG = "{http://www.w3.org/2000/svg}"
MOVING = (f"{SVG}animate", f"{SVG}animateTransform")
PLACES = {"rect": ("x", "y"), "text": ("x", "y"), "circle": ("cx", "cy")}

SMALL = Film(
    width=40,
    height=20,
    parts=(
        Rect(1, 2, 3, 4, "#0000ff"),
        Shown((Text(5, 6, "first"),), 0, 0),
        Shown((Text(5, 6, "later"),), 1, 2),
        Shown((Text(9, 9, "always"),), 0, 2),
        Carried((Circle(1, 1, 2),), ((0, 0), (10, 0), (10.5, 5))),
    ),
    steps=3,
    title="three steps",
)


def played(element: ElementTree.Element, share: float) -> str:
    """The value that an animation has after a share of its time, as SMIL defines discrete ones."""
    assert element.get("calcMode") == "discrete" and element.get("repeatCount") == "indefinite"
    times = [float(time) for time in element.get("keyTimes", "").split(";")]
    values = element.get("values", "").split(";")
    assert times[0] == 0 and times == sorted(times) and len(times) == len(values)
    return [v for time, v in zip(times, values, strict=True) if time <= share][-1]


def seen(svg: str, share: float) -> list[tuple[str, ...]]:
    """Every rectangle, disc and text that is visible at a time, with its place on the picture."""
    found: list[tuple[str, ...]] = []

    def look(element: ElementTree.Element, dx: float, dy: float) -> None:
        for child in element:
            if child.tag == f"{SVG}animate" and played(child, share) == "hidden":
                return
            if child.tag == f"{SVG}animateTransform":
                dx, dy = map(float, played(child, share).split())
        for child in element:
            name = child.tag.removeprefix(SVG)
            if name == "g":
                look(child, dx, dy)
            elif name in PLACES:
                x, y = (float(child.get(key, "0")) for key in PLACES[name])
                place = (f"{x + dx:.1f}", f"{y + dy:.1f}")
                found.append((name, *place, child.get("fill", ""), child.text or ""))

    look(ElementTree.fromstring(svg), 0, 0)
    return found


@pytest.mark.parametrize(
    "film",
    [
        SMALL,
        film_of(steps_of(load_graph("input 1x5x5 -> conv3-1/2 p1"))),
        film_of(steps_of(load_graph("input 1x3x3 -> tconv2-1/2"))),
        film_of(steps_of(load_graph("input 1x5x5 -> pool2/2 ceil"))).under((), 10, 33),
    ],
)
def test_every_step_shows_its_frame(film: Film) -> None:
    moving = to_animated_svg(film, 0.5)
    for step in range(film.steps):
        at = (step + 0.5) / (film.steps + 2)
        assert seen(moving, at) == seen(to_svg(film.frame(step)), 0)


def test_the_last_step_stays_longer() -> None:
    moving = to_animated_svg(SMALL, 0.5)
    assert seen(moving, 0.99) == seen(to_svg(SMALL.frame(2)), 0)
    assert 'dur="2.5s"' in moving


def test_a_viewer_that_does_not_play_shows_the_last_step() -> None:
    root = ElementTree.fromstring(to_animated_svg(SMALL, 0.5))
    assert [g.get("visibility") for g in root.findall(f"{SVG}g")] == ["hidden", None, None, None]
    assert root.findall(f"{SVG}g")[-1].get("transform") == "translate(10.5 5)"


def test_a_film_has_no_script_and_no_link() -> None:
    moving = to_animated_svg(SMALL, 0.5)
    assert "<script" not in moving and "href" not in moving


def test_under_a_heading_everything_is_lower() -> None:
    lower = SMALL.under((Text(1, 9, "heading"),), 60, 12)
    assert (lower.width, lower.height, lower.steps) == (60, 32, 3)
    before, after = (seen(to_svg(film.frame(1)), 0) for film in (SMALL, lower))
    assert after[1][-1] == "heading"
    assert [(s[1], float(s[2])) for s in after[2:]] == [
        (s[1], float(s[2]) + 12) for s in before[1:]
    ]
