"""A torch network without its memory: the same modules, whose weights are shapes alone."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from striate.errors import UserError


def without_memory(
    model: nn.Module, mode: FakeTensorMode, *, channels_last: bool = False
) -> nn.Module:
    """A copy of a network whose parameters, buffers and other tensors hold no values.

    The network itself is neither changed nor moved; weights that are one in it are one in the
    copy. With `channels_last` those of four axes lie in memory so. Raises UserError for a network
    that cannot be copied, and for one with lazy layers.
    """
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
    return copied


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor):
                yield f"{path}.{name}", value


def _fake(tensor: Tensor, mode: FakeTensorMode, channels_last: bool) -> Tensor:
    with mode:
        fake = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
        if channels_last and fake.dim() == 4:
            fake = fake.contiguous(memory_format=torch.channels_last)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(fake, requires_grad=tensor.requires_grad)
    return fake
