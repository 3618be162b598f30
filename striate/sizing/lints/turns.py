"""Layers at which a network over turns stops answering to a turned image by a turn."""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import Graph, Node
from striate.layers import Shape, show
from striate.layers.filters import FilterLayer
from striate.layers.group_convolution import P4Lift
from striate.layers.group_norm import P4BatchNorm
from striate.layers.group_pooling import P4Pool
from striate.layers.normalisation import BatchNorm
from striate.layers.pooling import Pool
from striate.sizing.lints.finding import Lint, found, written

_IMAGE, _TOLD = 1, 0
"""Elements that the channels of a volume stand for: one, or what does not matter any more."""


def broken_turns(graph: Graph) -> Iterator[Lint]:
    """A warning for each layer that treats the turns of one feature unlike each other.

    Cohen & Welling 2016, arXiv 1602.07576: every layer of an equivariant network has to be
    equivariant itself.
    """
    orders = [_IMAGE]
    told = set()
    for node in graph:
        into = {orders[i + 1] for i in node.inputs}
        problem = "" if _TOLD in into else _problem(graph, node, into)
        orders.append(_TOLD if problem or _TOLD in into else _gives(node, into))
        if problem and node.span not in told:
            told.add(node.span)
            yield found(graph, "broken turns", "warning", problem, [node])


def _gives(node: Node, into: set[int]) -> int:
    match node.layer:
        case P4Lift(order=order):
            return order
        case P4Pool():
            return _IMAGE
    return max(into)


def _problem(graph: Graph, node: Node, into: set[int]) -> str:
    shapes = graph.shapes_into(node)
    order = max(into)
    match node.layer:
        case P4Lift(copies=wanted) | P4Pool(order=wanted) | P4BatchNorm(order=wanted):
            return "" if into == {wanted} else _other_channels(graph, node, shapes[0], wanted)
    if order == _IMAGE or (len(into) == 1 and node.layer.keeps_turns(shapes)):
        return ""
    text, group = written(graph, node), "p4" if order == 4 else "p4m"
    if isinstance(node.layer, Pool) and len(into) == 1:
        return (
            f"{text} lies unevenly on its {show(shapes[0][1:])} input, so on the turned image it "
            "takes other values together, and the turns are features of the image no longer. Use a "
            "square window and a stride that come out even at the end, such as pool2 on an even "
            "size or pool3/2 on an odd one"
        )
    return (
        f"{text} treats the {order} turns of a feature unlike each other, so that a turned image "
        f"gives other features. {_fix(node, group)}"
    )


def _fix(node: Node, group: str) -> str:
    match node.layer:
        case BatchNorm():
            return f"Write {group}bn"
        case FilterLayer():
            return f"Write {group}conv in its place, or put {group}pool before it"
    return f"Put {group}pool before it"


def _other_channels(graph: Graph, node: Node, shape: Shape, wanted: int) -> str:
    text = written(graph, node)
    if wanted == _IMAGE:
        group = node.kind.removesuffix("lift")
        return (
            f"{text} takes its {shape[0]} channels for those of an image, but they are features in "
            f"their turns. Write {group}conv, or put {group}pool before it"
        )
    group = "p4" if wanted == 4 else "p4m"
    return (
        f"{text} takes its {shape[0]} channels for {shape[0] // wanted} features in {wanted} turns "
        f"each, which they are not. Make them of an image with {group}lift, and let nothing but "
        f"{group}conv change their number"
    )
