"""Rows of a volume that no layer reads, and the sizes of the image at which there are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from striate.errors import Problem
from striate.graph.nodes import Node
from striate.graph.sizes import FARTHEST, SEARCH_WORK
from striate.layers import Layer, MismatchError, Pair, Shape
from striate.source import Source, Span


def unread_rows(
    nodes: Sequence[Node], input: Shape, source: Source, places: Sequence[str]
) -> tuple[Problem, ...]:
    """A warning for each layer that leaves the end of a volume unread while no other reads it.

    `places` says for each node where in the network's expansion it stands.
    """
    shapes = [input, *(node.output for node in nodes)]
    found: dict[Span, tuple[int, Pair]] = {}
    for i, lost in _unread(nodes, shapes):
        found.setdefault(nodes[i].span, (i, lost))
    if not found:
        return ()
    sizes = fitting_sizes(nodes, input)
    warnings = []
    for span, (i, lost) in found.items():
        shape = shapes[nodes[i].inputs[0] + 1]
        message = _message(nodes[i], shape, lost, source, sizes)
        warnings.append(Problem(message + places[i], span))
    return tuple(warnings)


def _unread(nodes: Sequence[Node], shapes: Sequence[Shape]) -> Iterator[tuple[int, Pair]]:
    """`(node, rows and columns lost)` where all readers of a volume leave its end unread.

    `shapes[0]` is the image's, `shapes[i + 1]` that of node i.
    """
    least: dict[int, tuple[int, Pair]] = {}
    for i, node in enumerate(nodes):
        for source in node.inputs:
            lost = node.layer.lost((shapes[source + 1],)) if len(node.inputs) == 1 else (0, 0)
            reader, before = least.get(source, (i, lost))
            least[source] = reader, (min(lost[0], before[0]), min(lost[1], before[1]))
    for reader, lost in least.values():
        if lost != (0, 0):
            yield reader, lost


def fitting_sizes(nodes: Sequence[Node], input: Shape) -> tuple[Pair, ...]:
    """The nearest smaller and larger sizes of the image at which every row is read."""
    lost = _lost_anywhere(nodes, input)
    assert lost is not None
    found = []
    for direction in (-1, 1):
        size = list(input[1:])
        for axis in (0, 1):
            if lost[axis]:
                size[axis] = _fitting_length(nodes, input, axis, direction)
        if min(size) > 0:
            found.append((size[0], size[1]))
    return tuple(found)


def _fitting_length(nodes: Sequence[Node], input: Shape, axis: int, direction: int) -> int:
    """The nearest length of one axis at which all along it is read; 0 when none is near."""
    for step in range(1, min(FARTHEST, SEARCH_WORK // (4 * len(nodes))) + 1):
        changed = list(input)
        changed[1 + axis] += direction * step
        if changed[1 + axis] < 1:
            break
        lost = _lost_anywhere(nodes, tuple(changed))
        if lost is not None and not lost[axis]:
            return changed[1 + axis]
    return 0


def _lost_anywhere(nodes: Sequence[Node], input: Shape) -> tuple[bool, bool] | None:
    """Whether rows, and whether columns, stay unread; None for an image that does not fit."""
    shapes = [input]
    try:
        for node in nodes:
            shapes.append(node.layer.output(tuple(shapes[i + 1] for i in node.measured)))
    except MismatchError:
        return None
    found = [lost for _, lost in _unread(nodes, shapes)]
    return any(rows for rows, _ in found), any(columns for _, columns in found)


def _message(node: Node, shape: Shape, lost: Pair, source: Source, sizes: Sequence[Pair]) -> str:
    text = " ".join(source.text[node.span.start : node.span.end].split())
    fixes = []
    if padding := _fitting_padding(node.layer, shape):
        fixes.append(f"pad with p{padding}")
    if sizes:
        shown = " or ".join(f"{height}×{width}" for height, width in sizes)
        fixes.append(f"start from an image of {shown}")
    fix = f"; {', or '.join(fixes)}" if fixes else ""
    return f"{text} leaves {last_lines(lost)} of its {shape[1]}×{shape[2]} input unread{fix}"


def last_lines(lost: Pair) -> str:
    """`the last row and column`, `the last 2 rows`."""
    rows, columns = lost
    if rows == columns:
        return "the last row and column" if rows == 1 else f"the last {rows} rows and columns"
    parts = [
        f"the last {word}" if count == 1 else f"the last {count} {word}s"
        for count, word in ((rows, "row"), (columns, "column"))
        if count
    ]
    return " and ".join(parts)


def _fitting_padding(layer: Layer, shape: Shape) -> int | None:
    """The smallest padding on all sides with which the layer reads all of its input."""
    if not any(setting.name == "padding" for setting in layer.settings):
        return None
    kernel_size: Pair = layer.kernel_size  # type: ignore[attr-defined]
    changed: Any = layer
    for padding in range(1, max(kernel_size) + 1):
        changed = replace(changed, padding=padding)
        try:
            changed.output((shape,))
        except MismatchError:
            continue
        if changed.lost((shape,)) == (0, 0):
            return padding
    return None
