"""Where a network gives its scores: at its end, and at side outputs that help it to learn."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from striate.graph import IMAGE, Graph, Node
from striate.layers import product
from striate.layers.pointwise import Softmax
from striate.modules import Network
from striate.training.prepare import to_scores


def heads(graph: Graph) -> list[str]:
    """The layers that give a score for each class: the last one's, then those of the taps.

    Of a head that ends in a softmax it is the layer before: the loss has a softmax of its own. A
    tap that gives another number of values than the network is for the eye and not for the loss.
    """
    classes = product(graph.output)
    taps = [tap.node for tap in graph.taps if product(graph.shape(tap.node)) == classes]
    return [_before_softmax(graph, end) for end in (graph.end, *taps)]


def scores_of(network: Network) -> Callable[[Tensor], list[Tensor]]:
    """What computes the scores N×K of each head, in float32, for a batch of images."""
    names = heads(network.graph)

    def scores(images: Tensor) -> list[Tensor]:
        found = network.run_to(images, names)
        if network.graph.program is not None:  # its softmax is a part of what was followed
            return [to_scores(network.graph, found[name]) for name in names]
        return [found[name].float().flatten(1) for name in names]

    return scores


def head_layers(graph: Graph) -> set[str]:
    """The layers that make the scores: of each head the last one with weights."""
    known = {node.name: index for index, node in enumerate(graph)}
    found = set()
    for name in heads(graph):
        at = known[name]
        while at != IMAGE and not _has_weights(graph, graph.nodes[at]):
            at = graph.nodes[at].inputs[0]
        if at != IMAGE:
            found.add(graph.nodes[at].weights or graph.nodes[at].name)
    return found


def _has_weights(graph: Graph, node: Node) -> bool:
    return bool(node.layer.weights(graph.shapes_into(node)))


def _before_softmax(graph: Graph, end: int) -> str:
    node = graph.nodes[end]
    return graph.nodes[node.inputs[0]].name if isinstance(node.layer, Softmax) else node.name
