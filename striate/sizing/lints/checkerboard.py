"""Transposed convolutions whose filter their stride does not divide.

Odena, Dumoulin & Olah, "Deconvolution and Checkerboard Artifacts", Distill 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.graph import Graph, Node
from striate.layers import Pair
from striate.layers.convolution import TransposedConv
from striate.sizing.lints.finding import Lint, by_place, found, written


@dataclass(frozen=True)
class Writing:
    """How a transposed convolution writes its output."""

    kernel_size: Pair
    stride: Pair
    dilation: Pair
    out_channels: int

    def overlaps(self, axis: int) -> tuple[int, ...]:
        """Along one axis, how many weights meet each of the outputs between two inputs."""
        counts = [0] * self.stride[axis]
        for tap in range(self.kernel_size[axis]):
            counts[tap * self.dilation[axis] % self.stride[axis]] += 1
        return tuple(counts)

    @property
    def is_uneven(self) -> bool:
        """Whether some outputs are written with more weights than others."""
        return any(len(set(self.overlaps(axis))) > 1 for axis in (0, 1))

    @property
    def told(self) -> str:
        """What it does and why, of one that is uneven."""
        rows, columns = self.overlaps(0), self.overlaps(1)
        fewest, most = min(rows) * min(columns), max(rows) * max(columns)
        meets = "nothing at all" if fewest == 0 else f"{fewest}"
        return (
            f"writes a checkerboard: some pixels get {most} of its "
            f"{self.kernel_size[0] * self.kernel_size[1]} weights and some get {meets}, {self._why}"
        )

    @property
    def _why(self) -> str:
        axis = next(axis for axis in (0, 1) if len(set(self.overlaps(axis))) > 1)
        kernel_size, stride = self.kernel_size[axis], self.stride[axis]
        if kernel_size % stride:
            return f"as its stride of {stride} does not divide its filter of {kernel_size}"
        return f"as its dilation of {self.dilation[axis]} steps over its stride of {stride}"


def checkerboards(graph: Graph) -> Iterator[Lint]:
    """A warning for each transposed convolution that writes some outputs more often than others."""
    uneven = [node for node in graph if (writing := _writing(node)) and writing.is_uneven]
    for nodes in by_place(uneven):
        writing = _writing(nodes[0])
        assert writing is not None
        message = f"{written(graph, nodes[0])} {writing.told}. {_fix(writing)}"
        yield found(graph, "checkerboard", "warning", message, nodes)


def _writing(node: Node) -> Writing | None:
    layer = node.layer
    if not isinstance(layer, TransposedConv):
        return None
    return Writing(layer.kernel_size, layer.stride, layer.dilation, layer.out_channels)


def _fix(writing: Writing) -> str:
    stride, kernel_size = writing.stride[0], max(writing.kernel_size)
    if writing.stride[0] != writing.stride[1] or max(writing.dilation) > 1:
        return "Take a filter that is a multiple of the stride, without dilation"
    larger = -(-kernel_size // stride) * stride
    smaller = f" or {larger - stride}" if larger > stride else ""
    return (
        f"Take a filter of {larger}{smaller}, or upsample{stride} -> "
        f"conv{kernel_size | 1}-{writing.out_channels}"
    )
