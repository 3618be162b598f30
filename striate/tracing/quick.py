"""What common operations give for tensors that hold no values, without asking FakeTensorMode.

That keeps what it found by all arguments, works it out in Python where they are new, and is most of
the time of a pass: here only shapes, types and places in memory are copied from an input. Where the
two differ (the type of a normalisation's statistics under bf16) this is what torch computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor

from striate.tracing.recurrent import LSTM, workspace

_META = torch.device("meta")
_DEVICE = torch.ops.prim.device.default
_aten = torch.ops.aten
_LSTM = _aten.mkldnn_rnn_layer.default
_SCALES = {_aten.native_layer_norm.default: 2, _aten.native_group_norm.default: 1}
"""Where these have their weights."""


def quickly(func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The operation's result; None where the ordinary way has to be taken."""
    if func is _DEVICE and type(args[0]) is FakeTensor:
        return args[0].fake_device
    if (known := corrected(func, args, kwargs)) is not None:
        return known
    found = _QUICK.get(func)
    if found is None or not args or not _plain(args[0]):
        return None
    return found(*args, **kwargs)


def corrected(func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What FakeTensorMode has otherwise than torch on a CPU; None of all else.

    That is the workspace of an LSTM, and the type of the statistics of layer and group
    normalisation in a lower precision than their weights.
    """
    if func is _LSTM and type(args[0]) is FakeTensor:
        return _lstm(*args, **kwargs)
    place = _SCALES.get(func)
    if place is None or len(args) <= place or type(args[0]) is not FakeTensor:
        return None
    input, scale = args[0], args[place]
    if scale is None or scale.dtype != torch.float32 or input.dtype == torch.float32:
        return None
    output, *statistics = func(*args, **kwargs)
    mean, deviation = (
        _new(input, tuple(each.shape), each.stride(), torch.float32) for each in statistics
    )
    return output, mean, deviation


def _plain(value: object) -> bool:
    """Whether a tensor without values fills its memory, in one of the two orders."""
    return (
        type(value) is FakeTensor
        and value.is_floating_point()
        and not value._has_symbolic_sizes_strides
        and (
            value.is_contiguous()
            or (value.dim() == 4 and value.is_contiguous(memory_format=torch.channels_last))
        )
    )


def _new(
    like: FakeTensor, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    with torch._C._DisableTorchDispatch():
        made = torch.empty_strided(shape, stride, dtype=dtype, device=_META)
    return FakeTensor(like.fake_mode, made, like.fake_device)


def _like(input: FakeTensor, *_: object, **__: object) -> Tensor:
    return _new(input, tuple(input.shape), input.stride(), input.dtype)


def _itself(input: Tensor, *_: object, **__: object) -> Tensor:
    return input


def _sum(input: FakeTensor, other: object, *, alpha: float = 1) -> Tensor | None:
    alike = (
        _plain(other)
        and isinstance(other, FakeTensor)
        and (other.shape, other.stride(), other.dtype, other.fake_device)
        == (input.shape, input.stride(), input.dtype, input.fake_device)
    )
    return _like(input) if alike else None


def _sum_in_place(input: FakeTensor, other: object, *, alpha: float = 1) -> Tensor | None:
    return input if _sum(input, other, alpha=alpha) is not None else None


def _batch_norm(
    input: FakeTensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor] | None:
    if input.dim() < 2 or input.fake_device.type != "cpu":
        return None
    kept = input.shape[1] if training else 0
    of = next((each for each in (weight, running_mean) if each is not None), input)
    mean, deviation = (_new(input, (kept,), (1,), of.dtype) for _ in range(2))
    return _like(input), mean, deviation


def _convolution(
    input: FakeTensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor | None:
    """Of two axes and in the order NCHW; where the sizes do not fit, torch says so."""
    fits = (
        input.dim() == weight.dim() == 4
        and not transposed
        and input.shape[1] == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
        and type(weight) is FakeTensor
        and weight.dtype == input.dtype
        and input.is_contiguous()
        and weight.is_contiguous()
        and input.fake_device == weight.fake_device
    )
    if not fits:
        return None
    rows, columns = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(
            input.shape[2:], weight.shape[2:], stride * 2, padding * 2, dilation * 2, strict=False
        )
    )
    if min(rows, columns) < 1:
        return None
    count, channels = input.shape[0], weight.shape[0]
    area = rows * columns
    strides = (channels * area, area, columns, 1)
    return _new(input, (count, channels, rows, columns), strides, input.dtype)


def _lstm(
    input: FakeTensor,
    weight: Tensor,
    recurrent: Tensor,
    bias: Tensor,
    other_bias: Tensor,
    hidden: Tensor,
    cell: Tensor,
    reverse: bool,
    batch_sizes: list[int],
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    bidirectional: bool,
    batch_first: bool,
    train: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    if mode != LSTM or input.dim() != 3:
        return None
    steps, batch, width = input.shape
    shape = (steps, batch, hidden_size)
    output = _new(input, shape, (batch * hidden_size, hidden_size, 1), input.dtype)
    states = [_new(input, tuple(t.shape), t.stride(), t.dtype) for t in (hidden, cell)]
    size = workspace(steps, batch, width, hidden_size, input.element_size()) if train else 0
    return output, states[0], states[1], _new(input, (size,), (1,), torch.uint8)


_QUICK: Mapping[OpOverload, Callable[..., Any]] = {
    **dict.fromkeys(
        (
            *(_aten.relu.default, _aten.silu.default, _aten.gelu.default, _aten.sigmoid.default),
            *(_aten.hardswish.default, _aten.hardsigmoid.default, _aten.hardtanh.default),
        ),
        _like,
    ),
    **dict.fromkeys(
        (
            *(_aten.relu_.default, _aten.silu_.default, _aten.sigmoid_.default),
            *(_aten.hardswish_.default, _aten.hardsigmoid_.default, _aten.hardtanh_.default),
        ),
        _itself,
    ),
    _aten.add.Tensor: _sum,
    _aten.add_.Tensor: _sum_in_place,
    _aten.native_batch_norm.default: _batch_norm,
    _aten.convolution.default: _convolution,
}
