"""The torch module of a graph: ordinary layers under the graph's names, run in its order."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

import torch
from torch import Tensor, nn

from striate.errors import NotationError, Problem, UserError
from striate.graph.nodes import IMAGE, Graph, Node
from striate.layers import (
    Add,
    Concat,
    FullyConnected,
    MismatchError,
    Multiply,
    Shape,
    product,
    show,
)


class InputError(UserError, ValueError):
    """A batch of images that a network cannot take."""


class Sum(nn.Module):
    """Branches of one shape, added value by value."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = first + other
        return first


class DepthConcat(nn.Module):
    """Branches joined along the channel axis."""

    def forward(self, *branches: Tensor) -> Tensor:
        return torch.cat(branches, 1)


class Product(nn.Module):
    """Branches multiplied value by value; one of N×C×1×1 or N×C counts at every position."""

    def forward(self, *branches: Tensor) -> Tensor:
        rank = max(branch.dim() for branch in branches)
        first, *others = (
            branch if branch.dim() == rank else branch[:, :, None, None] for branch in branches
        )
        for other in others:
            first = first * other
        return first


class Scope(nn.Module):
    """One part of a dotted name: it holds the layers whose names begin with it."""


class Step(NamedTuple):
    """One node's work on numbered slots, which hold the values that are still to be read."""

    name: str
    path: tuple[str, ...]
    inputs: tuple[int, ...]
    output: int
    dead: tuple[int, ...]
    """Other slots that nothing reads after this step."""
    flatten: bool


class Network(nn.Module):
    """A graph as a torch module. Input N×C×H×W, output N×(the graph's output shape).

    Each node of the graph is one submodule of the same name (`nn.Conv2d`, `nn.BatchNorm2d`, …), so
    the keys of `state_dict()` are the graph's names followed by `.weight`, `.bias` and so on. The
    submodules are looked up by name at each call: replace one, and the new one runs. Weights are
    what the layers' constructors leave; `striate.modules.build` initialises them as published.

    Raises NotationError for a name that torch keeps for itself.
    """

    graph: Graph
    """The network that this module computes."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._plan, self._slots = _plan(graph)
        for node in graph:
            _place(self, graph, node)

    def forward(self, image: Tensor) -> Tensor:
        """The output for a batch. Raises InputError when the batch does not fit the network."""
        try:
            values = self._slots_for(image)
            output = image
            for step in self._plan:
                output = self._take(step, values)
        except (RuntimeError, ValueError) as error:
            self._explain(image, error)
            raise
        return output

    def run_to(self, image: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the named nodes for a batch; nothing after the last of them is computed.

        Raises UserError for a name that the network does not have, InputError as `forward` does.
        """
        wanted = dict.fromkeys(names)
        known = [step.name for step in self._plan]
        for name in wanted:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                guess = f" Did you mean {near[0]!r}?" if near else ""
                raise UserError(
                    f"the network has no layer named {name!r}.{guess} "
                    "`network.graph` lists the names of its layers"
                )
        found: dict[str, Tensor] = {}
        try:
            values = self._slots_for(image)
            for step in self._plan:
                if len(found) == len(wanted):
                    break
                output = self._take(step, values)
                if step.name in wanted:
                    found[step.name] = output
        except (RuntimeError, ValueError) as error:
            self._explain(image, error)
            raise
        return {name: found[name] for name in wanted}

    def _slots_for(self, image: Tensor) -> list[Tensor | None]:
        values: list[Tensor | None] = [None] * self._slots
        values[0] = image
        return values

    def _take(self, step: Step, values: list[Tensor | None]) -> Tensor:
        _, path, inputs, output, dead, flatten = step
        module: nn.Module = self
        for part in path:
            module = module._modules[part]  # type: ignore[assignment]
        if len(inputs) == 1:
            value = values[inputs[0]]
            assert value is not None
            result = module(torch.flatten(value, 1) if flatten else value)
        else:
            result = module(*[values[slot] for slot in inputs])
        for slot in dead:
            values[slot] = None
        values[output] = result
        return result

    def _explain(self, image: Tensor, error: Exception) -> None:
        """Raise what is wrong with a batch in the user's terms, if the batch is what is wrong."""
        if problem := misfit(self.graph, tuple(image.shape)):
            raise InputError(problem) from error


