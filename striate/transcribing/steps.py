"""A network as steps: the layers of the notation that its operations are, and what each reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from striate.layers import Layer, Shape
from striate.transcribing.layouts import Layout


class Unwritten(Exception):  # noqa: N818
    """What a network does that the notation has no words for; told after its name."""


@dataclass(frozen=True)
class Weight:
    """A parameter or a buffer of the network, for a layer that wants it under its own name."""

    name: str
    transposed: bool = False
    """Whether the layer has it with its two axes exchanged."""


@dataclass(frozen=True)
class Step:
    """One layer. `inputs` are earlier steps; IMAGE is the network's input."""

    layer: Layer
    inputs: tuple[int, ...]
    output: Shape
    weights: Mapping[str, Weight] = field(default_factory=dict)
    """By the name that the layer's torch module gives it: `weight`, `running_mean`."""
    place: str = ""
    """The module of the network that computes it."""


@dataclass(frozen=True)
class Value:
    """A tensor: the step that gave its values, and how they lie in it."""

    step: int
    layout: Layout


@dataclass(frozen=True)
class Steps:
    """A network's steps in the order in which they run, and which of them are its outputs."""

    input: Shape
    steps: tuple[Step, ...]
    end: int
    taps: Mapping[str, int]
