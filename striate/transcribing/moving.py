"""Operations that move values: views, slices, zeros around, tensors joined."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from striate.graph import IMAGE
from striate.layers import Concat, Layer
from striate.layers.cropping import Crop
from striate.layers.padding import Pad
from striate.layers.shuffling import Shuffle
from striate.layers.slicing import Slice
from striate.layers.widening import Widen
from striate.tracing.record import Operation
from striate.transcribing.layouts import (
    CHANNELS,
    HEIGHT,
    REPEATED,
    WIDTH,
    Run,
    plain,
    reshaped,
    whole,
)
from striate.transcribing.reading import Reader
from striate.transcribing.steps import Value


def same(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A copy, or the tensor itself under another name."""
    value = reader.value(operation, operation.arguments[0])
    reader.put(operation.result, value)


def reshape(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """The same values in order under other axes."""
    value = reader.value(operation, operation.arguments[0])
    layout = reshaped(value.layout, tuple(operation.result.shape))
    if layout is None:
        sizes = "×".join(map(str, operation.result.shape))
        raise reader.unwritten(operation, f"cuts its axes across, into {sizes}")
    reader.put(operation.result, Value(value.step, layout))


def permute(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Axes in another order."""
    value = reader.value(operation, operation.arguments[0])
    rank = len(value.layout)
    if operation.name == "permute":
        order = [axis % rank for axis in given["dims"]]
    else:
        order = list(range(rank))
        first, second = (given["dim0"], given["dim1"]) if operation.name == "transpose" else (0, 1)
        order[first], order[second] = order[second], order[first]
    reader.put(operation.result, Value(value.step, tuple(value.layout[axis] for axis in order)))


def shuffle(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Channels dealt out over groups."""
    step = reader.image(operation, reader.value(operation, operation.arguments[0]))
    shape = reader.output(step)
    found = reader.add(operation, Shuffle(given["groups"]), (step,), shape)
    reader.put(operation.result, Value(found, plain(reader.batch, shape)))


def expand(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Axes of one value repeated."""
    value = reader.value(operation, operation.arguments[0])
    sizes = tuple(operation.result.shape)
    had = tuple(operation.arguments[0].shape)
    added = len(sizes) - len(had)
    layout = ((),) * added + value.layout
    repeated = tuple(
        axis if size == before else (Run(REPEATED, size, 0),)
        for axis, size, before in zip(layout, sizes, (1,) * added + had, strict=True)
    )
    reader.put(operation.result, Value(value.step, repeated))


def restride(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """`as_strided_` to the shape that a tensor has: another order in memory alone."""
    tensor = operation.arguments[0]
    if tuple(given["size"]) != tuple(tensor.shape):
        raise reader.unwritten(operation, "calls as_strided_, for which it has no word")


def constant(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A tensor of the same shape without its values: nothing of the image is in it."""


def cat(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Tensors joined along depth."""
    values = [reader.value(operation, each) for each in given["tensors"]]
    if len(values) == 1:
        reader.put(operation.result, values[0])
        return
    rank = operation.result.dim()
    axis = given["dim"] % rank
    if all(reader.channels_last(each) and axis == rank - 1 for each in values) and rank == 4:
        raise reader.unwritten(operation, "joins volumes whose channels stand last")
    steps = [reader.straight(operation, each) for each in values]
    if axis != 1:
        raise reader.unwritten(
            operation, f"joins tensors along axis {axis}, not along their channels"
        )
    channels = sum(reader.output(step)[0] for step in steps)
    shape = channels, *reader.output(steps[0])[1:]
    step = reader.add(operation, Concat(), steps, shape)
    reader.put(
        operation.result, Value(step, tuple(map(whole, range(rank), operation.result.shape)))
    )


def split(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Neighbouring parts of the channels."""
    value = reader.value(operation, operation.arguments[0])
    axis = given.get("dim", 0) % operation.arguments[0].dim()
    start = 0
    for result in operation.result:
        count = result.shape[axis]
        _part(reader, operation, result, value, axis, start, count)
        start += count


def slice_(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Neighbouring channels, or rows or columns cut off."""
    tensor = operation.arguments[0]
    value = reader.value(operation, tensor)
    axis = given["dim"] % tensor.dim()
    if given["step"] != 1:
        raise reader.unwritten(operation, f"takes one of every {given['step']} along axis {axis}")
    size = tensor.shape[axis]
    start = given["start"] or 0
    start = min(size, start + size if start < 0 else start)
    count = operation.result.shape[axis]
    _part(reader, operation, operation.result, value, axis, start, count)


def narrow(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Neighbouring channels, or rows or columns cut off."""
    tensor = operation.arguments[0]
    value = reader.value(operation, tensor)
    axis, start = given["dim"] % tensor.dim(), given["start"] % tensor.shape[given["dim"]]
    _part(reader, operation, operation.result, value, axis, start, given["length"])


def _part(
    reader: Reader,
    operation: Operation,
    result: Tensor,
    value: Value,
    axis: int,
    start: int,
    count: int,
) -> None:
    size = operation.arguments[0].shape[axis]
    if count == size:
        reader.put(result, value)
        return
    step = reader.image(operation, value)
    channels, height, width = reader.output(step)
    layer: Layer
    if axis == CHANNELS:
        layer, shape = Slice(start, count), (count, height, width)
        reader.parts[id(result)] = step, range(start, start + count)
    elif axis in (HEIGHT, WIDTH):
        rest = size - start - count
        before, after = ((start, 0), (rest, 0)) if axis == HEIGHT else ((0, start), (0, rest))
        layer = Crop(before, after)
        shape = (channels, count, width) if axis == HEIGHT else (channels, height, count)
    else:
        raise reader.unwritten(operation, "takes some of the images of a batch")
    found = reader.add(operation, layer, (step,), shape)
    reader.put(result, Value(found, tuple(map(whole, range(4), result.shape))))


def pad(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Zeros around, channels of zeros, or rows and columns cut off."""
    step = reader.image(operation, reader.value(operation, operation.arguments[0]))
    channels, height, width = reader.output(step)
    sides = [*given["pad"], 0, 0, 0, 0, 0, 0][:8]
    left, right, top, bottom, front, back = sides[:6]
    if given["value"] not in (0, None) or any(sides[6:]) or front:
        raise reader.unwritten(
            operation, "pads with other values than zeros, or in front of the channels"
        )
    layers: list[tuple[Layer, tuple[int, ...]]] = []
    if back:
        layers.append((Widen(channels + back), (channels + back, height, width)))
        channels += back
    size = (height + top + bottom, width + left + right)
    if min(top, left, bottom, right) < 0 < max(top, left, bottom, right):
        raise reader.unwritten(operation, "pads some sides and crops others at once")
    if any((top, left, bottom, right)):
        before, after = (abs(top), abs(left)), (abs(bottom), abs(right))
        kind = Crop if min(top, left, bottom, right) < 0 else Pad
        layers.append((kind(before, after if after != before else None), (channels, *size)))
    for layer, shape in layers:
        step = reader.add(operation, layer, (step,), shape)
    assert step != IMAGE or not layers
    reader.put(operation.result, Value(step, tuple(map(whole, range(4), operation.result.shape))))
