"""Pixels inside a receptive field that cannot reach its unit, because dilations pass over them.

"Gridding": Yu, Koltun & Funkhouser 2017, arXiv 1705.09914; Wang et al. 2018, arXiv 1702.08502. The
pixels are found exactly, by following every filter's weights back to the image, and compared with
those of the same network with the gaps of its filters filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from striate.graph import IMAGE, Graph, Node
from striate.layers import POINT, Shape, Window
from striate.sizing.lints.finding import Lint, found, written

MOST_GRIDS = 64
"""Beyond so many different grids that branches bring together, nothing is said of a unit."""
LARGEST_FIELD = 1 << 13
"""Nothing is said either of a unit that sees more rows or columns."""


@dataclass(frozen=True)
class Line:
    """Rows (or columns) of the image, as bits from the first one on, relative to the unit's own."""

    bits: int
    first: int

    def moved(self, by: int) -> Line:
        return Line(self.bits, self.first + by)

    def aligned(self, first: int) -> int:
        """The bits counted from an earlier row on."""
        return self.bits << (self.first - first)

    def within(self, other: Line) -> bool:
        first = min(self.first, other.first)
        return self.aligned(first) & ~other.aligned(first) == 0


@dataclass(frozen=True)
class Pixels:
    """Pixels that reach the unit 0 of a layer: grids of rows by columns, laid over each other."""

    grids: frozenset[tuple[Line, Line]]
    jump: tuple[int, int]

    def count(self) -> int:
        """How many different pixels there are."""
        top = min(rows.first for rows, _ in self.grids)
        left = min(columns.first for _, columns in self.grids)
        rows_seen: dict[tuple[int, ...], int] = {}
        grids = [(rows.aligned(top), columns.aligned(left)) for rows, columns in self.grids]
        for row in range(max(rows.bit_length() for rows, _ in grids)):
            key = tuple(columns for rows, columns in grids if rows >> row & 1)
            rows_seen[key] = rows_seen.get(key, 0) + 1
        return sum(_union(key).bit_count() * count for key, count in rows_seen.items())


def _union(lines: Sequence[int]) -> int:
    bits = 0
    for line in lines:
        bits |= line
    return bits


def sampling_holes(graph: Graph) -> Iterator[Lint]:
    """A warning for each last layer with a place on the image whose units miss pixels between."""
    dilated = [i for i, node in enumerate(graph) if _dilated(_window(graph, node))]
    if not dilated:
        return
    seen, filled = reaching(graph), reaching(graph, filled=True)
    told = set()
    for end in _ends(graph):
        actual, whole = seen[end], filled[end]
        cause = _last_above(graph, end, dilated)
        if actual is None or whole is None or cause is None or cause in told:
            continue
        reached, possible = actual.count(), whole.count()
        if reached < possible:
            told.add(cause)
            message = _message(graph, graph.nodes[cause], graph.nodes[end], reached, possible)
            yield found(graph, "sampling holes", "warning", message, [graph.nodes[cause]])


def reaching(graph: Graph, *, filled: bool = False) -> list[Pixels | None]:
    """For each node the pixels of an endless image that reach one unit.

    `filled` gives every filter the weights that its dilation leaves out. None behind layers that
    enlarge, whose units differ, and behind those that see the whole image; where a branch has
    neither, it counts alone.
    """
    image = Pixels(frozenset({(Line(1, 0), Line(1, 0))}), (1, 1))
    known: list[Pixels | None] = [image]
    for node in graph:
        sources = [known[i - IMAGE] for i in node.inputs]
        shapes = graph.shapes_into(node)
        known.append(_through(_window(graph, node), sources, shapes[: len(sources)], filled))
    return known[1:]


def _window(graph: Graph, node: Node) -> Window:
    return node.layer.window(graph.shapes_into(node), node.output)


def _dilated(window: Window) -> bool:
    return not window.whole and any(
        step > 1 and kernel_size > 1
        for step, kernel_size in zip(window.dilation, window.kernel_size, strict=True)
    )


def _through(
    window: Window, sources: Sequence[Pixels | None], shapes: Sequence[Shape], filled: bool
) -> Pixels | None:
    size = max(shape[1:] for shape in shapes)
    alike = [
        source
        for source, shape in zip(sources, shapes, strict=True)
        if source is not None and shape[1:] == size
    ]
    numbers = (*window.stride, *window.before, *window.dilation)
    if not alike or window.whole or not all(isinstance(number, int) for number in numbers):
        return None
    if any(source.jump != alike[0].jump for source in alike):
        return None
    grids = _largest({grid for source in alike for grid in source.grids})
    if len(grids) > MOST_GRIDS or any(_is_long(line) for grid in grids for line in grid):
        return None
    jump = alike[0].jump
    if window is POINT:
        return Pixels(grids, jump)
    return Pixels(
        frozenset(
            (_slid(rows, window, 0, jump[0], filled), _slid(columns, window, 1, jump[1], filled))
            for rows, columns in grids
        ),
        (jump[0] * int(window.stride[0]), jump[1] * int(window.stride[1])),
    )


def _is_long(line: Line) -> bool:
    return line.bits.bit_length() > LARGEST_FIELD


def _largest(grids: set[tuple[Line, Line]]) -> frozenset[tuple[Line, Line]]:
    """The grids that do not lie within another one."""
    if len(grids) > 4 * MOST_GRIDS:
        return frozenset(grids)
    return frozenset(
        one
        for one in grids
        if not any(
            one != other and one[0].within(other[0]) and one[1].within(other[1]) for other in grids
        )
    )


def _slid(line: Line, window: Window, axis: int, jump: int, filled: bool) -> Line:
    """What a unit sees whose filter reads units that see this."""
    step = int(window.dilation[axis])
    taps = range(0, step * (window.kernel_size[axis] - 1) + 1, 1 if filled else step)
    bits = _union([line.bits << tap * jump for tap in taps])
    return Line(bits, line.first - int(window.before[axis]) * jump)


def _ends(graph: Graph) -> list[int]:
    """The last nodes whose units have a place: only layers that see all of them read them."""
    read: set[int] = set()
    for node in graph:
        if not _window(graph, node).whole and len(node.output) == 3:
            read.update(node.inputs)
    return [i for i, node in enumerate(graph) if i not in read and len(node.output) == 3]


def _last_above(graph: Graph, end: int, dilated: Sequence[int]) -> int | None:
    """The last dilated layer on any path to a node."""
    above = {end}
    for i in range(end, -1, -1):
        if i in above:
            above.update(graph.nodes[i].inputs)
    return max((i for i in dilated if i in above), default=None)


def _message(graph: Graph, node: Node, end: Node, reached: int, possible: int) -> str:
    behind = "" if end is node else f" of {end.name}"
    return (
        f"{written(graph, node)} leaves holes: {reached:,} of the {possible:,} pixels in the field "
        f"of a unit{behind} can reach it ({reached / possible:.0%}). Let the dilations of "
        "successive layers begin with 1 and share no factor, as in d1, d2, d3"
    )
