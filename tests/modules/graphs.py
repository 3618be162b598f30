"""Small graphs put together by hand, for tests of the torch module alone."""

from __future__ import annotations

from striate.graph.nodes import IMAGE, Graph, Leaf, Node, Series
from striate.layers import Layer, Shape
from striate.source import Source, Span


def graph_of(
    image: Shape, *layers: tuple[str, Layer] | tuple[str, Layer, tuple[str, ...]]
) -> Graph:
    """A graph of `(name, layer[, names of inputs])`; without inputs, the layer before."""
    nodes: list[Node] = []
    index = {"image": IMAGE}
    text = " -> ".join(entry[0] for entry in layers)
    for entry in layers:
        name, layer = entry[0], entry[1]
        inputs = tuple(index[n] for n in entry[2]) if len(entry) == 3 else (len(nodes) - 1,)
        shapes = tuple(image if i == IMAGE else nodes[i].output for i in inputs)
        start = text.index(name)
        span = Span(start, start + len(name))
        index[name] = len(nodes)
        nodes.append(Node(name, layer, inputs, layer.output(shapes), span))
    structure = Series(tuple(Leaf(i) for i in range(len(nodes))))
    return Graph("test", Source(text), image, tuple(nodes), structure)
