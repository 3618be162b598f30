"""A torch module that does what an ONNX graph says, one module for each operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.errors import UserError
from striate.onnx_files.given import Given, Known, Value
from striate.onnx_files.known import KNOWN, filled, shape
from striate.onnx_files.naming import names, split_path
from striate.onnx_files.operations import OPERATIONS
from striate.onnx_files.reading import GraphInput, Node, OnnxGraph, Weight, read

ALWAYS_KNOWN = {"ConstantOfShape": filled, "Shape": shape}
"""Operations whose result is known whatever the images are."""
WEIGHTY = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "BatchNormalization", "PRelu"),
    *("InstanceNormalization", "LayerNormalization", "GroupNormalization"),
)
"""Operations all of whose tensors from the file are weights."""
NUMBERS = ("Clip", "Dropout", "Pad", "Pow", "Range", "Resize", "TopK", "Upsample")
"""Operations that read no weights."""
STATISTICS = {"BatchNormalization": (3, 4)}
"""The places of weights that are not learned."""


def load_onnx(path: str | Path) -> nn.Module:
    """The network in an ONNX file as a torch module in evaluation, with the file's weights.

    It takes and gives what the file says, N×C×H×W for images; another batch than the file's own
    is taken too. Nothing of the file is run but its operations. Raises UserError for a file that
    cannot be read, and for operations that are not known.
    """
    return OnnxNetwork(Path(path), read(Path(path), values=True)).eval()


class OnnxNetwork(nn.Module):
    """An ONNX graph, operation by operation; weights whose values were not read have no memory."""

    def __init__(self, path: Path, graph: OnnxGraph) -> None:
        super().__init__()
        _check(path, graph)
        self.inputs: tuple[GraphInput, ...] = graph.inputs
        self.outputs = graph.outputs
        self.steps: list[Step] = []
        shared: dict[str, Tensor] = {}
        ready = _made_ready(graph)
        nodes = [node for node in graph.nodes if node.outputs[0] not in ready]
        read = [{*_behind(node, ready)} for node in nodes]
        images = _of_images(graph)
        for node, name in zip(nodes, names(nodes, graph, ready), strict=True):
            layer = _kind(node)(node, graph, ready, shared)
            self._place(name, layer)
            self.steps.append(Step(node, name, bool(images.intersection(node.inputs))))
        last = {each: index for index, names_read in enumerate(read) for each in names_read}
        for index, step in enumerate(self.steps):
            step.done_with = [each for each in read[index] if last[each] == index]

    @property
    def image(self) -> Any:
        """The inputs without the batch, as `striate.size` takes them; None where a size is open."""
        shapes = [each.shape[1:] for each in self.inputs]
        if any(size is None for shape in shapes for size in shape) or not all(shapes):
            return None
        return shapes[0] if len(shapes) == 1 else dict(zip(self._names(), shapes, strict=True))

    def _names(self) -> list[str]:
        return [each.name for each in self.inputs]

    def _place(self, name: str, layer: nn.Module) -> None:
        holders, own = split_path(name)
        holder: nn.Module = self
        for each in holders:
            if each not in holder._modules:
                holder.add_module(each, nn.Module())
            holder = holder.get_submodule(each)
        holder.add_module(own, layer)

    def forward(self, *images: Tensor, **named: Tensor) -> Any:
        given = dict(zip(self._names(), images, strict=False)) | named
        values: dict[str, Value] = dict(given)
        batch = self._batches(given)
        for step in self.steps:
            layer = self.get_submodule(step.name)
            read = [values.get(each) for each in step.node.inputs]
            found = layer(*read, batch=batch if step.batched else (0, 0))
            results = found if isinstance(found, tuple) else (found,)
            values |= dict(zip(step.node.outputs, results, strict=False))
            for each in step.done_with:
                if each not in self.outputs:
                    values.pop(each, None)
        outputs = tuple(values[each] for each in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def _batches(self, given: dict[str, Tensor]) -> tuple[int, int]:
        """The batch that the file was written for, 0 where it is open, and the one that runs."""
        first = self.inputs[0]
        return (first.shape[0] or 0) if first.shape else 0, len(given[first.name])


@dataclass
class Step:
    """One operation in the order of the file."""

    node: Node
    name: str
    batched: bool
    """Whether it reads values of images, so that its constants may have the file's batch."""
    done_with: Sequence[str] = ()
    """Values that nothing behind it reads."""


