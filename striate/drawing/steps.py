"""The arithmetic of one layer step by step: where its window stands, and what it computes there.

A window slides over one channel. A transposed convolution is shown as what it equals: a convolution
with stride 1 over the input stretched by zeros, its filter turned by 180° (Dumoulin & Visin, arXiv
1603.07285, chapter 4). The numbers are those of that guide's figures 1.1 to 1.6, repeated where a
grid is larger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Literal

from striate.errors import UserError
from striate.graph.nodes import Graph, Node
from striate.layers import Layer, Shape
from striate.layers.compact import compact
from striate.layers.convolution import Conv, TransposedConv
from striate.layers.l2_pooling import L2Pool
from striate.layers.min_pooling import MinPool
from striate.layers.pooling import AvgPool, MaxPool
from striate.layers.windows import Axis, effective

MOST_CELLS = 64
"""The longest side of a grid that can still be seen cell by cell."""

_INPUT = ((3, 3, 2, 1, 0), (0, 0, 1, 3, 1), (3, 1, 2, 2, 3), (2, 0, 0, 2, 2), (2, 0, 0, 0, 1))
_FILTER = ((0, 1, 2), (2, 2, 0), (0, 1, 2))

Operation = Literal["sum", "max", "mean", "min", "norm"]
_POOLS: dict[type[Layer], Operation] = {
    MaxPool: "max",
    AvgPool: "mean",
    MinPool: "min",
    L2Pool: "norm",
}


@dataclass(frozen=True)
class Track:
    """One axis of the grid over which a window slides; places are counted from the first input.

    `spread` is the step between two values of the input on this axis: 1, or the stride of a
    transposed convolution, which has zeros between them. Negative padding cuts off.
    """

    size: int
    kernel_size: int
    positions: int
    spread: int = 1
    before: int = 0
    after: int = 0
    stride: int = 1
    dilation: int = 1

    @property
    def length(self) -> int:
        """Places from the first value of the input to its last."""
        return (self.size - 1) * self.spread + 1

    @property
    def extent(self) -> int:
        """Places from the first that a window reads to its last."""
        return effective(self.kernel_size, self.dilation)

    @property
    def cells(self) -> range:
        """Every place that is drawn: the input, its padding, and where a window hangs over it."""
        last = self.start(self.positions - 1) + self.extent
        return range(min(0, -self.before), max(self.length, self.length + self.after, last))

    def start(self, step: int) -> int:
        """The first place that the window reads."""
        return step * self.stride - self.before

    def taps(self, step: int) -> range:
        """The places that the window reads."""
        start = self.start(step)
        return range(start, start + self.extent, self.dilation)

    def index(self, place: int) -> int | None:
        """The input's index at a place, or None for padding and zeros between."""
        inside = 0 <= place < self.length and place % self.spread == 0
        return place // self.spread if inside else None

    def is_padded(self, place: int) -> bool:
        """Whether a place belongs to the padded input."""
        return -self.before <= place < self.length + self.after

    @cached_property
    def read(self) -> frozenset[int]:
        """The places that any window reads."""
        return frozenset(place for step in range(self.positions) for place in self.taps(step))


@dataclass(frozen=True)
class Steps:
    """All steps of one layer. Places and outputs are `(row, column)`, counted from 0."""

    node: Node
    input: Shape
    rows: Track
    columns: Track
    operation: Operation
    turned: bool = False
    """Whether the filter that slides is the layer's own turned by 180°."""

    @property
    def layer(self) -> Layer:
        return self.node.layer

    @property
    def count(self) -> int:
        return self.rows.positions * self.columns.positions

    def output_of(self, step: int) -> tuple[int, int]:
        """The output that a step computes; rows from top to bottom, each from left to right."""
        return divmod(step, self.columns.positions)

    def taps(self, step: int) -> Iterator[tuple[int, int]]:
        """The places that the window reads, row by row."""
        i, j = self.output_of(step)
        for row in self.rows.taps(i):
            for column in self.columns.taps(j):
                yield row, column

    def value(self, place: tuple[int, int]) -> int | None:
        """The input's number at a place, or None for padding and zeros between."""
        row, column = self.rows.index(place[0]), self.columns.index(place[1])
        return None if row is None or column is None else _INPUT[row % 5][column % 5]

    def values(self, step: int) -> list[int | None]:
        """What the window meets: numbers, None for zeros, without what lies past the padding."""
        return [
            self.value((row, column))
            for row, column in self.taps(step)
            if self.rows.is_padded(row) and self.columns.is_padded(column)
        ]

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """The filter as it slides, row by row; empty for pooling."""
        if self.operation != "sum":
            return ()
        rows, columns = (_weight_rows(track.kernel_size) for track in (self.rows, self.columns))
        own = [_FILTER[row][column] for row in rows for column in columns]
        return tuple(reversed(own) if self.turned else own)

    def result(self, step: int) -> float:
        """What a step computes."""
        met = self.values(step)
        if self.operation in ("max", "min"):
            choose = max if self.operation == "max" else min
            return choose((value for value in met if value is not None), default=0)
        numbers = [value or 0 for value in met]
        if self.operation == "mean":
            return sum(numbers) / len(numbers)
        if self.operation == "norm":
            return sqrt(sum(number * number for number in numbers))
        return sum(number * weight for number, weight in zip(numbers, self.weights, strict=True))


