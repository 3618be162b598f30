"""The frozen graph: every layer of a network with its shape, its name and its place in the text.

A graph knows nothing of torch. The image is the input of index `IMAGE`; node `i` reads only nodes
before it, so the order of `nodes` is an order of execution. `structure` is the same network as
nested series, branches and repetitions, for drawing and for telling where a layer is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.errors import Problem
from striate.graph.program import Program
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
    weights: str = ""
    """The node whose weights this one uses (`again`); empty where it has its own, or none."""
    shaped_by: tuple[int, ...] = ()
    """Further nodes that decide its output's shape without being read: an unpool's pool's input."""

    @property
    def kind(self) -> str:
        """The kind's name, as in `conv`."""
        return self.layer.kind

    @property
    def measured(self) -> tuple[int, ...]:
        """The nodes whose shapes the layer is given, in order: its inputs first."""
        return self.inputs + self.shaped_by


@dataclass(frozen=True)
class Tap:
    """A side output: what a node gives, under a name of its own."""

    name: str
    node: int
    span: Span


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
    again: str = ""
    """The full name of the part that they are once more, if they are."""


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


@dataclass(frozen=True)
class Side:
    """A tap: parts on the way from the main line to a side output, or none."""

    body: Series
    tap: str


@dataclass(frozen=True)
class Jump:
    """`from label`: the line goes on from the value of the part of the full name `target`."""

    label: str
    target: str


Part = Leaf | Series | Parallel | Repeat | Side | Jump


@dataclass(frozen=True)
class Graph:
    """A network whose shapes all fit."""

    name: str
    source: Source
    input: Shape
    nodes: tuple[Node, ...]
    structure: Series
    end: int
    """The node that gives the network's output; only taps may follow it."""
    taps: tuple[Tap, ...] = ()
    warnings: tuple[Problem, ...] = ()
    """What is not an error but is worth saying: rows of the image that a stride leaves out."""
    program: Program | None = None
    """What torch does for the network where its source is a program and no text; its layers are
    then as they were seen, for images of this size alone."""

    @property
    def output(self) -> Shape:
        """The shape that the network gives for one image."""
        return self.nodes[self.end].output

    def shape(self, index: int) -> Shape:
        """The shape that a node gives, or that of the image."""
        return self.input if index == IMAGE else self.nodes[index].output

    def shapes_into(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that a node's layer is given, those of its inputs first."""
        return tuple(self.shape(i) for i in node.measured)

    def weights(self, node: Node) -> dict[str, Shape]:
        """Shapes of the weights that a node holds itself, by their names."""
        return {} if node.weights else node.layer.weights(self.shapes_into(node))

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
