"""The layers of a traced network: its leaf modules, and the operations between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from striate.layers import Shape
from striate.tracing.fields import Sight
from striate.tracing.macs import Reached, backward_macs, is_uncounted, macs
from striate.tracing.record import Call, Operation, Record, tensors
from striate.tracing.sights import Sights

INPUT = "input"
"""The name of the image, as in every ledger."""

_FROM_SHAPES = ("new_", "empty", "zeros", "ones", "full", "rand", "arange", "scalar_tensor")
"""How operations begin that read the shapes of tensors and none of their values."""


@dataclass
class Layer:
    """One row of the ledger to be."""

    name: str
    kind: str
    """The module's class, or the operation."""
    notation: str
    operations: list[Operation] = field(default_factory=list)
    inputs: dict[str, None] = field(default_factory=dict)
    weights: str = ""
    own: dict[str, nn.Parameter] = field(default_factory=dict)
    """The parameters that it is the first to use."""
    macs: int = 0
    backward_macs: int = 0
    saved_bytes: int = 0
    uncounted: dict[str, None] = field(default_factory=dict)
    output: list[Tensor] = field(default_factory=list)
    """What it gives; empty for parameters that nothing uses."""

    sight: Sight | None = None
    """What its units see, where it is known."""
    reads_image: bool = False
    """Whether what it gives depends on the image, and not on weights alone."""
    told: bool = False
    """Whether that is said of its output, and not of a step on the way."""
    unknown: dict[str, None] = field(default_factory=dict)
    """Operations of which it is not known what they read, though it was known up to them."""

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.own.values())

    @property
    def output_bytes(self) -> int:
        """Those of the batch's output, without the indices that come with it."""
        values = [each for each in self.output if each.is_floating_point()] or self.output
        return sum(each.numel() * each.element_size() for each in values)

    def shape_of_one(self, batch: int) -> Shape:
        """The output's shape for one image: the first axis holds the batch, or a multiple of it."""
        shape = tuple(self.output[0].shape) if self.output else ()
        if not shape or shape[0] % batch:
            return shape
        return shape[1:] if shape[0] == batch else (shape[0] // batch, *shape[1:])


def layers(record: Record) -> list[Layer]:
    """The layers in the order in which they run, then those whose parameters were not used."""
    return _Gathering(record).run()


def layers_and_sources(record: Record) -> tuple[list[Layer], Mapping[int, str]]:
    """The same, and for each tensor, by `id`, the layer that it comes from."""
    gathering = _Gathering(record)
    return gathering.run(), gathering.source


def is_view(operation: Operation) -> bool:
    """Whether an operation gives another look at a tensor, and no values of its own."""
    returned = [each.alias_info for each in operation.function._schema.returns]
    return bool(returned) and all(alias and not alias.is_write for alias in returned)


class _Gathering:
    """Goes through the operations in order; knows of every tensor which layer it comes from."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.made: list[Layer] = []
        self.of_call: dict[int, Layer] = {}
        self.names: dict[str, int] = {}
        self.source = dict.fromkeys(map(id, record.inputs), INPUT)
        self.sights = Sights(record.inputs)
        self.reached = Reached(record)
        named = dict(record.network.named_parameters())
        self.own: dict[int, dict[str, nn.Parameter]] = {
            id(parameter): {name: parameter} for name, parameter in named.items()
        }
        self.holder: dict[str, Layer] = {}
        self.waiting_bytes = 0
        self.waiting: dict[str, nn.Parameter] = {}

    def run(self) -> list[Layer]:
        for operation in self.record.operations:
            self._take(operation)
        if self.made:
            self.made[-1].saved_bytes += self.waiting_bytes
            self._hold(self.made[-1], self.waiting)
        if self.record.stopped is not None and self.made:
            self._leave_out_the_last()
        for layer in self.made:
            layer.output = layer.output or tensors(layer.operations[-1].result)
        return [*self.made, *self._unused()]

    def _leave_out_the_last(self) -> None:
        """A layer in which the pass stopped gives nothing, and its parameters are not used."""
        last = self.made[-1]
        if not last.output:
            self.made.pop()
            for name in last.own:
                del self.holder[name]

    def _take(self, operation: Operation) -> None:
        read = tensors((operation.arguments, operation.keywords))
        used = {name: p for each in read for name, p in self.own.get(id(each), {}).items()}
        operation.weighs = bool(used)
        sources = {s: None for each in read if (s := self.source.get(id(each)))}
        if operation.name.startswith(_FROM_SHAPES) or operation.name.endswith("_like"):
            sources = {}
        results = tensors(operation.result)
        doubts = len(self.sights.unknown)
        sees = bool(sources) and self.sights.reads(read)
        sight = self.sights.take(operation, read, results) if sees else None
        layer = self._layer(operation, reads_image=bool(sources))
        if layer is None:
            self.waiting_bytes += operation.saved_bytes
            self._pass_on(operation, sources, used)
            if len(self.sights.unknown) > doubts and self.made:
                self.made[-1].unknown[operation.name] = None
            return
        layer.operations.append(operation)
        layer.reads_image |= sees
        layer.inputs |= {source: None for source in sources if source != layer.name}
        layer.macs += macs(operation)
        if operation in self.reached:
            layer.backward_macs += backward_macs(operation)
        layer.saved_bytes += operation.saved_bytes + self.waiting_bytes
        self.waiting_bytes = 0
        self._hold(layer, used)
        if not operation.call.leaf or not operation.call.path:
            layer.output = tensors(operation.result)
        if len(self.sights.unknown) > doubts:
            layer.unknown[operation.name] = None
        if not (layer.told and layer.output and results[0] is not layer.output[0]):
            layer.sight = sight
            layer.told = bool(layer.output) and results[0] is layer.output[0]
        if is_uncounted(operation):
            layer.uncounted[operation.name] = None
        self._pass_on(operation, {layer.name: None} if sources else {}, used)

    def _pass_on(
        self, operation: Operation, sources: dict[str, None], used: dict[str, nn.Parameter]
    ) -> None:
        """What comes of an operation comes from a layer, or is made of parameters alone."""
        for each in tensors(operation.result):
            if sources:
                self.source[id(each)] = next(reversed(sources))
            elif used and id(each) not in self.own:
                self.own[id(each)] = used

    def _layer(self, operation: Operation, *, reads_image: bool) -> Layer | None:
        """The layer that an operation belongs to; None for views and what is made of weights."""
        call = operation.call
        if call.leaf and call.path:
            if id(call) not in self.of_call:
                self.of_call[id(call)] = self._new(call.path, call.kind, call)
            return self.of_call[id(call)]
        if is_view(operation) or not (reads_image or macs(operation)):
            return None
        word = operation.name.strip("_")
        return self._new(f"{call.path}.{word}".lstrip("."), word, None)

    def _new(self, name: str, kind: str, call: Call | None) -> Layer:
        count = self.names[name] = self.names.get(name, 0) + 1
        name = name if count == 1 else f"{name}#{count}"
        layer = Layer(name, kind, kind)
        if call is not None:
            layer.output = tensors(call.result)
        self.made.append(layer)
        return layer

    def _hold(self, layer: Layer, used: dict[str, nn.Parameter]) -> None:
        """Count parameters where they are first used; later uses name that layer."""
        for name, parameter in used.items():
            first = self.holder.setdefault(name, layer)
            if first is layer:
                layer.own[name] = parameter
        if not layer.own and used:
            layer.weights = self.holder[next(iter(used))].name

    def _unused(self) -> list[Layer]:
        found: dict[str, Layer] = {}
        for name, parameter in self.record.network.named_parameters():
            if name not in self.holder:
                path = name.rpartition(".")[0]
                kind = type(self.record.network.get_submodule(path)).__name__
                layer = found.setdefault(path, Layer(path or name, kind, kind))
                layer.own[name] = parameter
        return list(found.values())
