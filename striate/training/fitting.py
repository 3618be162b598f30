"""A network and a data set brought together: the image size and the number of classes."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from striate.data import Preprocess, native_shape
from striate.errors import Problem, ShapeError, UserError
from striate.graph import Graph, load_graph
from striate.graph.adapt import adapt
from striate.layers import Shape, product, show
from striate.modules import Network
from striate.source import Source


def choose_input(source: Source, data: str, wanted: Shape | None) -> tuple[Shape, str]:
    """The image shape C×H×W to train at, and a notice when it is not the text's own.

    The wish, if there is one. Else the size that all pictures share, if the network takes it and it
    is not larger than the network's own; else the network's own size.
    """
    if wanted is not None:
        return wanted, ""
    native = native_shape(data)
    try:
        own = load_graph(source).input
    except ShapeError:
        if native is None:
            raise
        return native, ""
    if native is None or native == own:
        return own, ""
    if native[1] <= own[1] and native[2] <= own[2]:
        try:
            load_graph(source, input=native)
            return (
                native,
                f"input {show(native)}, as the pictures are, in place of {show(own)}",
            )
        except ShapeError:
            pass
    chosen = (native[0], *own[1:])
    notice = f"pictures of {show(native)} are resized to {show(chosen)}, what the network takes"
    return chosen, notice


def fit_to_data(source: Source, input: Shape, classes: int) -> tuple[Source, str]:
    """The text for these images and classes, and a notice when the number of classes changed."""
    before = load_graph(source, input=input).output
    adapted = adapt(source, input=input, classes=classes)
    _require_scores(load_graph(adapted), classes)
    changed = before[0] != classes
    return adapted, f"{classes} classes in place of {before[0]}" if changed else ""


def start_from(
    network: Network, weights: Mapping[str, Tensor], whose: str = "the network's own weights"
) -> str:
    """Give a network these first weights, where their shapes fit, and a notice of what has others.

    The last layer has others where the number of classes changed.
    """
    if not weights:
        return ""
    own = network.state_dict()
    fitting = {name: each for name, each in weights.items() if own[name].shape == each.shape}
    network.load_state_dict(fitting, strict=False)
    learned = [name for name, _ in network.named_parameters()]
    fresh = dict.fromkeys(name.rpartition(".")[0] for name in learned if name not in fitting)
    others = f"; those of {', '.join(fresh)} are new" if fresh else ""
    return f"training starts from {whose}{others}"


def _require_scores(graph: Graph, classes: int) -> None:
    """Raise ShapeError for a network whose output is a map rather than one score a class."""
    if product(graph.output) != classes:
        message = (
            f"the network ends in {show(graph.output)} values, but {classes} classes take one "
            f"score each. End it with -> gap, or with -> fc-{classes}"
        )
        raise ShapeError(graph.source, [Problem(message, graph.nodes[graph.end].span)])


def preprocess_for(input: Shape) -> Preprocess:
    """How pictures become inputs of that shape. Raises UserError for odd numbers of channels."""
    channels, height, width = input
    if channels not in (1, 3):
        raise UserError(
            f"the network's input has {channels} channels; pictures have 1 (grey) or 3 (colour). "
            "Give --input 1xHxW or 3xHxW"
        )
    return Preprocess(channels, height, width)
