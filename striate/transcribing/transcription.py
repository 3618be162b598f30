"""A torch network as a text of the notation, and where its weights go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import NotationError, UnwrittenError, UserError
from striate.graph import IMAGE, Graph, build_graph, load_graph
from striate.layers import Shape, show
from striate.layers.pointwise import Identity
from striate.modules.network import Network
from striate.notation import parse
from striate.notation.vocabulary import OUTPUT
from striate.source import Source
from striate.tracing.finding import check_image, locate
from striate.tracing.ledger import depends_on_data, reason
from striate.tracing.mismatches import mismatch
from striate.tracing.passes import record
from striate.tracing.record import Record
from striate.transcribing.reading import Reader
from striate.transcribing.steps import Steps, Unwritten, Value, Weight
from striate.transcribing.structure import JOINS, Tree, structure
from striate.transcribing.vocabulary import FUNCTIONS, OPERATIONS
from striate.transcribing.writing import write

_BATCH = 2
"""Images of the pass that is followed: more than one, so that a batch is told from one value."""
_MAIN = ("out", "logits", "output", "x")
"""What the main one of several outputs is called, by torchvision and others."""


@dataclass(frozen=True)
class Transcription:
    """A torch network in the notation.

    `weights` says for each entry of the state dict of `striate.modules.Network(graph)` which of
    the torch network's it is.
    """

    graph: Graph
    weights: Mapping[str, Weight]
    model: nn.Module

    @property
    def source(self) -> Source:
        """The text."""
        return self.graph.source

    @property
    def has_weights(self) -> bool:
        """Whether the torch network has values for all that it learned."""
        return not any(tensor.is_meta for tensor in self.model.parameters())

    def state_dict(self) -> dict[str, Tensor]:
        """The torch network's weights under the names of the graph, sharing its memory.

        Raises UserError for a network without memory.
        """
        given = {**dict(self.model.named_parameters()), **dict(self.model.named_buffers())}
        shapes = {name: tensor.shape for name, tensor in _outline(self.graph).items()}
        found = {}
        for name, weight in self.weights.items():
            tensor = given[weight.name].detach()
            tensor = tensor.t() if weight.transposed else tensor
            found[name] = tensor.reshape(shapes[name])
        return found


def transcribe(
    what: str | Path | nn.Module, *, input: Shape | None = None, weights: bool = False
) -> Transcription:
    """The text of any torch network that the notation has the words for.

    `what` is `timm:NAME`, `torchvision:NAME`, `module.path:factory`, an ONNX file or a live
    network, `input` the image's shape where the network does not say it. With `weights` those of
    an ONNX file are read too. The network is not changed, and nothing is computed. Raises
    UserError for what `striate.size` refuses, and where the network does what the notation cannot
    say, with the place and the reason. A network that `striate.build` made has its text already.
    """
    chosen = locate(what, weights=weights)
    if isinstance(chosen.model, Network):
        own = {name: Weight(name) for name in chosen.model.state_dict()}
        return Transcription(load_graph(chosen.model.graph, input=input), own, chosen.model)
    image = check_image(chosen, input)
    found = record(chosen.model, image, _BATCH)
    if found.stopped is not None:
        said = mismatch(found) or reason(found)
        hint = said if not depends_on_data(found) else said.partition(". ")[0]
        raise UserError(f"{chosen.name} stops in {found.stopped_at or 'its own forward'}: {hint}")
    if len(image) != 3:
        raise UserError(
            f"{chosen.name} takes {show(image)}, and the notation writes networks of images C×H×W"
        )
    try:
        steps = _steps(found)
        tree = structure(steps)
        graph = _graph(write(steps, tree), chosen.name)
    except Unwritten as error:
        raise UnwrittenError(
            f"{chosen.name} cannot be written in the notation: {error}. It can be sized, drawn and "
            "trained without"
        ) from error
    return Transcription(graph, _weights(graph, steps, tree), chosen.model)


def _graph(text: str, name: str) -> Graph:
    """The text's graph. Raises Unwritten for a layer that torch takes and the notation does not."""
    try:
        return build_graph(parse(text, name))
    except NotationError as error:
        raise Unwritten(error.problems[0].message.partition(". ")[0]) from error


def _steps(found: Record) -> Steps:
    reader = Reader(found)
    reader.run(OPERATIONS, FUNCTIONS)
    outputs = outputs_of(found.result)
    if not outputs:
        raise Unwritten("it gives no tensor")
    named: dict[str, int] = {}
    for name, tensor in outputs.items():
        value = reader.values.get(id(tensor))
        if value is None:
            raise Unwritten(f"its output {name} is not computed from the image")
        if value.step == IMAGE:
            raise Unwritten("it gives back its image")
        named[name] = _end(reader, name, value)
    main, *others = named
    taps = {identifier(name): named[name] for name in others}
    return Steps(reader.input, tuple(reader.steps), named[main], taps)


def _end(reader: Reader, name: str, value: Value) -> int:
    last = reader.record.operations[-1]
    try:
        return reader.straight(last, value)
    except Unwritten as error:
        axes = str(error).partition(" on ")[2]
        raise Unwritten(f"its output {name} is {axes}") from error


def outputs_of(result: Any) -> dict[str, Tensor]:
    """A network's outputs by name, the main one first."""
    if isinstance(result, Tensor):
        return {OUTPUT: result}
    if isinstance(result, Mapping):
        pairs = list(result.items())
    elif hasattr(result, "_fields"):
        pairs = list(zip(result._fields, result, strict=True))
    elif isinstance(result, list | tuple):
        pairs = [(f"output{i}" if i else OUTPUT, each) for i, each in enumerate(result)]
    else:
        raise Unwritten(f"it gives a {type(result).__name__}, not a tensor")
    found = {str(name): each for name, each in pairs if each is not None}
    if wrong := [name for name, each in found.items() if not isinstance(each, Tensor)]:
        raise Unwritten(f"its output {wrong[0]} is no tensor")
    main = next((name for name in _MAIN if name in found), next(iter(found), ""))
    return {main: found[main], **found} if found else {}


def identifier(name: str) -> str:
    found = re.sub(r"\W+", "_", name.lower()).strip("_")
    return f"side_{found}" if not found or found[0].isdigit() or found == OUTPUT else found


def _weights(graph: Graph, steps: Steps, tree: Tree) -> dict[str, Weight]:
    """Where each weight of the graph's module comes from: its nodes are the tree's steps."""
    order = [step for step in tree.order if step >= 0]
    nodes = [node for node in graph if type(node.layer) not in (Identity, *JOINS)]
    own = [step for step in order if type(steps.steps[step].layer) not in JOINS]
    assert [node.layer for node in nodes] == [steps.steps[step].layer for step in own]
    return {
        f"{node.name}.{name}": weight
        for node, step in zip(nodes, own, strict=True)
        if not node.weights
        for name, weight in steps.steps[step].weights.items()
    }


def _outline(graph: Graph) -> dict[str, Tensor]:
    with torch.device("meta"):
        return Network(graph).state_dict()
