"""The torch module of a program: its operations, done again under the names of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload

from striate.graph.nodes import Graph
from striate.graph.program import Operation, Program, ProgramError, Routine, references
from striate.layers import Shape, show
from striate.modules.network import InputError, Network
from striate.modules.products import convolve
from striate.notation.vocabulary import OUTPUT

_LIBRARIES = ("aten", "torchvision")
_WORDS = ("approximate", "rounding_mode", "reduce", "padding_mode", "indexing", "mode")
"""Arguments that may be words: an operation with another one is none of a network's."""

_LOWERED = frozenset(
    (
        *("convolution", "addmm", "mm", "bmm", "baddbmm", "addbmm", "matmul", "linear"),
        "scaled_dot_product_attention",
    )
)
"""Operations that multiply matrices: they work in the lower precision."""
_BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit")
_MIXED = frozenset((*_BATCH_NORMS, "native_layer_norm", "native_group_norm"))
"""Operations that take their input in another precision than their weights."""


@dataclass
class _Frame:
    """A pass under way."""

    values: list[Any]
    tensors: Mapping[str, Tensor]
    batch: int
    device: torch.device
    lower: torch.dtype | None
    batch_norm: BatchNorm | None


BatchNorm = Callable[[Tensor, Tensor | None, Tensor | None, Tensor, Tensor, float, float], Tensor]
"""From input, scale, shift, running mean and variance, momentum and eps to what it gives."""
_Fill = Callable[[_Frame], Any]


@dataclass(frozen=True)
class _Step:
    """An operation made ready."""

    function: OpOverload
    name: str
    arguments: tuple[Any, ...]
    holes: tuple[tuple[int, _Fill], ...]
    """Arguments that each pass fills in."""
    keywords: Mapping[str, Any]
    named_holes: tuple[tuple[str, _Fill], ...]
    gives: tuple[int | None, ...]
    many: bool
    mutates: bool
    keeps_statistics: bool
    """Whether it normalises by a batch and keeps running means of what it saw."""
    dead: tuple[int, ...]
    """Values that nothing reads after it."""

    def run(self, frame: _Frame) -> None:
        """Do it, and keep what it gives."""
        arguments, keywords = list(self.arguments), dict(self.keywords)
        for place, fill in self.holes:
            arguments[place] = fill(frame)
        for key, fill in self.named_holes:
            keywords[key] = fill(frame)
        if frame.lower is not None:
            arguments = self._in_precision(arguments, frame.lower)
        if self.keeps_statistics and arguments[5] and _is_frozen(arguments[1]):
            arguments[5] = False
        result: Any
        if self.keeps_statistics and arguments[5] and frame.batch_norm is not None:
            result = (frame.batch_norm(*arguments[:5], *arguments[6:]), None, None)
        elif self.name == "convolution" and _is_plain(*arguments[5:9]):
            images, filters, bias, stride, padding = arguments[:5]
            result = convolve(images, filters, bias, tuple(stride), tuple(padding))
        else:
            result = self.function(*arguments, **keywords)
        if self.many:
            for given, value in zip(self.gives, result, strict=True):
                if given is not None:
                    frame.values[given] = value
        elif self.gives[0] is not None:
            frame.values[self.gives[0]] = result
        for dead in self.dead:
            frame.values[dead] = None

    def _in_precision(self, arguments: list[Any], lower: torch.dtype) -> list[Any]:
        """Products in the lower precision; what else meets in two is done in the higher one."""
        if self.name in _MIXED:
            return arguments
        if self.name in _LOWERED:
            return [_cast(each, lower) for each in arguments]
        found = {each.dtype for each in _floating(arguments)}
        if len(found) < 2:
            return arguments
        if self.mutates:
            return [arguments[0], *(_cast(each, arguments[0].dtype) for each in arguments[1:])]
        return [_cast(each, torch.float32) for each in arguments]


class Place(nn.Module):
    """A module of the network that was followed: its weights, and its share of the operations."""

    def forward(self, steps: Sequence[_Step], frame: _Frame) -> None:
        for step in steps:
            step.run(frame)


