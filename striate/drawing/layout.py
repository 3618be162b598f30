"""A network as a scene: its trunk in rows like a text, with a heading and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from striate.drawing import forks, sides
from striate.drawing.boxes import WIRE_WIDTH, Box, row, wire
from striate.drawing.compose import VOLUME_GAP, Composer, composer
from striate.drawing.gather import pieces
from striate.drawing.parts import Chain, any_named, end_of, join_kinds, stages, summary
from striate.drawing.scene import GREY, Rect, Scene, Shape, Text, shortened, text_width
from striate.drawing.style import INPUT, LOOKS, MERGE, Look, look, shade
from striate.graph.nodes import Graph

PAGE = 820.0
_MARGIN = 16.0
_ROW_GAP = 30.0
_TURN = 12.0
_HEADING = 46.0
_NAME, _SUMMARY = 14.0, 9.5
_NARROWEST = 400.0


def draw_network(graph: Graph) -> Scene:
    """The network as a picture: volumes to scale, branches side by side, repetitions as ×N.

    Sides are drawn by the square root of height and width, lengths by that of the channels. The
    flow is from left to right; rows are at most 820 units wide unless one piece is wider.
    """
    trunk = pieces(graph)
    made = composer(graph, trunk)
    lines = _lines(made, trunk)
    told = summary(graph)
    widest = max(text_width(told, _SUMMARY), *(line.width + 2 * _TURN for line in lines))
    width = max(widest, _NARROWEST) + 2 * _MARGIN
    name = shortened(graph.name, _NAME, width - 2 * _MARGIN)
    shapes: list[Shape] = [
        Text(_MARGIN, 20, name, _NAME, bold=True),
        Text(_MARGIN, 35, told, _SUMMARY, colour=GREY),
    ]
    y = _HEADING
    left = _MARGIN + (_TURN if len(lines) > 1 else 0)
    turns: list[tuple[float, float]] = []
    for line in lines:
        y += line.above
        shapes += line.at(left, y)
        turns.append((y, y + line.below))
        y += line.below + _ROW_GAP
    shapes += _returns(lines, turns, left)
    legend, y = _legend(made, trunk, width, y - _ROW_GAP + 14)
    return Scene(width, y + _MARGIN - 4, (*shapes, *legend), f"{graph.name}: {told}")


def _lines(made: Composer, trunk: Chain) -> list[Box]:
    """The trunk broken into rows."""
    widths = [made.image(0).width, *(made.trunk(piece, 0).width for piece in trunk)]
    starts = _breaks(widths, [_is_new_stage(made, trunk, i) for i in range(len(widths))])
    lines = []
    for start, end in pairwise([*starts, len(widths)]):
        some = [trunk[i - 1] for i in range(start, end) if i > 0]
        reaches = [made.reach(piece) for piece in some]
        if start == 0:
            reaches.append(made.scale.cuboid(made.graph.input).half)
        drop = max(reaches)
        boxes = [made.image(drop)] if start == 0 else []
        lines.append(row([*boxes, *(made.trunk(piece, drop) for piece in some)], VOLUME_GAP))
    return lines


def _is_new_stage(made: Composer, trunk: Chain, index: int) -> bool:
    """Whether the piece at an index (the image is 0) gives another size than the one before."""
    if index < 2:
        return True
    before, now = (end_of(trunk[:count]) for count in (index - 1, index))
    return (before.output[1:] if before else None) != (now.output[1:] if now else None)


_MISPLACED = 0.06


def _breaks(widths: Sequence[float], good: Sequence[bool]) -> list[int]:
    """Where rows start: the fewest rows, filled evenly, broken where the image size changes."""
    count = len(widths)
    page = max(PAGE, 1.15 * max(widths))
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)] * (count + 1)
    for end in range(1, count + 1):
        options = []
        for start in range(end - 1, -1, -1):
            width = sum(widths[start:end]) + VOLUME_GAP * (end - start - 1)
            if width > page and start < end - 1:
                break
            rows, cost, _ = best[start]
            uneven = (max(0.0, page - width) / page) ** 2
            options.append((rows + 1, cost + uneven + _MISPLACED * (not good[start]), start))
        best[end] = min(options)
    starts = []
    at = count
    while at > 0:
        at = best[at][2]
        starts.append(at)
    return starts[::-1]


def _returns(
    lines: Sequence[Box], turns: Sequence[tuple[float, float]], left: float
) -> list[Shape]:
    """The lines that lead from the end of each row to the start of the next."""
    shapes: list[Shape] = []
    for index, (line, after) in enumerate(pairwise(lines)):
        if after.begins:
            continue
        y, bottom = turns[index]
        right = left + line.width + _TURN - 2
        between = bottom + _ROW_GAP / 2
        next_y = turns[index + 1][0]
        shapes += wire(
            (left + line.leave, y),
            (right, y),
            (right, between),
            (left - _TURN, between),
            (left - _TURN, next_y),
            (left + after.enter, next_y),
            head=after.head,
            radius=6,
        )
    return shapes


_SAMPLES = {"tap": sides.sample, "name": sides.named_sample}
_JOINS = {
    "add": "add",
    "multiply": "multiply",
    "concat": "join along channels",
    forks.OTHER: "another operation of both",
}
_RESULTS = {"add": "sum", "multiply": "product", "concat": "concatenation"}


def _legend_name(kind: Look, results: set[str]) -> str:
    if kind != MERGE:
        return kind.name
    *some, last = (_RESULTS[name] for name in _RESULTS if name in results)
    return f"{', '.join(some)} or {last}" if some else last


def _legend(made: Composer, trunk: Chain, width: float, y: float) -> tuple[list[Shape], float]:
    """The kinds that occur with their colours or symbols, the rule of the scale; where it ends."""
    every = list(stages(trunk))
    used = {INPUT, *(look(stage.node.layer) for stage in every)}
    joins = {kind if kind in _RESULTS else forks.OTHER for kind in join_kinds(trunk)}
    results = {stage.node.kind for stage in every if stage.node.layer.role == "merge"}
    entries = [(_legend_name(kind, results), kind.fill, "") for kind in LOOKS if kind in used]
    entries += [(_JOINS[kind], "", kind) for kind in _JOINS if kind in joins]
    entries += [("side output", "", "tap")] if made.graph.taps else []
    entries += [("named value", "", "name")] if any_named(trunk) else []
    shapes: list[Shape] = []
    x = _MARGIN
    for name, fill, join in entries:
        needed = text_width(name, 8.5) + 30
        if x + needed > width - _MARGIN and x > _MARGIN:
            x = _MARGIN
            y += 14
        if fill:
            shapes.append(Rect(x, y, 11, 9, fill, shade(fill, -0.45), WIRE_WIDTH, 1))
        else:
            draw = _SAMPLES.get(join) or partial(forks.sample, join)
            shapes += draw(x + 6, y + 4.5)
        shapes.append(Text(x + 16, y + 8, name, 8.5, colour=GREY))
        x += needed
    rule = "edges to scale by the square root of height, width and channels"
    shapes.append(Text(_MARGIN, y + 23, rule, 8, colour=GREY))
    return shapes, y + 25
