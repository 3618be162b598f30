"""Results of the short way, held to what torch computes from real tensors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_map_only

from striate.tracing.quick import quickly
from striate.tracing.record import tensors

aten = torch.ops.aten
X = torch.rand(2, 6, 9, 7)
LAST = X.to(memory_format=torch.channels_last)
ROWS = [torch.rand(6) for _ in range(4)]
HALF = X.bfloat16()

SHORT: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "relu": (aten.relu.default, (X,)),
    "of a vector": (aten.silu.default, (torch.rand(2, 5),)),
    "channels last": (aten.gelu.default, (LAST,)),
    "in place": (aten.hardtanh_.default, (X, 0, 6)),
    "sum": (aten.add.Tensor, (LAST, LAST)),
    "sum in place": (aten.add_.Tensor, (HALF, HALF)),
    **{
        f"norm of {name}, training {training}": (
            aten.native_batch_norm.default,
            (each, *ROWS, training, 0.1, 1e-5),
        )
        for name, each in {"floats": X, "halves": HALF, "channels last": LAST}.items()
        for training in (True, False)
    },
    "norm of halves with halves": (
        aten.native_batch_norm.default,
        (HALF, *(each.bfloat16() for each in ROWS), True, 0.1, 1e-5),
    ),
    "norm without weights": (
        aten.native_batch_norm.default,
        (X, None, None, None, None, True, 0.1, 1e-5),
    ),
    **{
        f"convolution {number}": (
            aten.convolution.default,
            (X, torch.rand(8, 6 // groups, *kernel), *rest, False, [0, 0], groups),
        )
        for number, (kernel, groups, rest) in enumerate(
            [
                ((3, 3), 1, (None, [1, 1], [1, 1], [1, 1])),
                ((1, 1), 1, (torch.rand(8), [2, 2], [0, 0], [1, 1])),
                ((3, 1), 2, (None, [1, 2], [2, 0], [2, 1])),
                ((9, 7), 1, (None, [1, 1], [0, 0], [1, 1])),
            ]
        )
    },
}
LONG: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "another operation": (aten.exp.default, (X,)),
    "whole numbers": (aten.relu.default, (torch.ones(3, dtype=torch.int64),)),
    "a part of a tensor": (aten.relu.default, (X[:, ::2],)),
    "a sum of two shapes": (aten.add.Tensor, (X, torch.rand(6, 1, 1))),
    "a sum with a number": (aten.add.Tensor, (X, 2.0)),
    "a sum of two orders": (aten.add.Tensor, (X, LAST)),
    "a sum of two types": (aten.add.Tensor, (X, HALF)),
    "channels that do not fit": (
        aten.convolution.default,
        (X, torch.rand(8, 5, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    ),
    "a filter larger than the image": (
        aten.convolution.default,
        (X, torch.rand(8, 6, 11, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
    ),
    "transposed": (
        aten.convolution.default,
        (X, torch.rand(6, 8, 3, 3), None, [1, 1], [1, 1], [1, 1], True, [0, 0], 1),
    ),
    "a convolution of channels last": (
        aten.convolution.default,
        (LAST, torch.rand(8, 6, 3, 3), None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    ),
}


def fake(args: tuple[Any, ...]) -> tuple[FakeTensorMode, tuple[Any, ...]]:
    mode = FakeTensorMode()
    return mode, tree_map_only(Tensor, mode.from_tensor, args)


def outline(found: Tensor) -> tuple[Any, ...]:
    return tuple(found.shape), found.stride(), found.dtype, found.device


@pytest.mark.parametrize("name", SHORT)
def test_the_short_way_gives_the_shapes_that_torch_computes(name: str) -> None:
    func, args = SHORT[name]
    mode, given = fake(args)
    found = quickly(func, given, {})
    expected = func(*tree_map_only(Tensor, Tensor.clone, args))
    assert [outline(each) for each in tensors(found)] == [
        outline(each) for each in tensors(expected)
    ]
    assert all(type(each) is FakeTensor and each.fake_mode is mode for each in tensors(found))
    assert (found is given[0]) == func.name().partition(".")[0].endswith("_")


@pytest.mark.parametrize("name", LONG)
def test_what_is_not_plain_takes_the_long_way(name: str) -> None:
    func, args = LONG[name]
    assert quickly(func, fake(args)[1], {}) is None
