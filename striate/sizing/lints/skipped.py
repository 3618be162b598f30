"""Rows and columns inside a volume that no layer reads: strides and dilations pass over them."""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import IMAGE, Graph, Node
from striate.layers import POINT, Shape, Window
from striate.sizing.lints.finding import Lint, found, written

LONGEST = 1 << 16
"""Volumes with more rows or columns are not looked at."""


def skipped(graph: Graph) -> Iterator[Lint]:
    """A note for each volume of which all readers pass over rows or columns in its midst."""
    told = set()
    tapped = {tap.node for tap in graph.taps}
    for volume, readers in _readers(graph).items():
        strided = [node for node in readers if _has_gaps(graph, node)]
        if volume in tapped or len(strided) < len(readers) or readers[0].span in told:
            continue
        shape = graph.shapes_into(readers[0])[0]
        rows, columns = (_read_by_any(graph, readers, axis) for axis in (0, 1))
        if _has_holes(rows) or _has_holes(columns):
            told.add(readers[0].span)
            yield _lint(graph, readers, shape, rows.bit_count(), columns.bit_count())


def _readers(graph: Graph) -> dict[int, list[Node]]:
    """The nodes that read each node's output, or the image."""
    readers: dict[int, list[Node]] = {}
    for node in graph:
        for source in set(node.inputs):
            readers.setdefault(source, []).append(node)
    return readers


def _window(graph: Graph, node: Node) -> Window:
    return node.layer.window(graph.shapes_into(node), node.output)


def _has_gaps(graph: Graph, node: Node) -> bool:
    """Whether its windows may leave rows between them, by their stride."""
    if len(node.inputs) > 1 or len(node.output) != 3 or max(graph.shapes_into(node)[0]) > LONGEST:
        return False
    window = _window(graph, node)
    if window is POINT or window.whole:
        return False
    return any(
        isinstance(stride, int)
        and isinstance(dilation, int)
        and (stride > kernel_size or (dilation > 1 and (stride > 1 or units < dilation)))
        for stride, dilation, kernel_size, units in zip(
            window.stride, window.dilation, window.kernel_size, node.output[1:], strict=True
        )
    )


def _read_by_any(graph: Graph, readers: list[Node], axis: int) -> int:
    """The rows (or columns) that these nodes read, as the bits of a number."""
    read = 0
    for node in readers:
        window = _window(graph, node)
        length = graph.shapes_into(node)[0][1 + axis]
        stride, before = int(window.stride[axis]), int(window.before[axis])
        dilation = int(window.dilation[axis])
        units = int(("0" * (stride - 1) + "1") * node.output[1 + axis], 2)
        for tap in range(window.kernel_size[axis]):
            moved = tap * dilation - before
            read |= (units << moved if moved >= 0 else units >> -moved) & ((1 << length) - 1)
    return read


def _has_holes(read: int) -> bool:
    """Whether an unread row lies before one that is read."""
    return read & (read + 1) != 0


def _lint(graph: Graph, readers: list[Node], shape: Shape, rows: int, columns: int) -> Lint:
    _, height, width = shape
    share = 1 - rows * columns / (height * width)
    reader = readers[0]
    what = "the image" if reader.inputs == (IMAGE,) else "the volume before it"
    message = (
        f"{written(graph, reader)} reads {rows} of {height} rows and {columns} of {width} columns, "
        f"and nothing else reads the rest: {share:.0%} of {what} goes nowhere. "
        f"{_fix(_window(graph, reader), min(reader.output[1:]))}"
    )
    return found(graph, "skipped rows", "note", message, readers)


def _fix(window: Window, units: int) -> str:
    stride = max(int(window.stride[0]), int(window.stride[1]))
    if stride == 1:
        return f"Take a dilation of at most {units}, or pad it with same"
    if max(window.dilation) > 1:
        fix = f"Let its dilation share no factor with the stride of {stride}"
    else:
        fix = f"Give it a filter of at least {stride}×{stride}"
    return f"{fix}, or write avgpool{stride} before it and leave its stride out"
