"""The graph of a network: its layers in order, with their names, shapes and places in the text."""

from striate.graph.build import build_graph
from striate.graph.load import find_source, load_graph
from striate.graph.nodes import (
    IMAGE,
    Graph,
    Jump,
    Leaf,
    Node,
    Parallel,
    Part,
    Repeat,
    Series,
    Side,
    Tap,
)

__all__ = [
    "IMAGE",
    "Graph",
    "Jump",
    "Leaf",
    "Node",
    "Parallel",
    "Part",
    "Repeat",
    "Series",
    "Side",
    "Tap",
    "build_graph",
    "find_source",
    "load_graph",
]
