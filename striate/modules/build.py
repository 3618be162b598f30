"""From a network's text or graph to a torch module with its first weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from striate.graph.load import load_graph
from striate.graph.nodes import Graph
from striate.modules.initialise import initialise
from striate.modules.network import Network
from striate.modules.replay import Replay
from striate.source import Source


def build(what: str | Path | Source | Graph, *, seed: int | None = None) -> Network:
    """A network as a torch module on the CPU, in float32, initialised as published.

    `what` is a graph or what `load_graph` takes: the name of a network of the zoo, a file, a text.
    A seed gives the same weights always, whatever the state of torch's global generator, which is
    left as it was; without one they are new each time. The weights of a program are all 0: they
    are to be loaded. Raises UserError as `load_graph` does, and NotationError for a name that torch
    keeps for itself.
    """
    network = outline(what)
    _allocate(network)
    if not isinstance(network, Replay):
        initialise(network, seed)
    return network


def outline(what: str | Path | Source | Graph) -> Network:
    """The same network without memory, on torch's meta device: names, shapes, and no values.

    `load_state_dict(weights, assign=True)` fills it with weights of its own.
    """
    graph = load_graph(what)
    with torch.device("meta"):
        return Network(graph) if graph.program is None else Replay(graph)


def _allocate(network: Network) -> None:
    """Give memory to the weights of a network made on the meta device.

    `Module.to_empty` does the same through a path that imports sympy, which takes half a second.
    """
    for module in network.modules():
        for name, weight in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.zeros(weight.shape, dtype=weight.dtype)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros(buffer.shape, dtype=buffer.dtype))
