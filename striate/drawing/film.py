"""Pictures that move in steps: each step as a scene, all of them as one animated SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from striate.drawing.scene import Point, Scene, Shape, moved
from striate.drawing.svg import document, element


@dataclass(frozen=True)
class Shown:
    """Shapes that are there from the step `first` to the step `last`, both included."""

    shapes: tuple[Shape, ...]
    first: int
    last: int


@dataclass(frozen=True)
class Carried:
    """Shapes that are moved to a place of their own in every step."""

    shapes: tuple[Shape, ...]
    places: tuple[Point, ...]


@dataclass(frozen=True)
class Film:
    """A picture in `steps` steps, painted in the order of its parts. A bare shape never changes."""

    width: float
    height: float
    parts: tuple[Shape | Shown | Carried, ...]
    steps: int
    title: str

    def frame(self, step: int) -> Scene:
        """What is seen in one step."""
        shapes = chain.from_iterable(_at(part, step) for part in self.parts)
        return Scene(self.width, self.height, tuple(shapes), self.title)

    def under(self, heading: Sequence[Shape], width: float, height: float) -> Film:
        """The same film below a heading of that size."""
        return Film(
            width=max(width, self.width),
            height=height + self.height,
            parts=(*heading, *(_lowered(part, height) for part in self.parts)),
            steps=self.steps,
            title=self.title,
        )


def _lowered(part: Shape | Shown | Carried, dy: float) -> Shape | Shown | Carried:
    match part:
        case Shown(shapes, first, last):
            return Shown(tuple(moved(shape, 0, dy) for shape in shapes), first, last)
        case Carried(shapes, places):
            return Carried(shapes, tuple((x, y + dy) for x, y in places))
    return moved(part, 0, dy)


def _at(part: Shape | Shown | Carried, step: int) -> tuple[Shape, ...]:
    match part:
        case Shown(shapes, first, last):
            return shapes if first <= step <= last else ()
        case Carried(shapes, places):
            return tuple(moved(shape, *places[step]) for shape in shapes)
    return (part,)


_LAST_STEPS = 2
"""For how many steps the last one stays before the film begins anew."""


def to_animated_svg(film: Film, seconds: float) -> str:
    """The film as an SVG document that plays for ever, `seconds` a step, without any script.

    It is animated by SMIL, which browsers play in an `img` too. A viewer that does not play it
    shows the last step.
    """
    clock = _Clock(film.steps, seconds)
    elements = [clock.element(part) for part in film.parts]
    return document(film.frame(film.steps - 1), elements)


@dataclass(frozen=True)
class _Clock:
    """Writes parts with the times at which they change."""

    steps: int
    seconds: float

    def element(self, part: Shape | Shown | Carried) -> str:
        match part:
            case Shown(shapes, first, last):
                return self._shown(shapes, first, last)
            case Carried(shapes, places):
                return self._carried(shapes, places)
        return element(part)

    def _shown(self, shapes: Sequence[Shape], first: int, last: int) -> str:
        inside = "".join(map(element, shapes))
        ends = last >= self.steps - 1
        if first == 0 and ends:
            return f"<g>{inside}</g>"
        changes = [(0, "visible" if first == 0 else "hidden")]
        changes += [(first, "visible")] if first else []
        changes += [] if ends else [(last + 1, "hidden")]
        times, values = zip(*changes, strict=True)
        timing = self._timing(times, values)
        at_rest = "" if ends else ' visibility="hidden"'
        return f'<g{at_rest}><animate attributeName="visibility"{timing}/>{inside}</g>'

    def _carried(self, shapes: Sequence[Shape], places: Sequence[Point]) -> str:
        inside = "".join(map(element, shapes))
        texts = [f"{x:g} {y:g}" for x, y in places]
        timing = self._timing(range(self.steps), texts)
        return (
            f'<g transform="translate({texts[-1]})">'
            f'<animateTransform attributeName="transform" type="translate"{timing}/>{inside}</g>'
        )

    def _timing(self, steps: Sequence[int], values: Sequence[str]) -> str:
        whole = self.steps + _LAST_STEPS
        times = ";".join(f"{step / whole:.5g}" for step in steps)
        return (
            f' values="{";".join(values)}" keyTimes="{times}" calcMode="discrete" '
            f'dur="{whole * self.seconds:g}s" repeatCount="indefinite"'
        )
