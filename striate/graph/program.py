"""A network as the operations that torch does for it: what is kept of one that no text says.

A program is data: the names of torch's operations with their arguments, once as they are in
training and once as they are in evaluation. Whole numbers that follow the batch's size N are kept
as `a·N + b`. In a run folder it is the file `network.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from striate.errors import UserError
from striate.layers.base import Role, Shape
from striate.source import Source

PROGRAM_OF_RUN = "network.json"
"""The program that the folder of a run holds in place of a text."""

FORMAT = 1
_SIGN = '{"striate": "program"'
_DTYPES = (
    *("float32", "float16", "bfloat16", "float64", "bool"),
    *("uint8", "int8", "int16", "int32", "int64"),
)


class ProgramError(UserError):
    """A program that is damaged or was changed."""


@dataclass(frozen=True)
class Stored:
    """A parameter, or another tensor that a network brings: its values lie with the weights."""

    shape: Shape
    dtype: str
    learned: bool


@dataclass(frozen=True)
class Unit:
    """A layer as the ledger has it; `inputs` are names of others, or `input` for the image."""

    name: str
    kind: str
    label: str
    role: Role
    inputs: tuple[str, ...]
    output: Shape
    macs: int
    weights: tuple[tuple[str, Shape], ...]
    shares: str = ""
    """The layer whose weights it uses once more."""


@dataclass(frozen=True)
class Operation:
    """One of torch's operations.

    In its arguments `{"value": 3}` is what an earlier one gave (0 the image), `{"tensor": name}`
    a stored one, `{"batch": [a, b]}` the number `a·N + b`.
    """

    name: str
    """With its overload: `convolution.default`; of another library than torch `library::name`."""
    arguments: Sequence[Any]
    keywords: Mapping[str, Any]
    gives: tuple[int | None, ...]
    path: str
    """The innermost module at work."""


@dataclass(frozen=True)
class Routine:
    """Operations in order, and the values that are the network's outputs, the main one first."""

    operations: tuple[Operation, ...]
    results: Mapping[str, int]


@dataclass(frozen=True)
class Program:
    """A whole network."""

    name: str
    input: Shape
    modules: Mapping[str, str]
    """The class of each module by its path."""
    tensors: Mapping[str, Stored]
    layers: tuple[Unit, ...]
    structure: Sequence[Any]
    """How the layers lie: names one after the other; `{"block": class, "name": path, "parts": …}`,
    `{"rounds": blocks}`, `{"branches": […], "join": name}`, `{"tap": name, "parts": …}`,
    `{"from": label, "of": name}`.
    """
    ends: Mapping[str, str]
    """The layer that gives each output, the main one first."""
    training: Routine
    evaluation: Routine

    def __deepcopy__(self, memo: object) -> Program:
        return self

    def to_source(self) -> Source:
        """The program as the text that a run keeps."""
        head = {
            "striate": "program",
            "format": FORMAT,
            "name": self.name,
            "input": self.input,
            "ends": self.ends,
        }
        layers = [
            [u.name, u.kind, u.label, u.role, u.inputs, u.output, u.macs, u.weights, u.shares]
            for u in self.layers
        ]
        tensors = {name: [t.shape, t.dtype, t.learned] for name, t in self.tensors.items()}
        parts = [
            *(f" {_dumps(key)}: {_dumps(value)}" for key, value in list(head.items())[1:]),
            f' "modules": {_dumps(self.modules)}',
            f' "tensors": {_dumps(tensors)}',
            f' "layers": [\n{_lines(layers)}\n ]',
            f' "structure": {_dumps(self.structure)}',
            f' "training": {_routine_text(self.training)}',
            f' "evaluation": {_routine_text(self.evaluation)}',
        ]
        return Source(",\n".join((_SIGN, *parts)) + "\n}\n", self.name)


def is_program(source: Source) -> bool:
    """Whether a text is a program rather than notation."""
    return source.text.startswith(_SIGN)


