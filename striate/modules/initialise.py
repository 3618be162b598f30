"""First weights as the papers drew them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from striate.graph.nodes import IMAGE, Graph
from striate.layers.pointwise import Sigmoid, Softmax, Tanh
from striate.modules.network import Network

Follower = Literal["rectifier", "squashing", "nothing"]
"""What the values of a layer go through next: a ReLU or its kin, tanh or sigmoid, no activation."""

_ORDER: tuple[Follower, ...] = ("rectifier", "squashing")
_SCORES_DEVIATION = 0.01


def initialise(network: Network, seed: int | None = None) -> None:
    """Fill all weights and buffers of a network in place, as published:

    - before a ReLU and its kin: normal, variance 2/fan (He et al. 2015, arXiv 1502.01852, eq. 10
      and 14), the fan being that of the output for convolutions, as in their ResNet and
      torchvision's, and that of the input for fully connected layers;
    - before tanh or sigmoid: uniform within ±sqrt(6/(fan_in + fan_out)) (Glorot & Bengio 2010,
      eq. 16);
    - the layer that gives the scores, with no activation after it: normal of deviation 0.01
      (Krizhevsky et al. 2012, section 5; torchvision's VGG and MobileNetV2 have the same);
    - biases 0; batch normalisation scale 1, shift 0 and fresh statistics.

    The fans of a grouped convolution count what one unit is connected to. Without a seed the
    weights are new each time. torch's global generator is neither read nor moved.
    """
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    followers = _followers(network.graph)
    for node, follower in zip(network.graph, followers, strict=True):
        _fill(network.get_submodule(node.name), follower, generator)


def _fill(module: nn.Module, follower: Follower, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        fan_in, fan_out = _fans(module)
        if follower == "squashing":
            bound = math.sqrt(6 / (fan_in + fan_out))
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        else:
            fan = fan_in if isinstance(module, nn.Linear) else fan_out
            deviation = _SCORES_DEVIATION if follower == "nothing" else math.sqrt(2 / fan)
            nn.init.normal_(module.weight, 0.0, deviation, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.reset_parameters()


def _fans(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> tuple[int, int]:
    """Connections of one output unit, and of one input unit at stride 1."""
    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    window = math.prod(module.kernel_size)
    return (
        module.in_channels // module.groups * window,
        module.out_channels // module.groups * window,
    )


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
