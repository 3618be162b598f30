"""Receptive fields beside the image and beside the object that is looked for."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from striate.errors import UserError
from striate.graph import IMAGE, Graph, Node
from striate.layers import Window, product
from striate.sizing.counts import count_parameters
from striate.sizing.lints.extents import Extents, extents
from striate.sizing.lints.finding import Lint, found, lengths, times, written

LEAST_SHARE = 0.1
"""The share of the convolutions' parameters that must be beyond the image before it is said."""


def beyond_the_image(graph: Graph) -> Iterator[Lint]:
    """A note when filters widen fields that cover the image already, on every path to them.

    From the first such layer on no context is added (Richter, Schöning, Wiedenroth & Krumnack
    2021, "Should You Go Deeper?", arXiv 2106.12307: the border layer).
    """
    seen = extents(graph)
    filters = [node for node in graph if node.layer.role == "conv"]
    late = [
        node
        for node, narrows in zip(graph, _narrowing(graph), strict=True)
        if narrows and _is_wide(graph, node) and _covers(_before(seen, node), graph)
    ]
    held, total = (sum(_parameters(graph, node) for node in nodes) for nodes in (late, filters))
    if late and held >= LEAST_SHARE * total:
        yield found(
            graph, "field beyond the image", "note", _large(graph, late, held / total), late
        )


def _narrowing(graph: Graph) -> list[bool]:
    """For each node whether nothing up to it enlarges: a decoder's filters have another purpose."""
    known = [True]
    for node in graph:
        enlarges = node.kind == "tconv" or min(_window(graph, node).stride) < 1
        known.append(not enlarges and all(known[i - IMAGE] for i in node.inputs))
    return known[1:]


def _window(graph: Graph, node: Node) -> Window:
    return node.layer.window(graph.shapes_into(node), node.output)


def _is_wide(graph: Graph, node: Node) -> bool:
    window = _window(graph, node)
    return node.layer.role == "conv" and not window.whole and max(window.kernel_size) > 1


def _before(seen: list[Extents | None], node: Node) -> Extents | None:
    """What the units see that a node reads."""
    at = node.inputs[0]
    return seen[at] if at != IMAGE else None


def _covers(before: Extents | None, graph: Graph) -> bool:
    return before is not None and all(
        before[axis].fewest > graph.input[1 + axis] for axis in (0, 1)
    )


def _large(graph: Graph, late: list[Node], share: float) -> str:
    seen = extents(graph)
    fields = [each for node in late if (each := _before(seen, node)) is not None]
    sees = lengths(int(fields[0][0].fewest), int(fields[0][1].fewest))
    height, width = (max(int(each[axis].fewest) for each in fields) for axis in (0, 1))
    return (
        f"{written(graph, late[0])} meets units that already see {sees} of an image of "
        f"{graph.input[1]}×{graph.input[2]}: in its middle, filters add no context from here on "
        f"({times(len(late), 'layer')} with {share:.0%} of the convolutions' parameters). Take "
        f"images of {height}×{width}, or fewer layers, pools and strides before it"
    )


def _parameters(graph: Graph, node: Node) -> int:
    """The parameters that are the layer's own; shared ones count where they belong."""
    return 0 if node.weights else count_parameters(node.layer, graph.shapes_into(node))


def smaller_than_the_object(graph: Graph, object: int) -> Iterator[Lint]:
    """A warning when the last units with a place on the image see less than an object.

    Those are the units that global pooling averages, or the network's own output. A fully
    connected layer over a map sees all of it, and there is nothing to warn of. Raises UserError
    for an object larger than the image.
    """
    if object > min(graph.input[1:]):
        raise UserError(
            f"an object of {object} pixels does not fit into an image of {graph.input[1]}×"
            f"{graph.input[2]}. Give the size that it has on the image"
        )
    seen = extents(graph)
    at, reader = len(graph.nodes) - 1, None
    while at != IMAGE and seen[at] is None:
        reader, at = graph.nodes[at], graph.nodes[at].inputs[0]
    if at == IMAGE or (reader is not None and _keeps_places(graph, reader)):
        return
    extent = seen[at]
    assert extent is not None
    if min(extent[0].most, extent[1].most) < object:
        node = graph.nodes[at]
        while max(_window(graph, node).kernel_size) == 1 and node.inputs[0] != IMAGE:
            node = graph.nodes[node.inputs[0]]
        jump = max(min(each[0].jump, each[1].jump) for each in seen if each is not None)
        message = _small(extent, object, reader, int(jump))
        yield found(graph, "field below the object", "warning", message, [node])


def _keeps_places(graph: Graph, reader: Node) -> bool:
    """Whether a layer reads a whole map with a weight for each of its places."""
    return reader.kind in ("fc", "flatten") and product(graph.shapes_into(reader)[0][1:]) > 1


def _small(extent: Extents, object: int, reader: Node | None, jump: int) -> str:
    rows, columns = extent
    more = ceil((object - min(rows.most, columns.most)) / (2 * jump))
    what = "of the output" if reader is None else f"that {reader.kind} takes together"
    layers = "One more 3×3 layer" if more == 1 else f"{more} more 3×3 layers"
    where = "here" if min(rows.jump, columns.jump) == jump else "where the map is smallest"
    return (
        f"an object of {object}×{object} is not seen whole: the units {what} see "
        f"{lengths(int(rows.most), int(columns.most))}. {layers} {where} would do "
        f"({2 * jump} rows and columns each), or a pool before"
    )
