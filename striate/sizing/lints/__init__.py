"""Rules that a network's sizes are held against: losses are warnings, matters of choice notes."""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import Graph
from striate.sizing.lints.alignment import out_of_line
from striate.sizing.lints.biases import useless_biases
from striate.sizing.lints.checkerboard import checkerboards
from striate.sizing.lints.fields import beyond_the_image, smaller_than_the_object
from striate.sizing.lints.finding import Lint, at
from striate.sizing.lints.holes import sampling_holes
from striate.sizing.lints.multiples import uneven_sizes
from striate.sizing.lints.padding import weights_on_padding
from striate.sizing.lints.skipped import skipped
from striate.sizing.lints.turns import broken_turns

__all__ = ["Lint", "lint"]

RULES = (
    checkerboards,
    sampling_holes,
    skipped,
    uneven_sizes,
    beyond_the_image,
    out_of_line,
    useless_biases,
    weights_on_padding,
    broken_turns,
)


def lint(graph: Graph, *, object: int | None = None) -> tuple[Lint, ...]:
    """What there is to say of a network, the warnings first.

    `object` is the size in pixels of what is to be recognised on the image.
    """
    lints = list(_unread(graph))
    for rule in RULES:
        lints += rule(graph)
    if object is not None:
        lints += smaller_than_the_object(graph, object)
    return tuple(sorted(lints, key=lambda lint: (lint.level == "note", lint.span)))


def _unread(graph: Graph) -> Iterator[Lint]:
    """What was found while the graph was built."""
    for problem in graph.warnings:
        layers = [
            node.name
            for node in graph
            if node.span == problem.span and node.layer.lost(graph.shapes_into(node)) != (0, 0)
        ]
        yield at(graph, "unread rows", "warning", problem, layers)
