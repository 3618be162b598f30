"""Operations that pool and enlarge."""

from __future__ import annotations

from typing import Any

from striate.layers import Layer, Shape
from striate.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
)
from striate.layers.upsampling import Upsample
from striate.tracing.record import Operation, first
from striate.transcribing.layouts import HEIGHT, WIDTH, plain
from striate.transcribing.reading import Reader, pair
from striate.transcribing.steps import Value


def max_pool(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Max pooling."""
    if any(step != 1 for step in given["dilation"]):
        raise reader.unwritten(operation, f"pools with a dilation of {given['dilation']}")
    _pooled(reader, operation, MaxPool(*_window(given), ceil=given["ceil_mode"]))


def avg_pool(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Average pooling."""
    if given["divisor_override"] is not None:
        raise reader.unwritten(operation, "divides the sums of a pool by a number of its own")
    kernel, stride, padding = _window(given)
    zeros = bool(given["count_include_pad"]) or padding == "valid"
    _pooled(reader, operation, AvgPool(kernel, stride, padding, given["ceil_mode"], zeros))


def _window(given: dict[str, Any]) -> tuple[tuple[int, int], tuple[int, int], Any]:
    kernel = pair(given["kernel_size"])
    stride = pair(given["stride"]) if given["stride"] else kernel
    rows, columns = pair(given["padding"])
    padding = "valid" if not rows and not columns else rows if rows == columns else (rows, columns)
    return kernel, (0, 0) if stride == kernel else stride, padding


def adaptive(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Pooling to a given size; to 1×1 it is global."""
    size = pair(given["output_size"])
    mean = "avg" in operation.name
    if size == (1, 1):
        _pooled(reader, operation, GlobalAvgPool() if mean else GlobalMaxPool())
    else:
        _pooled(reader, operation, AdaptiveAvgPool(size) if mean else AdaptiveMaxPool(size))


def _pooled(reader: Reader, operation: Operation, layer: Layer) -> None:
    step = reader.image(operation, reader.value(operation, operation.arguments[0]))
    result = first(operation.result)
    shape: Shape = tuple(result.shape[1:])
    found = reader.add(operation, layer, (step,), shape)
    reader.put(result, Value(found, plain(reader.batch, shape)))


def over_axes(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """The mean or the largest of all positions."""
    value = reader.value(operation, operation.arguments[0])
    rank = len(value.layout)
    taken = {axis % rank for axis in given["dim"] or range(rank)}
    shape = reader.output(value.step)
    gone = [run for axis in taken for run in value.layout[axis]]
    left = [run for axis in set(range(rank)) - taken for run in value.layout[axis]]
    spatial = (HEIGHT, WIDTH)
    if (
        len(shape) != 3
        or any(run.axis not in spatial for run in gone)
        or any(run.axis in spatial for run in left)
    ):
        raise reader.unwritten(
            operation, f"takes the {operation.name} over other axes than all positions"
        )
    layer = GlobalAvgPool() if operation.name == "mean" else GlobalMaxPool()
    step = reader.add(operation, layer, (value.step,), (shape[0], 1, 1))
    kept = [() if axis in taken else value.layout[axis] for axis in range(rank)]
    if not given["keepdim"]:
        kept = [value.layout[axis] for axis in range(rank) if axis not in taken]
    reader.put(operation.result, Value(step, tuple(kept)))


def upsample(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Enlarging by whole factors."""
    step = reader.image(operation, reader.value(operation, operation.arguments[0]))
    channels, *size = reader.output(step)
    larger = tuple(operation.result.shape[2:])
    factors = tuple(m // n for m, n in zip(larger, size, strict=True))
    if any(n * f != m for n, f, m in zip(size, factors, larger, strict=True)):
        sizes = f"{size[0]}×{size[1]} to {larger[0]}×{larger[1]}"
        raise reader.unwritten(operation, f"enlarges {sizes}, which is by no whole factor")
    scales = [given.get(name) for name in ("scales_h", "scales_w")]
    if any(scale not in (None, factor) for scale, factor in zip(scales, factors, strict=True)):
        told = "×".join(f"{scale:g}" for scale in scales if scale is not None)
        raise reader.unwritten(operation, f"enlarges by {told}, which are no whole factors")
    if given.get("align_corners"):
        raise reader.unwritten(operation, "enlarges with align_corners")
    layer = Upsample((factors[0], factors[1]), bilinear="bilinear" in operation.name)
    found = reader.add(operation, layer, (step,), (channels, *larger))
    reader.put(operation.result, Value(found, plain(reader.batch, (channels, *larger))))
