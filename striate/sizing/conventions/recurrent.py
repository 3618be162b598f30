"""Recurrent layers, which two tools count alike: all weights at every step, and a little more."""

from __future__ import annotations

from collections.abc import Mapping

from striate.layers import product
from striate.sizing.conventions.use import Use


def recurrent(use: Use, extras: Mapping[str, int]) -> int:
    """All weights and biases for each step of each image, and `extras` for each unit of a state.

    The input is N×T×C or T×N×C; `extras` gives its number by the class.
    """
    states = [shape[1] for name, shape in use.weights.items() if name.startswith("weight_hh")]
    step = sum(map(product, use.weights.values())) + extras[use.name] * sum(states)
    return product(use.inputs[0][:2]) * step
