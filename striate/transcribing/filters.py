"""Operations with weights: convolutions, matrices, normalisation."""

from __future__ import annotations

from typing import Any

from striate.graph import IMAGE
from striate.layers import FullyConnected, Layer, Pair, Shape, windows
from striate.layers.convolution import Conv, DepthwiseConv, TransposedConv
from striate.layers.normalisation import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm
from striate.layers.padding import Pad
from striate.layers.windows import Padding
from striate.tracing.record import Operation
from striate.transcribing.layouts import flat, plain, whole
from striate.transcribing.reading import Reader, pair
from striate.transcribing.steps import Value, Weight


def convolution(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A convolution of images, or its transpose."""
    value = reader.value(operation, given["input"])
    weight = given["weight"]
    if weight.dim() != 4:
        raise reader.unwritten(operation, f"convolves along {weight.dim() - 2} axes, not along two")
    weights = {"weight": reader.weight(operation, weight)}
    if given["bias"] is not None:
        weights["bias"] = reader.weight(operation, given["bias"])
    result = tuple(operation.result.shape)
    kernel, bias = pair(weight.shape[2:]), given["bias"] is not None
    if len(reader.output(value.step)) == 1 and kernel == (1, 1) and given["groups"] == 1:
        step = reader.add(
            operation,
            FullyConnected(result[1], bias),
            (_vector_under(reader, operation, value),),
            result[1:2],
            weights,
        )
        reader.put(operation.result, Value(step, tuple(map(whole, range(4), result))))
        return
    source = reader.image(operation, value)
    stride, dilation = pair(given["stride"]), pair(given["dilation"])
    padding, groups = pair(given["padding"]), given["groups"]
    layer: Layer
    if given["transposed"]:
        added = pair(given["output_padding"])
        out = result[1]
        layer = _transposed(kernel, out, stride, padding, added, dilation, groups, bias)
    else:
        source, told = _padding(reader, source, kernel, stride, padding, dilation)
        channels, out = given["input"].shape[1], weight.shape[0]
        if groups == channels > 1:
            filters = out if out != channels else 0
            layer = DepthwiseConv(kernel, filters, stride, told, dilation, bias=bias)
        else:
            layer = Conv(kernel, out, stride, told, dilation, groups, bias)
    step = reader.add(operation, layer, (source,), result[1:], weights)
    reader.put(operation.result, Value(step, plain(reader.batch, result[1:])))


def _vector_under(reader: Reader, operation: Operation, value: Value) -> int:
    """The vector whose values a tensor N×C×1×1 holds."""
    if tuple(axis for axis in value.layout if axis) != tuple(
        axis for axis in plain(reader.batch, reader.output(value.step)) if axis
    ):
        raise reader.misplaced(operation, value)
    return value.step


def _padding(
    reader: Reader, source: int, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[int, Padding]:
    """A convolution's padding as one word, with the zeros that stand before it where they fit."""
    same = windows.pads("same", kernel, stride, dilation)
    if same == ((padding[0], padding[0]), (padding[1], padding[1])):
        return source, "same"
    step = reader.steps[source] if source != IMAGE else None
    if step is not None and isinstance(step.layer, Pad):
        before, after = step.layer.before, step.layer.end
        both = tuple((before[i] + padding[i], after[i] + padding[i]) for i in (0, 1))
        if both == same:
            return step.inputs[0], "same"
    return source, _shortest(padding)


def _shortest(padding: Pair) -> Padding:
    if padding == (0, 0):
        return "valid"
    return padding[0] if padding[0] == padding[1] else padding


def _transposed(
    kernel: Pair,
    out: int,
    stride: Pair,
    padding: Pair,
    added: Pair,
    dilation: Pair,
    groups: int,
    bias: bool,
) -> TransposedConv:
    """With padding `same` where that is what the numbers come to."""
    same = TransposedConv(kernel, out, stride, "same", (0, 0), dilation, groups, bias)
    if same.paddings() == (padding, added):
        return same
    told = _shortest(padding)
    return TransposedConv(kernel, out, stride, told, added, dilation, groups, bias)


def addmm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A matrix times values, plus a bias."""
    if given["beta"] != 1 or given["alpha"] != 1:
        raise reader.unwritten(operation, "weighs the terms of addmm")
    weights = {"bias": reader.weight(operation, given["self"])}
    _matrix(reader, operation, given["mat1"], given["mat2"], weights)


def mm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A matrix times values."""
    _matrix(reader, operation, given["self"], given["mat2"], {})


def _matrix(
    reader: Reader, operation: Operation, values: Any, matrix: Any, weights: dict[str, Weight]
) -> None:
    value = reader.value(operation, values)
    found = reader.weight(operation, matrix, turned=True)
    weights = {"weight": found, **weights}
    shape, out = reader.output(value.step), operation.result.shape[1]
    bias = "bias" in weights
    if value.layout == flat(reader.batch, shape):
        step = reader.add(operation, FullyConnected(out, bias), (value.step,), (out,), weights)
        reader.put(operation.result, Value(step, plain(reader.batch, (out,))))
        return
    if not reader.channels_last(value) or len(shape) != 3:
        raise reader.misplaced(operation, value)
    step = reader.add(
        operation, Conv((1, 1), out, bias=bias), (value.step,), (out, *shape[1:]), weights
    )
    reader.put(operation.result, Value(step, (value.layout[0], whole(1, out))))


def batch_norm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Batch normalisation with learned scale and shift, which keeps running statistics."""
    names = {
        "weight": "weight",
        "bias": "bias",
        "running_mean": "running_mean",
        "running_var": "running_var",
    }
    if any(given.get(name) is None for name in names):
        raise reader.unwritten(
            operation, "normalises without learned scale and shift or kept statistics"
        )
    weights = {ours: reader.weight(operation, given[name]) for name, ours in names.items()}
    value = reader.value(operation, given["input"])
    step = reader.straight(operation, value)
    layer = BatchNorm(given["eps"], given["momentum"])
    found = reader.add(operation, layer, (step,), reader.output(step), weights)
    result = operation.result[0]
    reader.put(result, Value(found, tuple(map(whole, range(result.dim()), result.shape))))


def layer_norm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Layer normalisation over the channels of each position."""
    value = reader.value(operation, given["input"])
    if len(given["normalized_shape"]) != 1 or not reader.channels_last(value):
        raise reader.unwritten(
            operation, "normalises layers over more than the channels of a position"
        )
    _normalised(reader, operation, given, value, LayerNorm(given["eps"]))


def group_norm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Group normalisation."""
    value = reader.value(operation, given["input"])
    step = reader.straight(operation, value)
    layer = GroupNorm(given["group"], given["eps"])
    layout = tuple(map(whole, range(len(value.layout)), given["input"].shape))
    _normalised(reader, operation, given, Value(step, layout), layer)


def _normalised(
    reader: Reader, operation: Operation, given: dict[str, Any], value: Value, layer: Layer
) -> None:
    if given["weight"] is None or given["bias"] is None:
        raise reader.unwritten(operation, "normalises without learned scale and shift")
    weights = {name: reader.weight(operation, given[name]) for name in ("weight", "bias")}
    shape: Shape = reader.output(value.step)
    step = reader.add(operation, layer, (value.step,), shape, weights)
    reader.put(operation.result[0], Value(step, value.layout))


def local_response_norm(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """The function of torch.nn.functional as a whole; it divides alpha by the size."""
    names = ("input", "size", "alpha", "beta", "k")
    usual = {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    found = usual | {name: given[str(i)] for i, name in enumerate(names) if str(i) in given}
    found |= {name: given[name] for name in names if name in given}
    value = reader.value(operation, found["input"])
    step = reader.image(operation, value)
    size = found["size"]
    layer = LocalResponseNorm(size, found["alpha"] / size, found["beta"], found["k"])
    made = reader.add(operation, layer, (step,), reader.output(step))
    reader.put(operation.result, Value(made, plain(reader.batch, reader.output(step))))
