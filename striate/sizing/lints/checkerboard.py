"""Transposed convolutions whose filter their stride does not divide.

Odena, Dumoulin & Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.
"""

from __future__ import annotations

from collections.abc import Iterator

from striate.graph import Graph, Node
from striate.layers.convolution import TransposedConv
from striate.sizing.lints.finding import Lint, by_place, found, written


def checkerboards(graph: Graph) -> Iterator[Lint]:
    """A warning for each transposed convolution that writes some outputs more often than others."""
    uneven = [
        node
        for node in graph
        if isinstance(node.layer, TransposedConv)
        and any(len(set(overlaps(node.layer, axis))) > 1 for axis in (0, 1))
    ]
    for nodes in by_place(uneven):
        assert isinstance(nodes[0].layer, TransposedConv)
        message = _message(graph, nodes[0], nodes[0].layer)
        yield found(graph, "checkerboard", "warning", message, nodes)


def overlaps(layer: TransposedConv, axis: int) -> tuple[int, ...]:
    """Along one axis, how many weights meet each of the outputs that lie between two inputs."""
    stride, dilation = layer.stride[axis], layer.dilation[axis]
    counts = [0] * stride
    for tap in range(layer.kernel_size[axis]):
        counts[tap * dilation % stride] += 1
    return tuple(counts)


def _message(graph: Graph, node: Node, layer: TransposedConv) -> str:
    rows, columns = overlaps(layer, 0), overlaps(layer, 1)
    fewest, most = min(rows) * min(columns), max(rows) * max(columns)
    meets = "nothing at all" if fewest == 0 else f"{fewest}"
    return (
        f"{written(graph, node)} writes a checkerboard: some pixels get {most} of its "
        f"{layer.kernel_size[0] * layer.kernel_size[1]} weights and some get {meets}, "
        f"{_reason(layer)}. {_fix(layer)}"
    )


def _reason(layer: TransposedConv) -> str:
    axis = next(axis for axis in (0, 1) if len(set(overlaps(layer, axis))) > 1)
    kernel_size, stride = layer.kernel_size[axis], layer.stride[axis]
    if kernel_size % stride:
        return f"as its stride of {stride} does not divide its filter of {kernel_size}"
    return f"as its dilation of {layer.dilation[axis]} steps over its stride of {stride}"


def _fix(layer: TransposedConv) -> str:
    stride = layer.stride[0]
    if layer.stride[0] != layer.stride[1] or max(layer.dilation) > 1:
        return "Take a filter that is a multiple of the stride, without dilation"
    larger = -(-max(layer.kernel_size) // stride) * stride
    smaller = f" or {larger - stride}" if larger > stride else ""
    return (
        f"Take a filter of {larger}{smaller}, or upsample{stride} -> "
        f"conv{max(layer.kernel_size) | 1}-{layer.out_channels}"
    )
