"""What a layer holds and costs: its learned parameters, and the products of its backward pass."""

from __future__ import annotations

from striate.graph import IMAGE, Graph
from striate.layers import Layer, Shape, product

FLOAT_BYTES = 4
"""Bytes of a value in float32."""


def count_parameters(layer: Layer, inputs: tuple[Shape, ...]) -> int:
    """Learned numbers of a layer for inputs of these shapes: weights, biases, scales and shifts.

    The running statistics of batch normalisation are not learned and not counted.
    """
    return sum(product(shape) for shape in layer.weights(inputs).values())


def backward_macs(graph: Graph) -> list[int]:
    """The MACs of each layer's backward pass, for one image, by the convention of docs/macs.md.

    A product of the forward pass comes back once in the gradient of the weights, where the layer
    has weights, and once in that of its input, where anything before it has.
    """
    learns: dict[int, bool] = {IMAGE: False}
    found = []
    for index, node in enumerate(graph):
        shapes = graph.shapes_into(node)
        values = node.inputs[:1] if node.shaped_by else node.inputs
        has_weights = bool(node.layer.weights(shapes))
        reads_learned = any(learns[i] for i in values)
        learns[index] = has_weights or reads_learned
        found.append(node.layer.macs(shapes, node.output) * (has_weights + reads_learned))
    return found
