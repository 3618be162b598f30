"""The torch module of a graph: ordinary layers under the graph's names, run in its order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Any

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
from striate.modules.plan import Plan, Step, plan, tied_pools
from striate.notation.vocabulary import OUTPUT


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
        self._plan = plan(graph, {graph.end})
        taps = {tap.node for tap in graph.taps}
        self._whole = plan(graph, {graph.end, *taps}) if taps else self._plan
        tied = tied_pools(graph)
        for index, node in enumerate(graph):
            if not node.weights:
                _place(self, graph, node, tied=index in tied)

    def forward(self, image: Tensor) -> Tensor:
        """The output for a batch; what only a tap needs is not computed.

        Raises InputError when the batch does not fit the network.
        """
        return self._run(self._plan, image, (self.graph.end,))[self.graph.end]

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        """The output for a batch, as `output`, and that of every tap under its name.

        Raises InputError when the batch does not fit the network.
        """
        wanted = {OUTPUT: self.graph.end} | {tap.name: tap.node for tap in self.graph.taps}
        found = self._run(self._whole, image, wanted.values())
        return {name: found[node] for name, node in wanted.items()}

    def run_to(self, image: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The outputs of the named nodes for a batch; what they do not need is not computed.

        Raises UserError for a name that the network does not have, InputError as `forward` does.
        """
        known = {node.name: index for index, node in enumerate(self.graph)}
        wanted = dict.fromkeys(names)
        for name in wanted:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                guess = f" Did you mean {near[0]!r}?" if near else ""
                raise UserError(
                    f"the network has no layer named {name!r}.{guess} "
                    "`network.graph` lists the names of its layers"
                )
        targets = [known[name] for name in wanted]
        found = self._run(plan(self.graph, targets), image, targets)
        return {name: found[known[name]] for name in wanted}

    def module_of(self, node: Node) -> nn.Module:
        """The submodule that computes a node: one of another name where it shares its weights."""
        return self.get_submodule(node.weights or node.name)

    def _run(self, plan: Plan, image: Tensor, wanted: Collection[int]) -> dict[int, Tensor]:
        """The values of the wanted nodes."""
        values: list[Any] = [None] * plan.slots
        values[0] = image
        found = {IMAGE: image}
        try:
            for step in plan.steps:
                output = self._take(step, values)
                if step.node in wanted:
                    found[step.node] = output
        except (RuntimeError, ValueError) as error:
            needed = {step.node for step in plan.steps}
            if problem := misfit(self.graph, tuple(image.shape), needed):
                raise InputError(problem) from error
            raise
        return found

    def _take(self, step: Step, values: list[Any]) -> Tensor:
        """One step: its module on the values in its slots, the result into its own."""
        _, path, inputs, output, kept, dead, flatten = step
        module: nn.Module = self
        for part in path:
            module = module._modules[part]  # type: ignore[assignment]
        first = values[inputs[0]]
        if len(inputs) > 1:
            taken = [values[slot] for slot in inputs]
            if isinstance(taken[-1], tuple):  # what a pool has kept for an unpool
                taken[-1:] = taken[-1]
            result = module(*taken)
        elif kept is None:
            result = module(torch.flatten(first, 1) if flatten else first)
        else:
            result, indices = module(first)
            values[kept] = indices, first.shape[-2:]
        values[output] = result
        for slot in dead:
            values[slot] = None
        return result


def misfit(graph: Graph, batch: Shape, needed: Collection[int]) -> str:
    """Why a batch of that shape (N, C, H, W) cannot go through these nodes; empty when it can.

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
    if trouble := _trouble(graph, image, needed):
        fix = f"Resize the images to {show(graph.input[1:])}, or build the network for their size"
        return f"{found}: {trouble}. {fix}"
    return ""


def _trouble(graph: Graph, image: Shape, needed: Collection[int]) -> str:
    """The first layer that cannot work on images of that shape, and why."""
    outputs = {IMAGE: image}
    for index in sorted(needed):
        node = graph.nodes[index]
        inputs = tuple(outputs[i] for i in node.measured)
        try:
            outputs[index] = node.layer.output(inputs)
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


def _place(network: Network, graph: Graph, node: Node, *, tied: bool) -> None:
    """Make the layer of a node and hang it at its name."""
    parent: nn.Module = network
    *scopes, last = node.name.split(".")
    for part in scopes:
        if part not in parent._modules:
            _add(parent, part, Scope(), graph, node)
        parent = parent.get_submodule(part)
    module = _module(graph, node)
    if tied:
        module.return_indices = True  # type: ignore[assignment]
    _add(parent, last, module, graph, node)


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
