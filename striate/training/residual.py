"""Residual blocks that begin as their shortcuts."""

from __future__ import annotations

import torch
from torch import nn

from striate.graph import IMAGE, Graph
from striate.layers import Add
from striate.layers.normalisation import BatchNorm
from striate.modules import Network


def last_norms(graph: Graph) -> list[str]:
    """The batch normalisations that end residual branches: of each sum the deepest branch's.

    What only scales, or drops the branch, may stand behind it.
    """
    depth = {IMAGE: 0}
    for index, node in enumerate(graph):
        depth[index] = 1 + max(depth[source] for source in node.inputs)
    found = []
    for node in graph:
        if isinstance(node.layer, Add):
            end = max(node.inputs, key=lambda source: depth[source])
            while end != IMAGE and graph.nodes[end].layer.role == "regularise":
                end = graph.nodes[end].inputs[0]
            if end != IMAGE and isinstance(graph.nodes[end].layer, BatchNorm):
                found.append(graph.nodes[end].weights or graph.nodes[end].name)
    return found


def zero_last_gammas(network: Network) -> None:
    """Give these a scale of 0 (Goyal et al. 2017, arXiv 1706.02677, section 5.1)."""
    for name in last_norms(network.graph):
        norm = network.get_submodule(name)
        assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
        with torch.no_grad():
            norm.weight.zero_()
