"""From a network's text or graph to a torch module with its first weights."""

from __future__ import annotations

import torch

from striate.graph.nodes import Graph
from striate.modules.initialise import initialise
from striate.modules.network import Network


def build(what: Graph | str, *, seed: int | None = None) -> Network:
    """A network as a torch module on the CPU, in float32, initialised as published.

    `what` is a graph, or what `load_graph` takes: the name of a network of the zoo, a file, a
    text. One seed gives the same weights always, whatever the state of torch's own generator,
    which is left as it was; without a seed they are new each time. Raises NotationError.
    """
    if not isinstance(what, Graph):
        from striate.graph.load import load_graph

        what = load_graph(what)
    with torch.device("meta"):
        network = Network(what)
    network.to_empty(device="cpu")
    initialise(network, seed)
    return network
