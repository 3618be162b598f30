"""Graphs run with plain torch layers: the oracle for what the ledger states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.graph import IMAGE, Graph, Node

Run = Callable[[Graph, Tensor], list[Tensor]]


@pytest.fixture(scope="session")
def averaging() -> Run:
    """Runs a graph as averages of what each unit reads: gradients show what that is.

    Every filter is constant and sums to one, there are no biases, and maxima are means.
    """
    return lambda graph, image: _run(graph, image, _averaging_layer)


@pytest.fixture(scope="session")
def plain() -> Run:
    """Runs a graph as it is, on any device."""
    return lambda graph, image: _run(graph, image, _plain_layer)


def _run(graph: Graph, image: Tensor, build: Callable[[Graph, Node], nn.Module]) -> list[Tensor]:
    outputs = [image]
    for node in graph:
        inputs = [outputs[i - IMAGE] for i in node.inputs]
        if node.kind == "concat":
            outputs.append(torch.cat(inputs, dim=1))
        elif node.kind == "add":
            outputs.append(torch.stack(inputs).sum(dim=0))
        elif node.kind == "multiply":
            first, *others = (
                value if value.dim() == 4 else value[..., None, None] for value in inputs
            )
            for other in others:
                first = first * other
            outputs.append(first)
        else:
            layer = build(graph, node).to(image.device, image.dtype).eval()
            outputs.append(layer(inputs[0].flatten(1) if node.kind == "fc" else inputs[0]))
    return outputs[1:]


def _plain_layer(graph: Graph, node: Node) -> nn.Module:
    return node.layer.module(graph.shapes_into(node))


def _averaging_layer(graph: Graph, node: Node) -> nn.Module:
    layer = _plain_layer(graph, node)
    if isinstance(layer, nn.MaxPool2d):
        return nn.AvgPool2d(
            layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode
        )
    if node.layer.role in ("conv", "linear"):
        weight = layer.weight
        nn.init.constant_(weight, 1 / weight[0].numel())
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer
