"""From a torch network to its program: passes of several batch sizes, in training and evaluation.

Each routine is followed twice, with 2 and with 3 images, without memory; where a whole number
differs between the two it is written as `a·N + b`, and a pass of the program with 5 images is held
to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor

from striate.errors import UserError
from striate.graph import Graph
from striate.graph.performed import graph_of_program, seen
from striate.graph.program import Operation, Program, Routine, Stored, references
from striate.layers import Shape, product, show
from striate.modules.replay import Replay
from striate.notation.vocabulary import OUTPUT
from striate.programs.units import units
from striate.source import Source
from striate.tracing.finding import Found, check_image, check_input
from striate.tracing.inputs import Inputs, shapes
from striate.tracing.ledger import depends_on_data, reason
from striate.tracing.mismatches import mismatch
from striate.tracing.passes import pass_of
from striate.tracing.record import Operation as Seen
from striate.tracing.record import Record
from striate.transcribing.reading import bound
from striate.transcribing.steps import Unwritten
from striate.transcribing.transcription import identifier, outputs_of

_FEW, _MORE, _CHECK = 2, 3, 5
"""Images of the passes that are compared, and of the one that checks."""

_FUSED = ("_scaled_dot_product_flash_attention_for_cpu",)
"""What torch makes of an operation on a CPU, and goes by that one's name elsewhere."""


class UnfollowedError(UserError):
    """A network that cannot be kept as a program."""


@dataclass(frozen=True)
class Recording:
    """A torch network as a program, and the values of its tensors where it has them."""

    program: Program
    model: nn.Module
    constants: Mapping[str, Tensor]
    """Tensors that are neither parameters nor buffers, by the names that the program gives."""
    before: Shape = ()
    """What the network gave before its number of classes was changed; empty where it was not."""

    def state_dict(self) -> dict[str, Tensor]:
        """The values of the program's tensors, sharing the network's memory."""
        given = {
            **dict(self.model.named_parameters(remove_duplicate=False)),
            **dict(self.model.named_buffers(remove_duplicate=False)),
            **self.constants,
        }
        return {name: given[name].detach() for name in self.program.tensors}


def follow(chosen: Found, *, input: Shape | None = None) -> Recording:
    """The program of a torch network for images of one size; the network is not changed.

    `input` stands in for the image that the network is made for. Raises UserError for what
    `striate.size` refuses, and for a network whose operations depend on the values of its data or
    on the batch's size otherwise than by whole numbers that follow it.
    """
    image = check_image(chosen, input)
    if len(image) != 3:
        raise UserError(
            f"{chosen.name} takes {show(image)}, and a program is of a network of images C×H×W"
        )
    kept = _Kept(chosen.model)
    try:
        record, training = _routine(chosen, image, kept, training=True)
        _, evaluation = _routine(chosen, image, kept, training=False)
    except Unwritten as error:  # of its outputs
        raise UnfollowedError(f"{chosen.name} cannot be followed: {error}") from error
    layers, structure, ends = units(record, _FEW, named_outputs(record))
    paths = {each.path for each in (*training.operations, *evaluation.operations)}
    paths |= {name.rpartition(".")[0] for name in kept.used}
    modules = {
        path: kind for path, kind in kept.kinds.items() if any(_holds(path, p) for p in paths)
    }
    program = Program(
        chosen.name,
        image,
        modules,
        kept.used,
        layers,
        structure,
        ends,
        training,
        evaluation,
    )
    _check(program)
    return Recording(program, chosen.model, kept.constants)


def sketch(chosen: Found, *, input: Inputs | None = None) -> Graph:
    """The layers of any torch network as they were seen in one pass, to be drawn.

    It may take several inputs or volumes in time, and depend on the number of images. Raises
    UserError where the pass stops, and where it gives no tensors.
    """
    given = check_input(chosen, input)
    record = pass_of(chosen.model, given, _FEW, training=True)
    if record.stopped is not None:
        record = _ran(chosen, given, _FEW, training=False)
    try:
        layers, structure, ends = units(record, _FEW, named_outputs(record))
    except Unwritten as error:
        raise UnfollowedError(f"{chosen.name} cannot be drawn: {error}") from error
    nothing = Routine((), {})
    image = shapes(given)[0]
    program = Program(chosen.name, image, {}, {}, layers, structure, ends, nothing, nothing)
    return seen(program, Source("", chosen.name), Source("", chosen.name).stem)


