"""Biases that batch normalisation takes away again."""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import Graph, Node
from striate.layers import product
from striate.sizing.lints.finding import Lint, found, times, written


def useless_biases(graph: Graph) -> Iterator[Lint]:
    """One note for all layers whose bias only batch normalisation reads: it subtracts the mean.

    Ioffe & Szegedy 2015, arXiv 1502.03167, section 3.2.
    """
    read_by: dict[int, list[Node]] = {}
    for node in graph:
        for source in node.inputs:
            read_by.setdefault(source, []).append(node)
    tapped = {tap.node for tap in graph.taps}
    needed = {
        node.weights or node.name
        for i, node in enumerate(graph)
        if i in tapped or i not in read_by or not all(map(_normalises, read_by[i]))
    }
    useless = [node for node in graph if _bias(graph, node) and node.name not in needed]
    if useless:
        yield found(graph, "useless bias", "note", _message(graph, useless), useless)


def _bias(graph: Graph, node: Node) -> int:
    """How many numbers of its own a layer adds, one to each whole channel."""
    if node.weights:
        return 0
    shape = node.layer.weights(graph.shapes_into(node)).get("bias", ())
    return product(shape) if len(shape) == 1 and node.layer.role in ("conv", "linear") else 0


def _normalises(node: Node) -> bool:
    return node.kind.endswith("bn")


def _message(graph: Graph, nodes: list[Node]) -> str:
    count = sum(_bias(graph, node) for node in nodes)
    others = f", as in {times(len(nodes) - 1, 'layer')} more" if len(nodes) > 1 else ""
    return (
        f"{written(graph, nodes[0])} adds a bias that the batch normalisation behind it "
        f"subtracts{others}: {times(count, 'parameter')} without effect. Write nobias"
    )
