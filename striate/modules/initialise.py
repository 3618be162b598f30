"""First weights as the papers drew them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from striate.graph.nodes import IMAGE, Graph
from striate.layers.normalisation import BatchNorm
from striate.layers.pointwise import Sigmoid, Softmax, Tanh
from striate.modules.network import Network

Follower = Literal["rectifier", "squashing", "nothing"]
"""What the values of a layer go through next: a ReLU or its kin, tanh or sigmoid, no activation."""

_ORDER: tuple[Follower, ...] = ("rectifier", "squashing")


def initialise(network: Network, seed: int | None = None) -> None:
    """Fill all weights and buffers of a network in place, as published:

    - before a ReLU and its kin: normal of variance 2/fan (He et al. 2015, arXiv 1502.01852). The
      fan is what a unit feeds (eq. 14) for a convolution that batch normalisation follows, as in
      torchvision's ResNet; without normalisation it is what a unit reads (eq. 10), so that
      signals keep their size on the way to the scores;
    - before tanh or sigmoid: uniform within ±sqrt(6/(fan_in + fan_out)) (Glorot & Bengio 2010,
      eq. 16);
    - the layer that gives the scores, with no activation after it: uniform within
      ±sqrt(1/fan_in), which torchvision's ResNet and AlexNet take over from torch. After 4096
      neurons that is a deviation of 0.009, where Krizhevsky et al. 2012 have 0.01;
    - biases 0; batch normalisation scale 1, shift 0 and fresh statistics.

    Each layer declares its fans (`Layer.fans`): what one unit is connected to. Without a seed the
    weights are new each time. torch's global generator is neither read nor moved.
    """
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    followers = _followers(network.graph)
    normalised = {
        i for node in network.graph if isinstance(node.layer, BatchNorm) for i in node.inputs
    }
    for index, node in enumerate(network.graph):
        if node.weights:
            continue
        module = network.get_submodule(node.name)
        fans = node.layer.fans(network.graph.shapes_into(node))
        if fans is not None:
            by_reads = index not in normalised or node.layer.role == "linear"
            for name, weight in module.named_parameters(recurse=False):
                if name == "weight":
                    _draw(weight, fans, followers[index], by_reads, generator)
                else:
                    nn.init.zeros_(weight)
        elif callable(reset := getattr(module, "reset_parameters", None)):
            reset()


def _draw(
    weight: Tensor,
    fans: tuple[float, float],
    follower: Follower,
    by_reads: bool,
    generator: torch.Generator,
) -> None:
    fan_in, fan_out = fans
    if follower == "rectifier":
        fan = fan_in if by_reads else fan_out
        nn.init.normal_(weight, 0.0, math.sqrt(2 / fan), generator=generator)
    else:
        bound = math.sqrt(6 / (fan_in + fan_out) if follower == "squashing" else 1 / fan_in)
        nn.init.uniform_(weight, -bound, bound, generator=generator)


def _followers(graph: Graph) -> list[Follower]:
    """For each node, the activation that its output meets before other weights do.

    Where no activation but other weights follow (MobileNetV2's linear bottleneck), the output
    counts as rectified; where branches part, a rectifier on any of them decides.
    """
    met: list[set[Follower]] = [set() for _ in graph.nodes]
    for index in range(len(graph.nodes) - 1, -1, -1):
        layer = graph.nodes[index].layer
        if isinstance(layer, Tanh | Sigmoid):
            seen: set[Follower] = {"squashing"}
        elif isinstance(layer, Softmax) or layer.role not in ("activation", "conv", "linear"):
            seen = met[index]
        else:
            seen = {"rectifier"}
        for source in graph.nodes[index].inputs:
            if source != IMAGE:
                met[source] |= seen
    return [next((kind for kind in _ORDER if kind in seen), "nothing") for seen in met]
