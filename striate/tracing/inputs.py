"""What a network is run on: one image, or several inputs, with values or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from striate.errors import UserError
from striate.layers import Shape, show

Inputs = Shape | list[Any] | dict[str, Any]
"""One image's shape, or each argument's in a list, or by name in a dictionary.

Each is a shape without the batch, a tensor whose shape and dtype count, batch included (for
integers), or once more a list or a dictionary of these.
"""


def is_shape(given: object) -> bool:
    """Whether this is the shape of one input."""
    return isinstance(given, tuple) and bool(given) and all(type(n) is int for n in given)


def arguments(given: Inputs, batch: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a network, by place and by name, as tensors that are made here.

    Floating-point tensors hold random values from 0 up to 1, others zeros; under a mode without
    memory they hold none. Raises UserError for what is no shape.
    """
    if is_shape(given):
        return (_made(given, batch),), {}
    if isinstance(given, list):
        return tuple(_made(each, batch) for each in given), {}
    if isinstance(given, dict):
        return (), {name: _made(each, batch) for name, each in given.items()}
    raise UserError(_unlike(given))


def told(given: Inputs) -> str:
    """The inputs as people write them: `3×224×224 and 10`."""
    return show(given) if isinstance(given, tuple) else " and ".join(map(show, shapes(given)))


def shapes(given: Any) -> list[Shape]:
    """The shapes of all inputs, those of tensors without the batch."""
    if isinstance(given, Tensor):
        return [tuple(given.shape[1:])]
    if is_shape(given):
        return [given]
    within = given.values() if isinstance(given, Mapping) else given
    return [shape for each in within for shape in shapes(each)]


def _made(given: Any, batch: int) -> Any:
    if isinstance(given, Tensor):
        if given.is_floating_point():
            return torch.rand(given.shape, dtype=given.dtype)
        return torch.zeros(given.shape, dtype=given.dtype)
    if is_shape(given) and all(n > 0 for n in given):
        return torch.rand((batch, *given))
    if isinstance(given, list):
        return [_made(each, batch) for each in given]
    if isinstance(given, dict):
        return {name: _made(each, batch) for name, each in given.items()}
    raise UserError(_unlike(given))


def _unlike(given: object) -> str:
    return (
        f"an input is a shape such as (3, 224, 224), a tensor, or a list or a dictionary of these, "
        f"not {given!r}"
    )