def misfit(graph: Graph, batch: Shape) -> str:
    """Why a batch of that shape (N, C, H, W) cannot go through a graph; empty when it can.

    A network takes another height and width than those it was written with as long as every
    layer still gets an input that it has weights for: a fully connected one the same number of
    values, a locally connected one the same size.
    """
    wanted = show(graph.input)
    if len(batch) != 4:
        found = f"the network takes a batch of N×{wanted}, not {show(batch)}"
        return f"{found}. Add the batch axis in front"
    image = batch[1:]
    found = f"the network takes images of {wanted}, not {show(image)}"
    if image[0] != graph.input[0]:
        return f"{found}. Give images of {graph.input[0]} channels"
    if trouble := _trouble(graph, image):
        fix = f"Resize the images to {show(graph.input[1:])}, or build the network for their size"
        return f"{found}: {trouble}. {fix}"
    return ""


def _trouble(graph: Graph, image: Shape) -> str:
    """The first layer that cannot work on images of that shape, and why."""
    outputs: list[Shape] = []
    for node in graph:
        inputs = tuple(image if i == IMAGE else outputs[i] for i in node.inputs)
        try:
            outputs.append(node.layer.output(inputs))
        except MismatchError as mismatch:
            return f"at {node.name}, {str(mismatch).partition('. ')[0]}"
        shapes = graph.shapes_into(node)
        if node.layer.weights(inputs) == node.layer.weights(shapes):
            continue
        if isinstance(node.layer, FullyConnected):
            had, has = product(shapes[0]), product(inputs[0])
            return f"they bring {has:,} values to {node.name} in place of {had:,}"
        return f"{node.name} has weights for {show(shapes[0])}, and would get {show(inputs[0])}"
    return ""


def _plan(graph: Graph) -> tuple[tuple[Step, ...], int]:
    """The steps of a run, and how many slots they need. Slot 0 holds the image at the start."""
    last_reader = {i: reader for reader, node in enumerate(graph.nodes) for i in node.inputs}
    slot_of = {IMAGE: 0}
    free: list[int] = []
    slots = 1
    steps = []
    for index, node in enumerate(graph.nodes):
        inputs = tuple(slot_of[i] for i in node.inputs)
        released = {slot_of[i] for i in node.inputs if last_reader[i] == index}
        free.extend(released)
        if not free:
            free.append(slots)
            slots += 1
        slot_of[index] = output = free.pop()
        flatten = isinstance(node.layer, FullyConnected) and len(graph.shapes_into(node)[0]) > 1
        path = tuple(node.name.split("."))
        dead = tuple(released - {output})
        steps.append(Step(node.name, path, inputs, output, dead, flatten))
    return tuple(steps), slots


def _place(network: Network, graph: Graph, node: Node) -> None:
    """Make the layer of a node and hang it at its name."""
    parent: nn.Module = network
    *scopes, last = node.name.split(".")
    for part in scopes:
        if part not in parent._modules:
            _add(parent, part, Scope(), graph, node)
        parent = parent.get_submodule(part)
    _add(parent, last, _module(graph, node), graph, node)


def _add(parent: nn.Module, name: str, module: nn.Module, graph: Graph, node: Node) -> None:
    if not isinstance(parent, Network | Scope) or hasattr(parent, name):
        message = (
            f"a layer cannot be called {name!r} in a torch module, which has an attribute of that "
            f"name. Choose another label, for example {name}_1"
        )
        raise NotationError(graph.source, [Problem(message, node.span)])
    parent.add_module(name, module)


def _module(graph: Graph, node: Node) -> nn.Module:
    match node.layer:
        case Add():
            return Sum()
        case Concat():
            return DepthConcat()
        case Multiply():
            return Product()
        case layer:
            return layer.module(graph.shapes_into(node))
