"""What is measured of a machine: one operation of each family, at a few sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from striate.layers import Pair, Shape

BATCH = 8
"""Images in all probes but those of overhead."""
SIDE_TIMES_CHANNELS = 3584
"""Volumes are as large as networks have them: 64 channels of 56×56, 512 of 7×7."""
INNER = 1024
"""Columns of both matrices."""
WINDOWS = ((2, 2), (3, 2), (5, 1))
"""Those of pools, with their strides."""
COPIES = tuple(2**power for power in range(13, 28, 2))
"""Values in float32 of the copies that bandwidth is measured on."""


@dataclass(frozen=True)
class Probe:
    """One operation to measure."""

    family: str
    at: int
    """What its rate is a function of; 0 for families with one rate."""
    amount: int
    """FLOPs, two for each MAC, or values."""
    function: Callable[..., Tensor]
    shapes: tuple[Shape, ...]
    """Of the tensors that it is called with, and that gradients are wanted of."""
    dtype: torch.dtype
    device: str
    own: torch.dtype | None = None
    """That of all tensors but the first, where it is another."""

    def tensors(self) -> tuple[Tensor, ...]:
        """Random values for the function."""
        dtypes = [self.dtype, *[self.own or self.dtype] * len(self.shapes)]
        return tuple(
            torch.randn(shape, device=self.device).to(dtype).requires_grad_()
            for shape, dtype in zip(self.shapes, dtypes, strict=False)
        )


def of_rates(dtype: torch.dtype, device: str) -> Iterator[Probe]:
    """Matrix products and convolutions by channels, and all else on a volume that caches hold."""
    for rows in (1, 8, 64, 256, 1024):
        shapes = (rows, INNER), (INNER, INNER)
        amount = 2 * rows * INNER * INNER
        yield Probe("matrix", rows, amount, functional.linear, shapes, dtype, device)
    for channels in (3, 16, 64, 256, 512):
        both = channels, max(channels, 32)
        yield _convolution("conv", 9 * channels, both, 3, 1, dtype, device)
    for channels in (16, 64, 256, 1024):
        yield _convolution("pointwise", channels, (channels, channels), 1, 1, dtype, device)
    for channels in (32, 144, 384, 960):
        both = channels, channels
        yield _convolution("depthwise", channels, both, 3, channels, dtype, device)
    for channels in (32, 144, 384, 960):
        both = channels, channels
        yield _convolution("depthwise stride", channels, both, 3, channels, dtype, device, stride=2)
    for channels in (2, 4, 16, 64):
        both = 32 * channels, 32 * channels
        yield _convolution("grouped", 9 * channels, both, 3, 32, dtype, device)
    yield from _values(dtype, device, (BATCH, 64, 56, 56), WINDOWS)


def of_overhead(device: str) -> Iterator[Probe]:
    """One operation of each family on next to nothing."""
    dtype = torch.float32
    yield Probe("copy", 0, 1, torch.relu, ((1, 4, 2, 2),), dtype, device)
    yield Probe("matrix", 0, 1, functional.linear, ((1, 2), (2, 2)), dtype, device)
    for family, kernel, groups, stride in (
        ("conv", 3, 1, 1),
        ("pointwise", 1, 1, 1),
        ("depthwise", 3, 4, 1),
        ("depthwise stride", 3, 4, 2),
        ("grouped", 3, 2, 1),
    ):
        small = partial(_convolution, batch=1, side=4, stride=stride)
        yield small(family, 0, (4, 4), kernel, groups, dtype, device)
    yield from _values(dtype, device, (1, 4, 2, 2))


def _convolution(
    family: str,
    at: int,
    channels: tuple[int, int],
    kernel: int,
    groups: int,
    dtype: torch.dtype,
    device: str,
    *,
    batch: int = BATCH,
    side: int = 0,
    stride: int = 1,
) -> Probe:
    inputs, outputs = channels
    side = side or min(112, max(7, SIDE_TIMES_CHANNELS // outputs))
    image, weight = (batch, inputs, side, side), (outputs, inputs // groups, kernel, kernel)
    macs = batch * outputs * (-(-side // stride)) ** 2 * weight[1] * kernel * kernel
    function = partial(functional.conv2d, stride=stride, padding=kernel // 2, groups=groups)
    return Probe(family, at, 2 * macs, function, (image, weight), dtype, device)


def _values(
    dtype: torch.dtype, device: str, shape: Shape, windows: Sequence[Pair] = ((2, 2),)
) -> Iterator[Probe]:
    """All families that are no products; pools of these windows and strides."""
    batch, channels, height, width = shape
    count, each = batch * channels * height * width, (channels,)
    last = (batch, height, width, channels)
    made = partial(Probe, dtype=dtype, device=device)
    yield made("smooth", 0, count, functional.silu, (shape,))
    yield made("norm", 0, count, _batch_norm, (shape, each, each), own=torch.float32)
    yield made("layernorm", 0, count, _layer_norm, (last, each, each))
    for family, pool in (("maxpool", functional.max_pool2d), ("avgpool", functional.avg_pool2d)):
        for kernel, stride in windows:
            function = partial(pool, kernel_size=kernel, stride=stride, padding=kernel % 2)
            side = (height + 2 * (kernel % 2) - kernel) // stride + 1
            values = batch * channels * side * side * kernel * kernel
            yield made(family, kernel * kernel, values, function, (shape,))
    yield made("dropout", 0, count, functional.dropout, (shape,))


def _batch_norm(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.batch_norm(image, weight, bias, None, None, True, 0.1, 1e-5, True)


def _layer_norm(image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(image, weight.shape, weight, bias)
