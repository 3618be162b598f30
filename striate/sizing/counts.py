"""What a layer holds: its learned parameters."""

from __future__ import annotations

from striate.layers import Layer, Shape, product

FLOAT_BYTES = 4
"""Bytes of a value in float32."""


def count_parameters(layer: Layer, inputs: tuple[Shape, ...]) -> int:
    """Learned numbers of a layer for inputs of these shapes: weights, biases, scales and shifts.

    The running statistics of batch normalisation are not learned and not counted.
    """
    return sum(product(shape) for shape in layer.weights(inputs).values())
