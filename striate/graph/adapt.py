"""A network's text for another image size and another number of classes, comments kept."""

from __future__ import annotations

from striate.errors import UserError
from striate.graph.build import build_graph
from striate.graph.nodes import IMAGE, Graph, Node
from striate.layers import Shape
from striate.notation import Labelled, LayerItem, Network, parse
from striate.notation.labels import inner_chains
from striate.notation.tree import Argument, Chain, Definition, Name
from striate.source import Source, Span

_KEEPS_CLASSES = ("activation", "norm", "regularise")
"""Roles of layers after the classifier that leave its number of values as it is."""


def adapt(source: Source, *, input: Shape | None, classes: int | None) -> Source:
    """The text with its `input` line and the width of its last layer changed; None keeps one.

    A tap that gives as many values as the network is a classifier too, and changes with it.
    Raises UserError when the layer that gives the classes cannot be told or stands for several
    layers at once, and NotationError when the text itself is wrong.
    """
    network = parse(source.text, source.name)
    graph = build_graph(network, input=input)
    edits: list[tuple[Span, str]] = []
    if input is not None:
        line = f"input {'x'.join(str(n) for n in input)}"
        start = network.chain.span.start
        new = (Span(start, start), f"{line}\n-> ")
        edits.append((network.input.span, line) if network.input is not None else new)
    if classes is not None and graph.output != (classes,):
        edits += _widths(network, graph, classes)
    adapted = Source(_edited(source.text, edits), source.name)
    if classes is not None:
        _check(adapted, classes)
    return adapted


def _edited(text: str, edits: list[tuple[Span, str]]) -> str:
    for span, new in sorted(edits, reverse=True):
        text = text[: span.start] + new + text[span.end :]
    return text


def _widths(network: Network, graph: Graph, classes: int) -> list[tuple[Span, str]]:
    """Edits where the text gives the number of classes: for its output, and for taps like it.

    A number that is a constant of the text changes there, for all layers that use it. Raises
    UserError where a layer that gives its own number is used for something else too.
    """
    end = _classifier(graph, graph.end)
    if end is None:
        raise UserError(
            f"{graph.name} does not end in a layer that gives the classes, so their number cannot "
            "be set. End it with -> fc-N, where N is the number of classes"
        )
    taps = [tap.node for tap in graph.taps if graph.shape(tap.node) == graph.output]
    found = [end, *(node for tap in taps if (node := _classifier(graph, tap)))]
    names = {node.name for node in found}
    constants = {each.name: each for each in network.definitions if _is_number(each)}
    edits: dict[Span, str] = {}
    for node in found:
        argument = _argument(network, node)
        if isinstance(argument.value, Name) and argument.value.name in constants:
            constant = constants[argument.value.name]
            edits[constant.span] = f"{constant.name} = {classes}"
            continue
        same = [other for other in graph if other.span == node.span]
        if any(other.name not in names and other.weights not in names for other in same):
            raise UserError(
                f"the last layer of {graph.name} stands in a part that is used {len(same)} times, "
                "so its number of classes cannot be set alone. Take it out of the repetition or "
                "definition and write it at the end: -> fc-N"
            )
        compact = network.source.text[argument.span.start] == "-"
        edits[argument.span] = f"-{classes}" if compact else f"{argument.name}={classes}"
    return list(edits.items())


def _is_number(definition: Definition) -> bool:
    return not isinstance(definition.body, Chain)


def _classifier(graph: Graph, at: int) -> Node | None:
    """The layer whose number of outputs is what a node gives, its number of classes."""
    classes = graph.shape(at)[:1]
    while at != IMAGE:
        node = graph.nodes[at]
        if hasattr(node.layer, "out_channels"):
            return node
        keeps = node.layer.role in _KEEPS_CLASSES or node.output[:1] == classes
        if len(node.inputs) > 1 or not keeps:
            break
        at = node.inputs[0]
    return None


def _argument(network: Network, node: Node) -> Argument:
    """Where the text gives the layer's out_channels."""
    chains = [network.chain]
    chains += [d.body for d in network.definitions if isinstance(d.body, Chain)]
    while chains:
        for item in chains.pop().items:
            inner = item.item if isinstance(item, Labelled) else item
            if isinstance(inner, LayerItem) and inner.span == node.span:
                for argument in inner.arguments:
                    if argument.name == "out_channels":
                        return argument
            chains += inner_chains(inner)
    raise UserError(
        f"the last layer with weights, {node.name}, gives as many channels as it takes, so the "
        "number of classes cannot be set. End the network with -> fc-N"
    )


def _check(adapted: Source, classes: int) -> None:
    graph = build_graph(parse(adapted.text, adapted.name))
    if graph.output[0] != classes:
        raise UserError(
            f"{graph.name} gives {graph.output[0]} values rather than {classes}: what follows "
            "its last layer with weights changes their number. End it with -> fc-N"
        )
