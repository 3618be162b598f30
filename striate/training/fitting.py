"""A network and a data set brought together: the image size and the number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from striate.data import Preprocess, native_shape
from striate.errors import Problem, ShapeError, UserError
from striate.graph import Graph, load_graph
from striate.graph.adapt import adapt
from striate.layers import Shape, product, show
from striate.modules import Network
from striate.programs import Subject
from striate.source import Source


class Written:
    """A network in the notation that is to be trained on some pictures."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def own(self) -> Shape:
        """The image that it is written for. Raises ShapeError where it does not fit that."""
        return load_graph(self.source).input

    def takes(self, input: Shape) -> bool:
        """Whether images of that shape go through it."""
        try:
            load_graph(self.source, input=input)
        except ShapeError:
            return False
        return True

    def fitted(self, input: Shape, classes: int) -> Fitted:
        """It for these images and classes."""
        before = load_graph(self.source, input=input).output
        adapted = adapt(self.source, input=input, classes=classes)
        _require_scores(load_graph(adapted), classes)
        return Fitted(adapted, {}, _other_classes(before, classes))


class Followed:
    """A torch network that the notation has no words for, to be trained on some pictures."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.source = subject.source

    @property
    def own(self) -> Shape:
        """The image that it is made for."""
        return self.subject.own

    def takes(self, input: Shape) -> bool:
        """Whether images of that shape go through it."""
        return self.subject.takes(input)

    def fitted(self, input: Shape, classes: int) -> Fitted:
        """It for these images and classes. Raises UserError where it cannot be followed."""
        found = self.subject.recording(input, classes)
        program = found.program.to_source()
        graph = load_graph(program)
        if graph.output != (classes,):
            raise UserError(
                f"{self.source.name} ends in {show(graph.output)} values, but {classes} classes "
                "take one score each. Give it a last layer that gives them"
            )
        return Fitted(program, found.state_dict(), _other_classes(found.before, classes))


@dataclass(frozen=True)
class Fitted:
    """A network for the images and classes of a data set."""

    text: Source
    weights: Mapping[str, Tensor]
    """Those of the torch network that it is; none for a text."""
    notice: str
    """That the number of classes changed, if it did."""


def choose_input(network: Written | Followed, data: str, wanted: Shape | None) -> tuple[Shape, str]:
    """The image shape C×H×W to train at, and a notice when it is not the network's own.

    The wish, if there is one. Else the size that all pictures share, if the network takes it and it
    is not larger than the network's own; else the network's own size.
    """
    if wanted is not None:
        return wanted, ""
    native = native_shape(data)
    try:
        own = network.own
    except ShapeError:
        if native is None:
            raise
        return native, ""
    if native is None or native == own:
        return own, ""
    if native[1] <= own[1] and native[2] <= own[2] and network.takes(native):
        return native, f"input {show(native)}, as the pictures are, in place of {show(own)}"
    chosen = (native[0], *own[1:])
    if not network.takes(chosen):
        chosen = own
    notice = f"pictures of {show(native)} are resized to {show(chosen)}, what the network takes"
    return chosen, notice


def _other_classes(before: Shape, classes: int) -> str:
    changed = before and before[0] != classes
    return f"{classes} classes in place of {before[0]}" if changed else ""


def start_from(
    network: Network, weights: Mapping[str, Tensor], whose: str = "the network's own weights"
) -> str:
    """Give a network these first weights, where their shapes fit, and a notice of what has others.

    The last layer has others where the number of classes changed.
    """
    if not weights:
        return ""
    own = network.state_dict()
    fitting = {
        name: each
        for name, each in weights.items()
        if name in own and own[name].shape == each.shape
    }
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