def _weight_rows(kernel_size: int) -> list[int]:
    """Rows of the published filter, its middle in the middle."""
    shift = (3 - kernel_size) // 2
    return [(i + shift) % 3 for i in range(kernel_size)]


def steps_of(graph: Graph, name: str = "") -> Steps:
    """The steps of the layer of that name, or of the first one whose window slides.

    Raises UserError when there is none of that name, when its kind has no sliding window, or when
    its grid is longer than 64 cells.
    """
    known = {node.name: node for node in graph if _slides(node.layer)}
    if not known:
        raise UserError(
            f"{graph.name} has no layer whose steps can be drawn: a convolution, a transposed "
            "convolution, pooling with a window"
        )
    node = known.get(name or next(iter(known)))
    if node is None:
        raise UserError(_not_among(name, graph, list(known)))
    steps = _steps(node, graph.shapes_into(node))
    tracks = (steps.rows, steps.columns)
    longest = max(max(len(track.cells), track.positions) for track in tracks)
    if longest > MOST_CELLS:
        raise UserError(
            f"the steps of {node.name} cannot be seen: its grid is {longest} cells long, more than "
            f"{MOST_CELLS}. Give a smaller image with --input, or the layer alone, such as "
            f"'input {steps.input[0]}x12x12 -> {compact(node.layer)}'"
        )
    return steps


def _slides(layer: Layer) -> bool:
    return isinstance(layer, Conv | TransposedConv) or type(layer) in _POOLS


def _not_among(name: str, graph: Graph, known: list[str]) -> str:
    from difflib import get_close_matches

    there = next((node for node in graph if node.name == name), None)
    if there is not None:
        found = f"{name} is a layer of kind {there.kind}, whose steps are not drawn."
    else:
        near = get_close_matches(name, known, n=1)
        found = f"{graph.name} has no layer {name!r}."
        found += f" Did you mean {near[0]}?" if near else ""
    listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"{found} Layers whose steps can be drawn: {listed}"


def _steps(node: Node, inputs: tuple[Shape, ...]) -> Steps:
    layer = node.layer
    if isinstance(layer, TransposedConv):
        rows, columns = (_stretched(layer, inputs[0], node.output, axis) for axis in (0, 1))
        return Steps(node, inputs[0], rows, columns, "sum", turned=True)
    assert isinstance(layer, Conv | MaxPool)
    height, width = layer.axes(inputs)
    rows, columns = _track(height, node.output[1]), _track(width, node.output[2])
    return Steps(node, inputs[0], rows, columns, _POOLS.get(type(layer), "sum"))


def _track(axis: Axis, positions: int) -> Track:
    return Track(
        size=axis.size,
        kernel_size=axis.kernel_size,
        positions=positions,
        before=axis.before,
        after=axis.after,
        stride=axis.stride,
        dilation=axis.dilation,
    )


def _stretched(layer: TransposedConv, given: Shape, output: Shape, axis: int) -> Track:
    """An axis of the convolution that a transposed one equals."""
    padding, added = layer.paddings()
    reach = effective(layer.kernel_size[axis], layer.dilation[axis]) - 1
    return Track(
        size=given[axis + 1],
        kernel_size=layer.kernel_size[axis],
        positions=output[axis + 1],
        spread=layer.stride[axis],
        before=reach - padding[axis],
        after=reach - padding[axis] + added[axis],
        dilation=layer.dilation[axis],
    )
