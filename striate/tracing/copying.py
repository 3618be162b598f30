"""A torch network without its memory: the same modules, whose weights are shapes alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from striate.errors import UserError

COMPILED = "_orig_mod"
"""Where a module that torch.compile made keeps the one that it was made of."""


def without_memory(
    model: nn.Module, mode: FakeTensorMode, *, channels_last: bool = False
) -> nn.Module:
    """A copy of a network whose parameters, buffers and other tensors hold no values.

    The network itself is neither changed nor moved; weights that are one in it are one in the
    copy. With `channels_last` those of four axes lie in memory so. Raises UserError for a network
    that cannot be copied, for one with lazy layers, and for one that torch.jit made. What
    torch.compile made is given as it was before.
    """
    model = getattr(model, COMPILED, model)
    _refuse_scripts(model)
    memo: dict[int, object] = {}
    for name, tensor in _tensors(model):
        if nn.parameter.is_lazy(tensor):
            raise UserError(
                f"{name} has no shape yet, since its layer is lazy. Run one batch through the "
                "network first, or give the layer its sizes"
            )
        if id(tensor) not in memo:
            memo[id(tensor)] = _fake(tensor, mode, channels_last)
    try:
        copied: nn.Module = copy.deepcopy(model, memo)
    except (TypeError, RuntimeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{type(model).__name__} cannot be copied, which sizing does so that the network "
            f"itself stays as it is: {error}"
        ) from error
    for path, module in list(copied.named_modules()):
        if path and COMPILED in module._modules:
            parent, _, name = path.rpartition(".")
            setattr(copied.get_submodule(parent), name, module.get_submodule(COMPILED))
    return copied


def settled(model: nn.Module, run: Callable[[nn.Module], object]) -> nn.Module:
    """A network whose lazy layers have their sizes: a copy, when it has any.

    `run` lets the copy, whose tensors hold no values, meet its input; where that stops before a
    lazy layer, the layer stays as it is.
    """
    memo: dict[int, object] = {}
    lazy = False
    for _, tensor in _tensors(model):
        if nn.parameter.is_lazy(tensor):
            lazy = True
            kind: Any = type(tensor)
            memo[id(tensor)] = kind(requires_grad=tensor.requires_grad, device="meta")
        else:
            memo[id(tensor)] = tensor
    if not lazy:
        return model
    copied = copy.deepcopy(model, memo)
    values = {id(tensor): tensor for _, tensor in _tensors(model)}
    shapes = {at: each.to("meta") for at, each in values.items() if not nn.parameter.is_lazy(each)}
    for module in copied.modules():
        tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for own in tables:
            for name, tensor in own.items():
                if tensor is not None and id(tensor) in shapes:
                    shape = shapes[id(tensor)]
                    learned = isinstance(tensor, nn.Parameter)
                    own[name] = nn.Parameter(shape, tensor.requires_grad) if learned else shape
    with suppress(Exception):
        run(copied)
    return copied


def _refuse_scripts(model: nn.Module) -> None:
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"{path} in {type(model).__name__}" if path else "this network"
            raise UserError(
                f"{where} was made by torch.jit.script or torch.jit.trace, which leaves no modules "
                "to follow. Give the network as it was before"
            )


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                yield f"{path}.{name}", value


def _fake(tensor: Tensor, mode: FakeTensorMode, channels_last: bool) -> Tensor:
    """What FakeTensorMode makes of a tensor on the CPU, without asking it: 10 times as fast.

    A parameter is one by its mark, as subclasses of tensors are.
    """
    shape = torch.empty_strided(
        tensor.shape, tensor.stride(), dtype=tensor.dtype, device=torch.device("meta")
    )
    if channels_last and shape.dim() == 4:
        shape = shape.contiguous(memory_format=torch.channels_last)
    fake = FakeTensor(mode, shape, torch.device("cpu"))
    if isinstance(tensor, nn.Parameter):
        fake.requires_grad_(tensor.requires_grad)
        fake._is_param = True
    return fake
