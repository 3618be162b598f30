"""ONNX's filters, pools and resampling in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from striate.errors import UserError
from striate.onnx_files.given import Given

CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
MEANS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
GLOBAL_MEANS: dict[int, Any] = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}
GLOBAL_MAXIMA: dict[int, Any] = {
    1: functional.adaptive_max_pool1d,
    2: functional.adaptive_max_pool2d,
    3: functional.adaptive_max_pool3d,
}


def convolution(given: Given) -> Tensor:
    image, weight = given.tensor(0), given.tensor(1)
    axes = image.dim() - 2
    kernel = list(weight.shape[2:])
    stride = given.setting("strides", [1] * axes)
    dilation = given.setting("dilations", [1] * axes)
    before, after = _pads(given, image, kernel, stride, dilation)
    image, padding = _padded(image, before, after, 0.0)
    bias = given.tensor(2) if given.has(2) else None
    groups = given.setting("group", 1)
    return CONVOLUTIONS[axes](image, weight, bias, stride, padding, dilation, groups)


def transposed(given: Given) -> Tensor:
    image, weight = given.tensor(0), given.tensor(1)
    axes = image.dim() - 2
    kernel = list(weight.shape[2:])
    stride = given.setting("strides", [1] * axes)
    dilation = given.setting("dilations", [1] * axes)
    extra = list(given.setting("output_padding", [0] * axes))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    wanted = given.setting("output_shape")
    same = given.setting("auto_pad", "NOTSET").startswith("SAME")
    if wanted is None and same:
        wanted = [size * step for size, step in zip(image.shape[2:], stride, strict=True)]
    if wanted is None:
        pads = given.setting("pads", [0] * 2 * axes)
        before, after = list(pads[:axes]), list(pads[axes:])
    else:
        full = [
            (size - 1) * step + r + e
            for size, step, r, e in zip(image.shape[2:], stride, reach, extra, strict=True)
        ]
        over = [have - want for have, want in zip(full, wanted[-axes:], strict=True)]
        before = [each // 2 for each in over]
        after = [each - b for each, b in zip(over, before, strict=True)]
        if given.setting("auto_pad", "") == "SAME_LOWER":
            before, after = after, before
    common = [max(0, min(b, a)) for b, a in zip(before, after, strict=True)]
    bias = given.tensor(2) if given.has(2) else None
    groups = given.setting("group", 1)
    result = TRANSPOSED[axes](image, weight, bias, stride, common, extra, groups, dilation)
    for axis in range(axes):
        start = before[axis] - common[axis]
        length = result.shape[2 + axis] - start - (after[axis] - common[axis])
        if start or length != result.shape[2 + axis]:
            result = result.narrow(2 + axis, start, length)
    return result


def max_pool(given: Given) -> Tensor:
    image, kernel = given.tensor(0), given.setting("kernel_shape")
    axes = len(kernel)
    stride = given.setting("strides", [1] * axes)
    dilation = given.setting("dilations", [1] * axes)
    before, after = _pads(given, image, kernel, stride, dilation)
    image, padding = _padded(image, before, after, -math.inf, most=[k // 2 for k in kernel])
    ceil = bool(given.setting("ceil_mode", 0))
    return MAXIMA[axes](image, kernel, stride, padding, dilation, ceil_mode=ceil)


def mean_pool(given: Given) -> Tensor:
    image, kernel = given.tensor(0), given.setting("kernel_shape")
    axes = len(kernel)
    stride = given.setting("strides", [1] * axes)
    before, after = _pads(given, image, kernel, stride, [1] * axes)
    counted = bool(given.setting("count_include_pad", 0))
    if before != after and not counted:
        raise UserError(
            f"the AveragePool {given.node.name!r} pads its sides unlike each other without "
            "counting the padding, which torch's pools cannot do"
        )
    image, padding = _padded(image, before, after, 0.0, most=[k // 2 for k in kernel])
    ceil = bool(given.setting("ceil_mode", 0))
    return MEANS[axes](image, kernel, stride, padding, ceil, counted)


def global_mean(given: Given) -> Tensor:
    found: Tensor = GLOBAL_MEANS[given.tensor(0).dim() - 2](given.tensor(0), 1)
    return found


def global_max(given: Given) -> Tensor:
    found: Tensor = GLOBAL_MAXIMA[given.tensor(0).dim() - 2](given.tensor(0), 1)
    return found


def _pads(
    given: Given,
    image: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> tuple[list[int], list[int]]:
    """The padding before and after each axis."""
    axes, kind = len(kernel), given.setting("auto_pad", "NOTSET")
    if kind in ("NOTSET", "VALID", ""):
        pads = given.setting("pads", [0] * 2 * axes) if kind != "VALID" else [0] * 2 * axes
        return list(pads[:axes]), list(pads[axes:])
    total = [
        max(0, (-(-size // step) - 1) * step + d * (k - 1) + 1 - size)
        for size, k, step, d in zip(image.shape[2:], kernel, stride, dilation, strict=True)
    ]
    half = [each // 2 for each in total]
    rest = [each - h for each, h in zip(total, half, strict=True)]
    return (half, rest) if kind == "SAME_UPPER" else (rest, half)


def _padded(
    image: Tensor,
    before: Sequence[int],
    after: Sequence[int],
    value: float,
    most: Sequence[int] | None = None,
) -> tuple[Tensor, list[int]]:
    """The image padded where torch's own padding cannot do it, and what is left to pad."""
    fits = most is None or all(b <= m for b, m in zip(before, most, strict=True))
    if list(before) == list(after) and fits:
        return image, list(before)
    sides = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    return functional.pad(image, sides, value=value), [0] * len(before)


def resize(given: Given) -> Tensor:
    """Resize, and Upsample of older files."""
    image = given.tensor(0)
    mode = given.setting("mode", "nearest")
    size = _resized(given, image)
    where = given.setting("coordinate_transformation_mode", "half_pixel")
    if given.node.operation == "Upsample" or given.opset < 11:
        where = "asymmetric"
    axes = len(size)
    rounds = given.setting("nearest_mode", "round_prefer_floor")
    if mode == "nearest":
        if where == "asymmetric" and (rounds == "floor" or given.opset < 11):
            return functional.interpolate(image, size, mode="nearest")
        return functional.interpolate(image, size, mode="nearest-exact")
    names = {("linear", 1): "linear", ("linear", 2): "bilinear", ("linear", 3): "trilinear"}
    name = names.get((mode, axes), "bicubic")
    if where == "asymmetric":
        raise UserError(
            f"the {given.node.operation} {given.node.name!r} resamples ({mode}) from the corners "
            "of pixels (asymmetric), which torch cannot do. Write it with half_pixel or "
            "align_corners"
        )
    return functional.interpolate(image, size, mode=name, align_corners=where == "align_corners")


def _resized(given: Given, image: Tensor) -> list[int]:
    """The size that is asked for, along rows and columns."""
    if given.has(3):
        sizes = given.known(3)
        return [int(each) for each in sizes[-(image.dim() - 2) :]]
    place = 1 if given.node.operation == "Upsample" or len(given.values) == 2 else 2
    scales = given.setting_or_known("scales", place)
    pairs = zip(image.shape[2:], scales[-(image.dim() - 2) :], strict=True)
    return [math.floor(size * scale) for size, scale in pairs]
