"""What a torch network does in one forward pass: its operations, and the modules they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from torch import Tensor, nn
from torch._ops import OpOverload
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_leaves


@dataclass
class Call:
    """One use of a module: the root's has the empty path."""

    path: str
    kind: str
    leaf: bool
    """Whether the module has none below it."""
    result: Any = None
    """What it gave; None before it has, and where it failed."""
    inputs: Any = ()
    start: int = 0
    end: int = 0
    """Its operations are those from `start` up to `end`."""


@dataclass
class Function:
    """One call of a function of torch from Python, with the operations that it came to."""

    name: str
    home: str
    """The module that it is defined in; empty for a method of a tensor."""
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    result: Any
    call: Call
    """The innermost module that was at work."""
    start: int
    end: int


@dataclass
class Failure:
    """The call of a function of torch in which a pass stopped."""

    name: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]

    def argument(self, place: int, name: str, otherwise: Any = None) -> Any:
        """An argument by its place or its name."""
        if place < len(self.arguments):
            return self.arguments[place]
        return self.keywords.get(name, otherwise)


@dataclass
class Operation:
    """One operation of torch on tensors that have shapes and storages, and no values."""

    function: OpOverload
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    result: Any
    call: Call
    """The innermost module that was at work."""
    learns: frozenset[int] = frozenset()
    """Which of its arguments depend on what is learned, by `id`."""
    saved_bytes: int = 0
    """What it keeps for the backward pass that nothing before it keeps."""
    weighs: bool = False
    """Whether one of its arguments is a parameter, or made of parameters alone."""

    @property
    def name(self) -> str:
        """`convolution` for `aten.convolution.default`."""
        return self.function._schema.name.rpartition("::")[2]


@dataclass
class Record:
    """A forward pass in training mode, up to where it ended."""

    network: nn.Module
    """The copy that was run."""
    image: Tensor
    """The first input."""
    inputs: tuple[Tensor, ...]
    operations: list[Operation] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    """Uses of modules in the order in which they ended, the root's last."""
    result: Any = None
    training: bool = True
    ran: bool = False
    """Whether it computed, on random values."""
    normalises_one_value: bool = False
    """Whether batch normalisation met a single value for a channel, which torch refuses."""
    stopped: Exception | None = None
    stopped_at: str = ""
    """The path of the module in which it stopped."""
    failed: Failure | None = None
    """The call of torch in which it stopped; None where the network's own code raised."""

    @property
    def stopped_module(self) -> nn.Module | None:
        """The module in which it stopped, of the copy."""
        return self.network.get_submodule(self.stopped_at) if self.stopped else None


def tensors(value: object) -> list[Tensor]:
    """The tensors in the arguments or the result of an operation or a module."""
    if isinstance(value, Tensor):
        return [value]
    if type(value) in (tuple, list):
        return [leaf for each in cast(tuple[object], value) for leaf in tensors(each)]
    if value is None or type(value) in (int, float, bool, str):
        return []
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def first(value: Any) -> Tensor:
    """The tensor that an operation gives, or the first of several."""
    tensor = value if isinstance(value, Tensor) else value[0]
    assert isinstance(tensor, Tensor)
    return tensor


def is_leaf(module: nn.Module) -> bool:
    """Whether a module has none below it but those that compute its own weights."""
    return all(name == "parametrizations" for name, _ in module.named_children())


def kind_of(module: nn.Module) -> str:
    """A module's class; that of a parametrised one as it was before."""
    return parametrize.type_before_parametrizations(module).__name__
