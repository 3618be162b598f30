"""Stepped drawings as files: an animated SVG, or all steps on one sheet as PNG."""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path

from striate.drawing.film import Film, to_animated_svg
from striate.drawing.output import format_of, render_scene, write_picture
from striate.drawing.scene import GREY, PALE, Rect, Scene, Shape, Text, moved, text_width
from striate.drawing.steps import Steps, steps_of
from striate.drawing.steps_film import film_of
from striate.drawing.steps_words import notes, settings_line, size_lines
from striate.errors import UserError
from striate.graph import Graph, load_graph
from striate.layers.compact import compact

MOST_FRAMES = 36
"""The most steps on one sheet."""

_MARGIN = 14.0
_LINE = 15.0
_LONGEST_FILM = 60.0
_LONGEST_STEP = 1.0
_SHORTEST_STEP = 0.03
_SIDE_ON_SHEET = 150.0
_WIDE = 1.4  # times as wide as high


def draw_steps(what: str | Path | Graph, output: str | Path, layer: str = "") -> str:
    """Draws the arithmetic of one layer step by step into a file, and gives the layer's name.

    `.svg` is animated and plays for ever; `.png` has every step on one sheet, or 36 of them at even
    distances. Without the name of a layer it is the first whose window slides. Raises UserError
    for another ending, for what `steps_of` refuses, and what `load_graph` raises.
    """
    path = Path(output)
    suffix = format_of(path)
    if suffix == "txt":
        raise UserError(
            f"{path} ends in .txt, but steps are drawn as .svg, which moves, or .png, all on one "
            f"sheet. For example {path.with_suffix('.svg')}"
        )
    steps = steps_of(load_graph(what), layer)
    write_picture(path, render_steps(steps, suffix))
    return steps.node.name


def render_steps(steps: Steps, format: str) -> bytes:
    """The bytes of a stepped drawing: `svg` is animated, `png` a sheet."""
    if format == "svg":
        seconds = min(_LONGEST_STEP, max(_SHORTEST_STEP, _LONGEST_FILM / steps.count))
        return to_animated_svg(headed(steps), seconds).encode()
    return render_scene(sheet(steps), format)


def headed(steps: Steps) -> Film:
    """The film of a layer under its heading."""
    heading, width, height = _heading(steps, [])
    return film_of(steps).under(heading, width, height)


def sheet(steps: Steps) -> Scene:
    """All steps side by side under one heading; evenly chosen ones when there are more than 36."""
    film = film_of(steps, _SIDE_ON_SHEET)
    chosen = evenly(steps.count, MOST_FRAMES)
    told = [] if len(chosen) == steps.count else [f"{len(chosen)} of {steps.count} steps"]
    heading, width, top = _heading(steps, told)
    balanced = round(sqrt(_WIDE * len(chosen) * film.height / film.width))
    columns = min(len(chosen), max(1, balanced))
    shapes: list[Shape] = list(heading)
    for index, step in enumerate(chosen):
        x = index % columns * film.width
        y = top + index // columns * film.height
        shapes.append(Rect(x + 4, y, film.width - 8, film.height - 8, stroke=PALE, radius=4))
        shapes += [moved(shape, x, y) for shape in film.frame(step).shapes]
    rows = ceil(len(chosen) / columns)
    return Scene(
        max(width, columns * film.width), top + rows * film.height, tuple(shapes), film.title
    )


def evenly(count: int, most: int) -> list[int]:
    """At most so many of `range(count)`, evenly spaced, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _heading(steps: Steps, told: list[str]) -> tuple[list[Shape], float, float]:
    """The lines above, their width and their height."""
    given, made = (f"{track.size}" for track in (steps.rows, steps.columns)), steps.node.output
    title = f"{compact(steps.layer)}: {'×'.join(given)} to {made[1]}×{made[2]}"
    lines = [settings_line(steps), *size_lines(steps), *notes(steps), *told]
    shapes: list[Shape] = [Text(_MARGIN, 24, title, 14, bold=True)]
    shapes += [
        Text(_MARGIN, 42 + index * _LINE, line, 10.5, colour=GREY)
        for index, line in enumerate(lines)
    ]
    widths = [text_width(title, 14, bold=True), *(text_width(line, 10.5) for line in lines)]
    return shapes, max(widths) + 2 * _MARGIN, 42 + len(lines) * _LINE + 6