class Replay(Network):
    """A program as a torch module. Input N×C×H×W, output N×(what the network gives).

    Its modules have the paths, the classes' names and the weights of those that were followed, and
    do not compute by themselves: what runs are the program's operations, those of training or
    those of evaluation. In a lower precision products of matrices and convolutions are computed
    in it, with weights that stay as they are.

    Raises ProgramError for an operation that torch has not, or that is none of a network's.
    """

    precision: torch.dtype | None
    batch_norm: BatchNorm | None
    """What normalises by a batch in place of torch, as several processes do together."""

    def __init__(self, graph: Graph) -> None:
        nn.Module.__init__(self)
        assert graph.program is not None
        self.graph = graph
        self.precision, self.batch_norm = None, None
        program = graph.program
        places: dict[str, nn.Module] = {"": self}
        for path, kind in program.modules.items():
            if path:
                _hang(places, path, kind)
        for name, stored in program.tensors.items():
            path, _, last = name.rpartition(".")
            tensor = torch.empty(stored.shape, dtype=getattr(torch, stored.dtype))
            if stored.learned:
                places[path]._parameters[last] = nn.Parameter(tensor)
            else:
                places[path]._buffers[last] = tensor
        self._routines = {
            True: _ready(program, program.training),
            False: _ready(program, program.evaluation),
        }

    def forward(self, image: Tensor) -> Tensor:
        """The main output for a batch. Raises InputError when the batch does not fit."""
        return self._results(image, (OUTPUT,))[OUTPUT]

    def outputs(self, image: Tensor) -> dict[str, Tensor]:
        """The main output for a batch, as `output`, and in training the side outputs."""
        return self._results(image, self.graph.program.ends)  # type: ignore[union-attr]

    def run_to(self, image: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """The same by the names of the layers that give them."""
        wanted = list(names)
        ends = {layer: end for end, layer in self.graph.program.ends.items()}  # type: ignore[union-attr]
        found = self._results(image, [ends[name] for name in wanted])
        return {name: found[ends[name]] for name in wanted}

    def filter_banks(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The filters that dense convolutions of two axes read as they are, by the layer's name."""
        assert self.graph.program is not None
        layers = {node.name for node in self.graph}
        found = {}
        for operation in self.graph.program.training.operations:
            if operation.name != "convolution.default":
                continue
            weight, transposed, groups = (operation.arguments[place] for place in (1, 6, 8))
            if isinstance(weight, dict) and "tensor" in weight and not transposed and groups == 1:
                layer = weight["tensor"].rpartition(".")[0]
                bank = dict(self.named_parameters()).get(weight["tensor"])
                if layer in layers and bank is not None and bank.ndim == 4:
                    found[layer] = bank
        yield from found.items()

    def _results(self, image: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        runs, results, slots = self._routines[self.training]
        if image.dim() != 4 or tuple(image.shape[1:]) != self.graph.input:
            raise InputError(_misfit(self.graph, tuple(image.shape)))
        tensors: dict[str, Tensor] = dict(self.named_parameters(remove_duplicate=False))
        tensors.update(self.named_buffers(remove_duplicate=False))
        values: list[Any] = [None] * slots
        values[0] = image
        lower = self._lower(image)
        frame = _Frame(values, tensors, len(image), image.device, lower, self.batch_norm)
        for path, steps in runs:
            if path:
                place: Any = self
                for part in path.split("."):
                    place = place._modules[part]
                place(steps, frame)
            else:
                for step in steps:
                    step.run(frame)
        return {name: values[results[name]] for name in wanted if name in results}

    def _lower(self, image: Tensor) -> torch.dtype | None:
        if self.precision is not None:
            return self.precision
        kind = image.device.type
        if kind in ("cpu", "cuda") and torch.is_autocast_enabled(kind):
            return torch.get_autocast_dtype(kind)
        return None


def _misfit(graph: Graph, batch: Shape) -> str:
    """Why a batch of that shape is not taken."""
    wanted = show(graph.input)
    if len(batch) != 4:
        return (
            f"the network takes a batch of N×{wanted}, not {show(batch)}. Add the batch axis in "
            "front"
        )
    return (
        f"the network takes images of {wanted}, not {show(batch[1:])}: it is kept as the "
        f"operations that these came to. Resize the images to {show(graph.input[1:])}"
    )


def _hang(places: dict[str, nn.Module], path: str, kind: str) -> None:
    """Make the module of a path, with those above it; its class has the name that it had."""
    if path in places:
        return
    above, _, last = path.rpartition(".")
    _hang(places, above, "Place")
    made = type(kind if kind.isidentifier() else "Place", (Place,), {})()
    places[above]._modules[last] = places[path] = made  # whatever the class has of that name


_Ready = tuple[list[tuple[str, list[_Step]]], Mapping[str, int], int]


def _ready(program: Program, routine: Routine) -> _Ready:
    """A routine's steps in runs of one module each, its outputs, and how many values it has."""
    last: dict[int, int] = {}
    for index, operation in enumerate(routine.operations):
        for kind, value in references(operation):
            if kind == "value":
                last[value] = index
        for place in operation.gives:
            if place is not None:
                last[place] = index
    kept = set(routine.results.values())
    dying: dict[int, list[int]] = {}
    for value, index in last.items():
        if value not in kept:
            dying.setdefault(index, []).append(value)
    steps = [
        (operation.path, _step(operation, tuple(dying.get(index, ()))))
        for index, operation in enumerate(routine.operations)
    ]
    runs = [
        (path, [step for _, step in same])
        for path, same in groupby(steps, key=lambda each: each[0])
    ]
    return runs, routine.results, 1 + max((0, *last))


def _step(operation: Operation, dead: tuple[int, ...]) -> _Step:
    function = _function(operation.name)
    schema = function._schema
    arguments: list[Any] = []
    holes = []
    for place, given in enumerate(operation.arguments):
        fixed, fill = _filling(given)
        arguments.append(fixed)
        if fill is not None:
            holes.append((place, fill))
    keywords: dict[str, Any] = {}
    named = []
    for key, given in operation.keywords.items():
        fixed, fill = _filling(given)
        keywords[key] = fixed
        if fill is not None:
            named.append((key, fill))
    return _Step(
        function,
        schema.name.rpartition("::")[2],
        tuple(arguments),
        tuple(holes),
        keywords,
        tuple(named),
        operation.gives,
        len(schema.returns) > 1 or str(schema.returns[0].type).startswith("List"),
        schema.is_mutable and not schema.name.endswith(_BATCH_NORMS),
        operation.name.removesuffix(".default") in _BATCH_NORMS
        and operation.arguments[3] is not None,
        dead,
    )


def _function(name: str) -> OpOverload:
    """The operation of that name. Raises ProgramError where there is none for networks."""
    library, _, rest = name.rpartition("::")
    base, _, overload = rest.rpartition(".")
    if (library or "aten") not in _LIBRARIES:
        raise ProgramError(f"the operation {name} is none of a network's")
    if library == "torchvision":
        import torchvision  # noqa: F401
    if base in ("view", "_unsafe_view") and overload == "default":
        base, overload = "reshape", "default"
    packet = getattr(getattr(torch.ops, library or "aten"), base, None)
    found = getattr(packet, overload, None)
    if not isinstance(found, OpOverload):
        raise ProgramError(f"this torch ({torch.__version__}) has no operation {name}")
    for argument in found._schema.arguments:
        kind = str(argument.type)
        if ("str" in kind and argument.name not in _WORDS) or "Any" in kind or "Storage" in kind:
            raise ProgramError(f"the operation {name} is none of a network's")
    return found


def _filling(given: Any) -> tuple[Any, _Fill | None]:
    """What an argument is always, or what fills it in at each pass."""
    if isinstance(given, list):
        parts = [_filling(each) for each in given]
        if all(fill is None for _, fill in parts):
            return [fixed for fixed, _ in parts], None
        return None, lambda frame: [fixed if fill is None else fill(frame) for fixed, fill in parts]
    if not isinstance(given, dict):
        return given, None
    ((kind, value),) = given.items()
    match kind:
        case "value":
            return None, lambda frame: frame.values[value]
        case "tensor":
            return None, lambda frame: frame.tensors[value]
        case "batch":
            share, rest = value
            return None, lambda frame: share * frame.batch + rest
        case "device":
            return None, lambda frame: frame.device
        case "dtype" | "memory_format" | "layout":
            return getattr(torch, value), None
        case "float":
            return float(value), None
    raise ProgramError(f"an argument is {given!r}, which says nothing")


def _floating(arguments: Iterable[Any]) -> Iterable[Tensor]:
    for each in arguments:
        if isinstance(each, Tensor):
            if each.is_floating_point():
                yield each
        elif isinstance(each, list):
            yield from _floating(each)


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    return [_cast(each, dtype) for each in value] if isinstance(value, list) else value


def _is_plain(dilation: Sequence[int], transposed: bool, added: object, groups: int) -> bool:
    """Whether a convolution is of two axes, neither dilated, transposed nor grouped."""
    return list(dilation) == [1, 1] and not transposed and groups == 1


def _is_frozen(weight: Any) -> bool:
    """Whether a normalisation's scale is a parameter that does not learn."""
    return isinstance(weight, nn.Parameter) and not weight.requires_grad