def read_program(source: Source) -> Program:
    """The program that a text holds. Raises ProgramError where it is damaged, or newer than we."""
    try:
        content = json.loads(source.text)
    except ValueError as error:
        raise ProgramError(f"{source.name}: the program is damaged ({error})") from None
    version = content.get("format") if isinstance(content, dict) else None
    if type(version) is not int or version > FORMAT:
        raise ProgramError(
            f"{source.name}: the program has format {version!r}; this Striate reads up to {FORMAT}"
        )
    try:
        return _program(content, source.name)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise ProgramError(
            f"{source.name}: the program is damaged ({told}). Copy the file again from where it "
            "came, or train again"
        ) from None


def _program(content: dict[str, Any], name: str) -> Program:
    tensors = {
        key: Stored(_shape(shape), _one_of(dtype, _DTYPES), bool(learned))
        for key, (shape, dtype, learned) in content["tensors"].items()
    }
    layers = tuple(map(_unit, content["layers"]))
    known = {unit.name for unit in layers}
    before = {"input"}
    for unit in layers:
        if missing := set(unit.inputs) - before:
            raise ValueError(f"{unit.name} reads {min(missing)}, which does not stand before it")
        before.add(unit.name)
    ends = {str(key): _one_of(value, known) for key, value in content["ends"].items()}
    if not ends:
        raise ValueError("it has no outputs")
    modules = {str(path): str(kind) for path, kind in content["modules"].items()}
    return Program(
        name=name,
        input=_shape(content["input"]),
        modules=modules,
        tensors=tensors,
        layers=layers,
        structure=content["structure"],
        ends=ends,
        training=_routine(content["training"], modules, tensors),
        evaluation=_routine(content["evaluation"], modules, tensors),
    )


def _unit(row: Any) -> Unit:
    name, kind, label, role, inputs, output, macs, weights, shares = row
    return Unit(
        str(name),
        str(kind),
        str(label),
        cast(Role, _one_of(role, get_args(Role))),
        tuple(str(each) for each in inputs),
        _shape(output),
        int(macs),
        tuple((str(key), _shape(shape)) for key, shape in weights),
        str(shares),
    )


def _routine(
    content: dict[str, Any], modules: Mapping[str, str], tensors: Mapping[str, Stored]
) -> Routine:
    """Raises ValueError for an operation that reads what is not there."""
    made = {0}
    operations = []
    for path, name, arguments, keywords, gives in content["operations"]:
        operation = Operation(str(name), arguments, keywords, tuple(gives), str(path))
        if path not in modules:
            raise ValueError(f"{name} stands in {path!r}, which is no module")
        for kind, value in references(operation):
            if value not in (made if kind == "value" else tensors):
                raise ValueError(f"{name} reads the {kind} {value!r}, which is not there")
        made.update(each for each in gives if each is not None)
        operations.append(operation)
    results = {str(key): int(value) for key, value in content["results"].items()}
    if not results or not set(results.values()) <= made:
        raise ValueError("its outputs are not computed")
    return Routine(tuple(operations), results)


def references(operation: Operation) -> Iterator[tuple[str, Any]]:
    """The values and the stored tensors that an operation reads, each with its kind."""
    for argument in (*operation.arguments, *operation.keywords.values()):
        yield from _references(argument)


def _references(argument: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(argument, list):
        for inner in argument:
            yield from _references(inner)
    elif isinstance(argument, dict) and argument.keys() <= {"value", "tensor"}:
        yield from argument.items()


def _shape(given: Any) -> Shape:
    if not all(type(n) is int and n >= 0 for n in given):
        raise ValueError(f"{given!r} is no shape")
    return tuple(given)


def _one_of(value: Any, known: Any) -> str:
    if value not in known:
        raise ValueError(f"there is no {value!r}")
    return str(value)


def _routine_text(routine: Routine) -> str:
    rows = [[o.path, o.name, o.arguments, o.keywords, o.gives] for o in routine.operations]
    results = _dumps(routine.results)
    return f'{{"results": {results}, "operations": [\n{_lines(rows)}\n ]}}'


def _lines(rows: Sequence[Any]) -> str:
    return ",\n".join(f"  {_dumps(row)}" for row in rows)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
