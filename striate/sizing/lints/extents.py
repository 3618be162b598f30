"""How far the units of each layer see on the image, along the shortest and the longest path.

Paths through a layer that sees the whole image (global pooling) are left aside: the gate of a
squeeze-and-excite block says nothing of where a thing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from striate.graph import Graph
from striate.layers import POINT, Shape, Window


@dataclass(frozen=True)
class Extent:
    """Rows (or columns) of the image that one unit sees, through the path that sees fewest or most.

    `jump` is that from one unit to the next.
    """

    fewest: Fraction = Fraction(1)
    most: Fraction = Fraction(1)
    jump: Fraction = Fraction(1)


Extents = tuple[Extent, Extent]
"""Along height and width."""


def extents(graph: Graph) -> list[Extents | None]:
    """For each node what its units see; None where every path is through the whole image."""
    known: list[Extents | None] = [(Extent(), Extent())]
    for node in graph:
        shapes = graph.shapes_into(node)
        window = node.layer.window(shapes, node.output)
        sources = [known[i + 1] for i in node.inputs]
        known.append(_through(window, sources, shapes[: len(sources)]))
    return known[1:]


def _through(
    window: Window, sources: Sequence[Extents | None], shapes: Sequence[Shape]
) -> Extents | None:
    largest = max(shapes, key=lambda shape: shape[1:])
    alike = [
        source
        for source, shape in zip(sources, shapes, strict=True)
        if source is not None and shape[1:] == largest[1:]
    ]
    if not alike or window.whole:
        return None
    rows, columns = (_behind(window, axis, [each[axis] for each in alike]) for axis in (0, 1))
    return rows, columns


def _behind(window: Window, axis: int, sources: Sequence[Extent]) -> Extent:
    fewest, most = min(each.fewest for each in sources), max(each.most for each in sources)
    jump = max(each.jump for each in sources)
    if window is POINT:
        return Extent(fewest, most, jump)
    reaches = [reach * jump for reach in _reaches(window, axis)]
    return Extent(fewest + min(reaches), most + max(reaches), jump * window.stride[axis])


def _reaches(window: Window, axis: int) -> list[int]:
    """From the first to the last unit that a filter reads, for units of each phase.

    Where a layer enlarges, only the whole positions under its filter are units of its input.
    """
    stride, before = window.stride[axis], window.before[axis]
    steps = [tap * window.dilation[axis] - before for tap in range(window.kernel_size[axis])]
    found = []
    for phase in range(stride.denominator):
        read = [at for step in steps if (at := phase * stride + step).denominator == 1]
        if read:
            found.append(int(read[-1] - read[0]))
    return found or [0]