def _check(program: Program) -> None:
    """Raises UnfollowedError for a program that fails for another batch's size."""
    graph = graph_of_program(program.to_source())
    with torch.device("meta"), torch.no_grad():
        network = Replay(graph)
        image = torch.empty((_CHECK, *program.input))
        for training in (True, False):
            try:
                found = network.train(training)(image)
            except (RuntimeError, ValueError, NotImplementedError, IndexError) as error:
                told = str(error).partition("\n")[0]
                raise UnfollowedError(
                    f"{program.name} was followed with {_FEW} and {_MORE} images, and what it did "
                    f"fails for {_CHECK}: {told}. It can be sized"
                ) from error
            assert found.shape[0] == _CHECK
            assert found[0].numel() == product(graph.output)


def named_outputs(record: Record) -> dict[str, Tensor]:
    """A pass's outputs, the main one first and called `output`."""
    found = outputs_of(record.result)
    main, *others = found
    return {OUTPUT: found[main], **{identifier(name): found[name] for name in others}}


def _holds(path: str, other: str) -> bool:
    return not path or other == path or other.startswith(f"{path}.")


class _Kept:
    """The tensors of a network that operations read, by name."""

    def __init__(self, model: nn.Module) -> None:
        self.kinds = {path: type(each).__name__ for path, each in model.named_modules()}
        self.own = _attributes(model)
        self.used: dict[str, Stored] = {}
        self.constants: dict[str, Tensor] = {}

    def use(self, name: str, tensor: Tensor, *, learned: bool) -> dict[str, str]:
        """Keep a tensor of the network under its name; what refers to it."""
        dtype = str(tensor.dtype).removeprefix("torch.")
        self.used.setdefault(name, Stored(tuple(tensor.shape), dtype, learned))
        if name in self.own:
            self.constants[name] = self.own[name]
        return {"tensor": name}

    def constant(self, tensor: Tensor) -> dict[str, str]:
        """Keep one that a pass came to by itself."""
        for name, known in self.constants.items():
            if known.dtype == tensor.dtype and _equal(known, tensor):
                return {"tensor": name}
        name = f"constant{sum(each.startswith('constant') for each in self.constants)}"
        self.constants[name] = tensor.detach().clone()
        return self.use(name, tensor, learned=False)


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two have the same values, or the same shape where there are none."""
    if one.is_meta or other.is_meta:
        return one.shape == other.shape
    return torch.equal(one, other)


def _attributes(model: nn.Module) -> dict[str, Tensor]:
    """Tensors that modules have beside their parameters and buffers, by name."""
    return {
        f"{path}.{name}".lstrip("."): value
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, Tensor)
    }


def _routine(chosen: Found, image: Shape, kept: _Kept, *, training: bool) -> tuple[Record, Routine]:
    """What torch does in one mode, as it was seen with few images. Raises UserError where it
    cannot be kept."""
    name = chosen.name
    few, more = (_Script(_ran(chosen, image, batch, training), kept) for batch in (_FEW, _MORE))
    few.read()
    more.read()
    if len(few.operations) != len(more.operations):
        raise UnfollowedError(
            f"{name} does other operations for {_MORE} images than for {_FEW}, and cannot be "
            "trained or drawn. It can be sized"
        )
    operations = [
        _merged(name, *both) for both in zip(few.operations, more.operations, strict=True)
    ]
    return few.record, Routine(_alive(operations, few.results), few.results)


def _ran(chosen: Found, image: Inputs, batch: int, training: bool) -> Record:
    name, found = chosen.name, pass_of(chosen.model, image, batch, training=training)
    if found.stopped is not None:
        said = mismatch(found) or reason(found)
        hint = said if not depends_on_data(found) else said.partition(". ")[0]
        raise UserError(f"{name} stops in {found.stopped_at or 'its own forward'}: {hint}")
    return found


class _Script:
    """A pass written down: tensors become references, all else is as it is."""

    def __init__(self, record: Record, kept: _Kept) -> None:
        self.record = record
        self.kept = kept
        self.operations: list[Operation] = []
        self.values: dict[int, int] = {id(record.image): 0}
        self.count = 1
        self.names: dict[int, tuple[str, bool]] = {}
        network = record.network
        for path, tensor in _attributes(network).items():
            self.names[id(tensor)] = path, False
        for path, tensor in network.named_buffers():
            self.names[id(tensor)] = path, False
        for path, tensor in network.named_parameters():
            self.names[id(tensor)] = path, True
        self.results: dict[str, int] = {}

    def read(self) -> None:
        """Write all operations down, and which values are the outputs."""
        for done in self.record.operations:
            self._write(done)
        for name, tensor in named_outputs(self.record).items():
            self.results[name] = self.values[id(tensor)]

    def _write(self, done: Seen) -> None:
        schema = done.function._schema
        library, _, base = schema.name.rpartition("::")
        name = f"{base}.{schema.overload_name or 'default'}"
        if library != "aten":
            name = f"{library}::{name}"
        arguments = [self._told(each) for each in done.arguments]
        keywords = {key: self._told(each) for key, each in done.keywords.items() if key != "layout"}
        results = done.result if isinstance(done.result, list | tuple) else [done.result]
        if base in _FUSED:
            name, results = "scaled_dot_product_attention.default", results[:1]
            given = {key: self._told(each) for key, each in bound(done).items()}
            wanted = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
            arguments, keywords = [given[key] for key in wanted], {"scale": given["scale"]}
        gives: list[int | None] = []
        for result in results:
            gives.append(self._new(result) if isinstance(result, Tensor) else None)
        self.operations.append(Operation(name, arguments, keywords, tuple(gives), done.call.path))

    def _new(self, tensor: Tensor) -> int:
        number = self.values[id(tensor)] = self.count
        self.count += 1
        return number

    def _told(self, value: Any) -> Any:
        match value:
            case Tensor():
                return self._reference(value)
            case bool() | int() | str() | None:
                return value
            case float():
                plain = value == value and abs(value) != float("inf")
                return value if plain else {"float": str(value)}
            case list() | tuple():
                return [self._told(each) for each in value]
            case torch.dtype():
                return {"dtype": str(value).removeprefix("torch.")}
            case torch.memory_format():
                return {"memory_format": str(value).removeprefix("torch.")}
            case torch.device():
                return {"device": ""}
        raise UnfollowedError(
            f"{type(self.record.network).__name__} calls an operation with a {type(value).__name__}"
        )

    def _reference(self, tensor: Tensor) -> dict[str, Any]:
        if id(tensor) in self.values:
            return {"value": self.values[id(tensor)]}
        if id(tensor) in self.names:
            name, learned = self.names[id(tensor)]
            return self.kept.use(name, tensor, learned=learned)
        if isinstance(tensor, FakeTensor) and tensor.constant is not None:
            return self.kept.constant(tensor.constant)
        if isinstance(tensor, FakeTensor):
            raise UnfollowedError(
                f"{type(self.record.network).__name__} reads a tensor {tuple(tensor.shape)} that "
                "neither it nor the image has"
            )
        return self.kept.constant(tensor)


def _merged(name: str, few: Operation, more: Operation) -> Operation:
    """An operation that holds for any batch, from what it is with two sizes."""
    try:
        if (few.name, few.gives, few.path) != (more.name, more.gives, more.path):
            raise ValueError
        arguments = _same(few.arguments, more.arguments)
        return Operation(
            few.name, arguments, _same(few.keywords, more.keywords), few.gives, few.path
        )
    except ValueError:
        raise UnfollowedError(
            f"{name} does {few.name} in {few.path or 'its own forward'} otherwise for {_MORE} "
            f"images than for {_FEW}, and cannot be trained or drawn. It can be sized"
        ) from None


def _same(few: Any, more: Any) -> Any:
    """What two arguments have in common. Raises ValueError where they differ in kind."""
    if type(few) is int and type(more) is int and few != more:
        share = (more - few) // (_MORE - _FEW)
        return {"batch": [share, few - share * _FEW]}
    if isinstance(few, list) and isinstance(more, list) and len(few) == len(more):
        return [_same(one, other) for one, other in zip(few, more, strict=True)]
    if isinstance(few, dict) and isinstance(more, dict) and few.keys() == more.keys():
        references = few.keys() <= {"value", "tensor"}
        if not references:
            return {key: _same(few[key], more[key]) for key in few}
    if few != more:
        raise ValueError
    return few


def _alive(operations: list[Operation], results: Mapping[str, int]) -> tuple[Operation, ...]:
    """Those that an output comes of, and those that write into what they are given."""
    wanted = set(results.values())
    kept = []
    for operation in reversed(operations):
        if _writes(operation) or any(each in wanted for each in operation.gives):
            kept.append(operation)
            wanted |= {value for kind, value in references(operation) if kind == "value"}
    return tuple(reversed(kept))


def _writes(operation: Operation) -> bool:
    base = operation.name.rpartition("::")[2].partition(".")[0]
    return base.endswith("_") and not base.startswith("__")
