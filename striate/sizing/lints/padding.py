"""Weights that meet nothing but padding: filters that are larger than what they filter."""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import Graph, Node
from striate.layers import Pair, product
from striate.sizing.lints.finding import Lint, found, times, written

_Weights = frozenset[Pair]
"""Places in a filter: row and column."""


def weights_on_padding(graph: Graph) -> Iterator[Lint]:
    """One note for all convolutions with weights that no real value is ever multiplied by.

    On a map of 1×1 a padded 3×3 filter is a 1×1 filter: its other 8 weights never learn.
    """
    met: dict[str, _Weights] = {}
    for node in graph:
        owner = node.weights or node.name
        if node.layer.role == "conv" and (here := _met(graph, node)) is not None:
            met[owner] = met.get(owner, frozenset()) | here
    idle = [node for node in graph if node.name in met and _idle(graph, node, met[node.name])]
    if idle:
        yield found(graph, "weights on padding", "note", _message(graph, idle, met), idle)


def _met(graph: Graph, node: Node) -> _Weights | None:
    """The places of a filter that lie on a real value for some output; None for other layers."""
    window = node.layer.window(graph.shapes_into(node), node.output)
    sizes, positions = graph.shapes_into(node)[0][1:], node.output[1:]
    axes = []
    for axis in (0, 1):
        stride, before, dilation = window.stride[axis], window.before[axis], window.dilation[axis]
        if not (isinstance(stride, int) and isinstance(before, int) and isinstance(dilation, int)):
            return None
        axes.append(
            [
                place
                for place in range(window.kernel_size[axis])
                if _lies_on(place * dilation - before, stride, positions[axis], sizes[axis])
            ]
        )
    return frozenset((row, column) for row in axes[0] for column in axes[1])


def _lies_on(first: int, stride: int, positions: int, size: int) -> bool:
    """Whether one of the rows `first + i·stride`, `0 <= i < positions`, is on the map."""
    entered = max(0, -(first // stride))
    return entered < positions and first + entered * stride < size


def _idle(graph: Graph, node: Node, met: _Weights) -> int:
    """How many of the layer's weights meet nothing but padding."""
    weight = graph.weights(node).get("weight", ())
    if len(weight) != 4:
        return 0
    rows, columns = weight[2:]
    return product(weight) // (rows * columns) * (rows * columns - len(met))


def _message(graph: Graph, nodes: list[Node], met: dict[str, _Weights]) -> str:
    first = nodes[0]
    _, height, width = graph.shapes_into(first)[0]
    rows, columns = graph.weights(first)["weight"][2:]
    count = sum(_idle(graph, node, met[node.name]) for node in nodes)
    others = f", as in {times(len(nodes) - 1, 'layer')} more" if len(nodes) > 1 else ""
    return (
        f"{written(graph, first)} filters a map of {height}×{width}: only {len(met[first.name])} "
        f"of its {rows}×{columns} places ever meet a value that is not padding{others}: "
        f"{times(count, 'parameter')} without effect. Take a larger image, fewer strides and pools "
        "before it, or a smaller filter"
    )
