"""What each layer of a traced network uses of torch, as other tools look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from striate.layers import Shape
from striate.sizing.conventions.tally import Uses
from striate.sizing.conventions.use import Product, Use
from striate.tracing.layers import Layer
from striate.tracing.macs import macs
from striate.tracing.record import Call, Function, Operation, Record, tensors

_SETTINGS = ("num_heads", "head_dim", "batch_first", "mode", "dim")
"""What is looked up in a module."""
_ARGUMENTS: dict[str, tuple[tuple[str, int], ...]] = {
    "batch_norm": (("weight", 3),),
    "instance_norm": (("weight", 3),),
    "layer_norm": (("weight", 2),),
    "group_norm": (("weight", 2),),
    "interpolate": (("mode", 3),),
    "softmax": (("dim", 1),),
    "local_response_norm": (("size", 1),),
}
"""What is looked up in a function's arguments, by name and place."""


def uses(record: Record, layers: list[Layer], ran: set[str]) -> list[Uses]:
    """The modules and functions of each layer; of a module that holds others, at its last one.

    `ran` are the paths of the modules that tools see: they run networks in evaluation.
    """
    return _Uses(record, layers, ran).run()


class _Uses:
    """Gives every call of a module and a function to the layer of its operations."""

    def __init__(self, record: Record, layers: list[Layer], ran: set[str]) -> None:
        self.record = record
        self.layers = layers
        self.ran = ran
        everywhere = record.network.named_modules(remove_duplicate=False)
        self.places = Counter(id(module) for _, module in everywhere)
        self.layer_of = {
            id(operation): i for i, layer in enumerate(layers) for operation in layer.operations
        }

    def run(self) -> list[Uses]:
        modules: list[list[Use]] = [[] for _ in self.layers]
        functions: list[list[Use]] = [[] for _ in self.layers]
        for call in self.record.calls:
            i = self._layer(call.start, call.end)
            if i is not None and call.path in self.ran:
                modules[i].append(self._of_module(call))
        for function in self.record.functions:
            i = self._layer(function.start, function.end)
            if i is not None and function.call.path in self.ran:
                functions[i].append(self._of_function(function))
        return [Uses(tuple(m), tuple(f)) for m, f in zip(modules, functions, strict=True)]

    def _layer(self, start: int, end: int) -> int | None:
        """That of the last operation of these that has one."""
        ids = (id(operation) for operation in reversed(self.record.operations[start:end]))
        return next((self.layer_of[each] for each in ids if each in self.layer_of), None)

    def _of_module(self, call: Call) -> Use:
        module = self.record.network.get_submodule(call.path)
        own = module.named_parameters(recurse=False)
        return Use(
            names=_classes(module),
            inputs=_shapes(call.inputs),
            output=next(iter(_shapes(call.result)), ()),
            weights={name: tuple(each.shape) for name, each in own},
            products=self._products(call.start, call.end),
            home=type(module).__module__,
            leaf=call.leaf,
            around=self._around(call.path.rpartition(".")[0]) if call.path else (),
            places=self.places[id(module)],
            settings={name: getattr(module, name) for name in _SETTINGS if hasattr(module, name)},
        )

    def _of_function(self, function: Function) -> Use:
        inputs = _shapes((function.arguments, function.keywords))
        settings = _settings(function.name, function.arguments, function.keywords)
        module = self.record.network.get_submodule(function.call.path)
        return Use(
            names=(function.name,),
            inputs=inputs,
            output=next(iter(_shapes(function.result)), ()),
            products=self._products(function.start, function.end),
            home=function.home,
            inside=Use(_classes(module), (), (), home=type(module).__module__),
            around=self._around(function.call.path),
            settings=settings,
        )

    def _products(self, start: int, end: int) -> tuple[Product, ...]:
        return tuple(_products(self.record.operations[start:end]))

    def _around(self, path: str) -> tuple[str, ...]:
        """The classes of a module and of all that hold it."""
        parts = path.split(".") if path else []
        paths = (".".join(parts[:i]) for i in range(len(parts) + 1))
        found = (type(self.record.network.get_submodule(each)) for each in paths)
        return tuple(f"{each.__module__}.{each.__name__}" for each in found)


def _products(operations: Iterable[Operation]) -> Iterator[Product]:
    for operation in operations:
        if count := macs(operation):
            yield Product(operation.name, count, operation.weighs)


def _classes(module: nn.Module) -> tuple[str, ...]:
    """The names of a module's class and of those that it derives from, up to `nn.Module`."""
    return tuple(each.__name__ for each in type(module).__mro__ if issubclass(each, nn.Module))[:-1]


def _shapes(value: object) -> tuple[Shape, ...]:
    return tuple(tuple(each.shape) for each in tensors(value))


def _settings(
    name: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> dict[str, object]:
    found: dict[str, object] = {"mode": "nearest"} if name == "interpolate" else {}
    if name == "batch_norm":
        found["own_statistics"] = keywords.get("running_mean", (*arguments, None)[1]) is None
    for word, place in _ARGUMENTS.get(name, ()):
        value = keywords.get(word, arguments[place] if len(arguments) > place else None)
        if isinstance(value, Tensor):
            found["affine"] = True
        elif value is not None:
            found[word] = value
    return found