class Layer(nn.Module):
    """One operation with its weights, and with the operations that make these ready for it."""

    def __init__(
        self, node: Node, graph: OnnxGraph, ready: dict[str, Node], shared: dict[str, Tensor]
    ) -> None:
        super().__init__()
        self.node, self.opset = node, graph.opset
        self.numbers: dict[str, Known] = {}
        self.places: dict[str, str] = {}
        self.ready = ready
        for place, name in enumerate(node.inputs):
            self._take(name, place, node, graph, shared)

    def _take(
        self, name: str, place: int, node: Node, graph: OnnxGraph, shared: dict[str, Tensor]
    ) -> None:
        if name in self.ready:
            for i, each in enumerate(self.ready[name].inputs):
                self._take(each, i, self.ready[name], graph, shared)
        elif name in graph.weights and name not in self.places:
            weight = graph.weights[name]
            if is_weight(node, weight):
                self._hold(name, shared.setdefault(name, _tensor(weight)), place)
            else:
                self.numbers[name] = _value(node, name, weight)
        elif name in graph.constants:
            self.numbers[name] = graph.constants[name]

    def _hold(self, name: str, tensor: Tensor, place: int) -> None:
        own = name.rpartition(".")[2] if "." in name else f"weight{place or ''}"
        if not own.isidentifier() or hasattr(self, own):
            own = f"weight{len(self.places)}"
        self.places[name] = own
        if place in STATISTICS.get(self.node.operation, ()):
            self.register_buffer(own, tensor.detach())
        else:
            self.register_parameter(own, tensor)  # type: ignore[arg-type]

    def forward(self, *values: Value, batch: tuple[int, int]) -> Any:
        given = dict(zip(self.node.inputs, values, strict=True))
        return self._run(self.node, given, batch)

    def _run(self, node: Node, given: dict[str, Value], batch: tuple[int, int]) -> Any:
        read = [self._value(name, given, batch) for name in node.inputs]
        call = Given(node, read, self.opset, self.training, batch)
        if node.operation in ALWAYS_KNOWN:
            return ALWAYS_KNOWN[node.operation](call)
        if node.operation in KNOWN and not any(isinstance(each, Tensor) for each in read):
            return KNOWN[node.operation](call)
        return OPERATIONS[node.operation](call)

    def _value(self, name: str, given: dict[str, Value], batch: tuple[int, int]) -> Value:
        if name in self.places:
            tensor: Tensor = getattr(self, self.places[name])
            return tensor
        if name in self.ready:
            found: Value = self._run(self.ready[name], given, (0, 0))  # weights have no batch
            return found
        return self.numbers[name] if name in self.numbers else given.get(name)


def _of_images(graph: OnnxGraph) -> set[str]:
    """The values that depend on those of the images, and have their batch then."""
    images = {each.name for each in graph.inputs}
    for node in graph.nodes:
        if node.operation not in ALWAYS_KNOWN and images.intersection(node.inputs):
            images.update(node.outputs)
    return images


def _made_ready(graph: OnnxGraph) -> dict[str, Node]:
    """The operations whose results depend on weights alone, by the name of the result."""
    ready: dict[str, Node] = {}
    numbers = {*graph.weights, *graph.constants}
    for node in graph.nodes:
        read = [each for each in node.inputs if each]
        weighs = any(
            each in ready or (each in graph.weights and is_weight(node, graph.weights[each]))
            for each in read
        )
        single = len([each for each in node.outputs if each]) == 1
        if weighs and single and all(each in ready or each in numbers for each in read):
            ready[node.outputs[0]] = node
    return ready


def _behind(node: Node, ready: dict[str, Node]) -> Iterator[str]:
    """What an operation reads, with those that make its weights ready."""
    for each in node.inputs:
        if each in ready:
            yield from _behind(ready[each], ready)
        elif each:
            yield each


def is_weight(node: Node, weight: Weight) -> bool:
    """Whether a tensor of the file is a weight of the operation that reads it, or a number."""
    if not weight.floating or node.operation in NUMBERS:
        return False
    return node.operation in WEIGHTY or int(np.prod(weight.shape)) > 1


def _value(node: Node, name: str, weight: Weight) -> Known:
    if weight.value is None:
        raise UserError(
            f"the {node.operation} {node.name!r} reads a table of "
            f"{'×'.join(map(str, weight.shape))} whole numbers ({name!r}), more than are read "
            "for sizes"
        )
    return weight.value


def _tensor(weight: Weight) -> nn.Parameter:
    if weight.value is None:
        return nn.Parameter(torch.empty(weight.shape, device="meta"))
    return nn.Parameter(torch.from_numpy(np.array(weight.value)).float())


def _kind(node: Node) -> type[Layer]:
    """A class of the operation's name, so that a table says what a layer is."""
    return type(node.operation, (Layer,), {})


def _check(path: Path, graph: OnnxGraph) -> None:
    """Refuse what is not known, all of it at once."""
    supported = {*OPERATIONS, *KNOWN, *ALWAYS_KNOWN}
    unknown = Counter(each.operation for each in graph.nodes if each.operation not in supported)
    if unknown:
        first = next(each for each in graph.nodes if each.operation in unknown)
        listed = ", ".join(f"{name} ({count})" for name, count in unknown.most_common())
        near = get_close_matches(first.operation, supported, n=1)
        guess = f" Near to it is {near[0]}." if near else ""
        raise UserError(
            f"{path} has operations that striate does not read: {listed}. The first is "
            f"{first.name or first.outputs[0]!r}.{guess} Known are those of docs/any-network.md"
        )
    if not graph.inputs:
        raise UserError(f"{path} takes no input, so that there is nothing to size")
