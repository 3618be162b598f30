"""The frozen graph: every layer of a network with its shape, its name and its place in the text.

A graph knows nothing of torch. The image is the input of index `IMAGE`; node `i` reads only nodes
before it, so the order of `nodes` is an order of execution. `structure` is the same network as
nested series, branches and repetitions, for drawing and for telling where a layer is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.errors import Problem
from striate.layers import Layer, Shape
from striate.source import Source, Span

IMAGE = -1
"""The index that stands for the network's input image."""


@dataclass(frozen=True)
class Node:
    """One layer in its place.

    `name` is also its prefix in the torch module's state_dict: parts joined by dots.
    """

    name: str
    layer: Layer
    inputs: tuple[int, ...]
    output: Shape
    span: Span

    @property
    def kind(self) -> str:
        """The kind's name, as in `conv`."""
        return self.layer.kind


@dataclass(frozen=True)
class Leaf:
    """One node of the graph."""

    node: int


@dataclass(frozen=True)
class Series:
    """Parts one after the other. `name` is the scope that they share, or empty."""

    parts: tuple[Part, ...]
    name: str = ""
    definition: str = ""
    """The definition that they came from, if they did."""


@dataclass(frozen=True)
class Parallel:
    """Branches of one input that meet in the node `join`."""

    branches: tuple[Series, ...]
    join: int


@dataclass(frozen=True)
class Repeat:
    """`[…]*N`: one series for each repetition."""

    rounds: tuple[Series, ...]
    span: Span


Part = Leaf | Series | Parallel | Repeat


@dataclass(frozen=True)
class Graph:
    """A network whose shapes all fit."""

    name: str
    source: Source
    input: Shape
    nodes: tuple[Node, ...]
    structure: Series
    warnings: tuple[Problem, ...] = ()
    """What is not an error but is worth saying: rows of the image that a stride leaves out."""

    @property
    def output(self) -> Shape:
        """The shape that the network gives for one image."""
        return self.nodes[-1].output

    def shapes_into(self, node: Node) -> tuple[Shape, ...]:
        """The shapes of a node's inputs, in order."""
        return tuple(self.input if i == IMAGE else self.nodes[i].output for i in node.inputs)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
