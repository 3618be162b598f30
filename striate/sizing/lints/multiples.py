"""Sizes of the image that the strides divide without a rest, all the way down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from striate.graph import IMAGE, Graph, Node
from striate.graph.sizes import SEARCH_WORK
from striate.layers import MismatchError, Shape
from striate.sizing.lints.finding import Lint, found, written


def uneven_sizes(graph: Graph) -> Iterator[Lint]:
    """A note at the first layer whose stride does not divide the rows or columns that it meets.

    Only layers that would give exactly size/stride count: a padded convolution, a pool as wide as
    its stride. An unpadded filter wants other sizes, and says so where it loses rows.
    """
    shapes = [graph.input, *(node.output for node in graph)]
    uneven = [
        node
        for i, node in enumerate(graph)
        if any(_is_uneven(node, shapes[node.inputs[0] - IMAGE], axis) for axis in (0, 1))
    ]
    if uneven:
        yield found(graph, "uneven size", "note", _message(graph, uneven[0]), uneven)


def _stride(node: Node, shape: Shape, axis: int) -> int:
    """The stride along one axis, of a layer that slides a window over a volume; else 1."""
    if len(shape) != 3 or len(node.inputs) != 1 or len(node.output) != 3:
        return 1
    window = node.layer.window((shape,), node.output)
    stride = window.stride[axis]
    return stride if isinstance(stride, int) and not window.whole else 1


def _divides(node: Node, shape: Shape, axis: int) -> bool:
    """Whether a layer turns any multiple of its stride into exactly so many parts."""
    stride = _stride(node, shape, axis)
    if stride < 2:
        return False
    size = list(shape)
    size[1 + axis] = -(-shape[1 + axis] // stride) * stride
    try:
        return node.layer.output((tuple(size),))[1 + axis] == size[1 + axis] // stride
    except MismatchError:
        return False


def _is_uneven(node: Node, shape: Shape, axis: int) -> bool:
    stride = _stride(node, shape, axis)
    return stride > 1 and shape[1 + axis] % stride > 0 and _divides(node, shape, axis)


def _message(graph: Graph, node: Node) -> str:
    shape = graph.shapes_into(node)[0]
    parts = [
        f"{shape[1 + axis]} {word} by {_stride(node, shape, axis)}"
        for axis, word in enumerate(("rows", "columns"))
        if _is_uneven(node, shape, axis)
    ]
    if len(parts) == 2 and parts[0] == parts[1].replace("columns", "rows"):
        parts = [parts[0].replace("rows", "rows and columns")]
    return (
        f"an image of {graph.input[1]}×{graph.input[2]} does not divide evenly: "
        f"{written(graph, node)} divides {' and '.join(parts)}. {_fix(graph)}"
    )


def _fix(graph: Graph) -> str:
    steps = [_strides_down(graph, axis) for axis in (0, 1)]
    sizes = [_fitting(graph, axis, prod(steps[axis])) for axis in (0, 1)]
    if not all(sizes):
        return "Change its padding, or the size of the image"
    shown = " or ".join(
        f"{height}×{width}" for height, width in dict.fromkeys(zip(*sizes, strict=True))
    )
    wanted = [_wanted(steps[axis], sizes[axis]) for axis in (0, 1)]
    if wanted[0] == wanted[1]:
        return f"{wanted[0][0].upper()}{wanted[0][1:]}, fit: take {shown}"
    return f"Rows in {wanted[0]}, and columns in {wanted[1]}, fit: take {shown}"


def _wanted(steps: Sequence[int], sizes: Sequence[int]) -> str:
    """`multiples of 32, the product of its strides (2·2·2·2·2)`."""
    step = prod(steps)
    found = f"product of its strides ({'·'.join(map(str, steps))})" if len(steps) > 1 else "stride"
    form = "sizes in steps" if any(size % step for size in sizes) else "multiples"
    return f"{form} of {step}, the {found}"


def _strides_down(graph: Graph, axis: int) -> tuple[int, ...]:
    """The dividing strides above the layer behind most of them, from the image on."""
    chains: dict[int, tuple[int, ...]] = {IMAGE: ()}
    for i, node in enumerate(graph):
        source = max((chains[j] for j in node.inputs), key=prod)
        shape = graph.shapes_into(node)[0]
        if _divides(node, shape, axis):
            source = (*source, _stride(node, shape, axis))
        chains[i] = source
    return max(chains.values(), key=prod)


def _fitting(graph: Graph, axis: int, step: int) -> tuple[int, ...]:
    """The nearest size along one axis below (or equal) and above that all strides divide."""
    size = graph.input[1 + axis]
    if _fits(graph, axis, size):
        return (size, size)
    nearest = []
    for direction in (-1, 1):
        for away in range(1, min(step, SEARCH_WORK // (4 * len(graph.nodes))) + 1):
            tried = size + direction * away
            if tried > 0 and _fits(graph, axis, tried):
                nearest.append(tried)
                break
    return (nearest[0], nearest[-1]) if nearest else ()


def _fits(graph: Graph, axis: int, size: int) -> bool:
    image = list(graph.input)
    image[1 + axis] = size
    shapes = [tuple(image)]
    try:
        for node in graph:
            inputs = tuple(shapes[i - IMAGE] for i in node.measured)
            if _is_uneven(node, inputs[0], axis):
                return False
            shapes.append(node.layer.output(inputs))
    except MismatchError:
        return False
    return True
