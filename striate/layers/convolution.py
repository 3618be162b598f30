"""Convolutions. Each computes a cross-correlation: the kernel is not flipped, as in every CNN."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from striate.layers import windows
from striate.layers.base import (
    Layer,
    MismatchError,
    Pair,
    Role,
    Setting,
    Shape,
    Value,
    Window,
    product,
    volume,
)
from striate.layers.filters import (
    BIAS,
    BIAS_FLAGS,
    CHANNELS,
    DILATION,
    FLAGS,
    GROUPS,
    KERNEL,
    PADDING,
    STRIDE,
    FilterLayer,
)
from striate.layers.windows import Padding

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Conv(FilterLayer):
    """`out_channels` filters over all input channels, or over `1/groups` of them each.

    Input C×H×W, output out_channels×H'×W' with
    `H' = floor((H + 2·padding − dilation·(kernel_size − 1) − 1) / stride) + 1`.
    """

    groups: int = 1
    bias: bool = True

    words: ClassVar[tuple[str, ...]] = ("conv", "conv2d", "convolution")
    settings: ClassVar[tuple[Setting, ...]] = (
        KERNEL,
        CHANNELS,
        STRIDE,
        PADDING,
        DILATION,
        GROUPS,
        BIAS,
    )
    example: ClassVar[str] = "conv3-64/2 nobias"
    summary: ClassVar[str] = "convolution: kernel, filters, stride"

    def grouping(self, channels: int) -> tuple[int, int]:
        """`(out_channels, groups)` for an input of that many channels."""
        for name, count in (("input", channels), ("output", self.out_channels)):
            if count % self.groups:
                raise MismatchError(
                    f"groups={self.groups} does not divide the {count} {name} channels. "
                    f"Choose a common divisor of {channels} and {self.out_channels}"
                )
        return self.out_channels, self.groups

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        _, *size = super().output(inputs)
        out_channels, _ = self.grouping(inputs[0][0])
        return out_channels, *size

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        in_channels = inputs[0][0]
        out_channels, groups = self.grouping(in_channels)
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (out_channels, in_channels // groups, *self.kernel_size)
        }
        return shapes | ({"bias": (out_channels,)} if self.bias else {})

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return product(self.weights(inputs)["weight"]) * output[1] * output[2]

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float]:
        out_channels, groups = self.grouping(inputs[0][0])
        taps = product(self.kernel_size)
        return inputs[0][0] // groups * taps, out_channels // groups * taps

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        in_channels = inputs[0][0]
        out_channels, groups = self.grouping(in_channels)
        pads = windows.pads(self.padding, self.kernel_size, self.stride, self.dilation)
        if any(before != after for before, after in pads):
            from striate.layers.computed import UnevenConv2d

            return UnevenConv2d(
                in_channels,
                out_channels,
                self.kernel_size,
                self.stride,
                pads,
                self.dilation,
                groups,
                self.bias,
            )
        return nn.Conv2d(
            in_channels,
            out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=(pads[0][0], pads[1][0]),
            dilation=self.dilation,
            groups=groups,
            bias=self.bias,
        )


@dataclass(frozen=True)
class DepthwiseConv(Conv):
    """One filter, or `out_channels / in_channels` of them, for each input channel alone."""

    out_channels: int = 0
    """0 stands for as many as come in."""

    words: ClassVar[tuple[str, ...]] = ("dwconv", "depthwise")
    settings: ClassVar[tuple[Setting, ...]] = (
        KERNEL,
        Setting("out_channels", "int", "a multiple of the channels that come in", default=0),
        STRIDE,
        PADDING,
        DILATION,
        BIAS,
    )
    example: ClassVar[str] = "dwconv3/2"
    summary: ClassVar[str] = "depthwise convolution: a filter for each channel"

    def grouping(self, channels: int) -> tuple[int, int]:
        out_channels = self.out_channels or channels
        if out_channels % channels:
            raise MismatchError(
                f"a depthwise convolution of {channels} channels gives a multiple of {channels} "
                f"channels, not {out_channels}. Leave the number out, or follow it with "
                f"conv1-{out_channels}"
            )
        return out_channels, channels


@dataclass(frozen=True)
class PointwiseConv(Conv):
    """A 1×1 convolution: a fully connected layer applied at every pixel (Lin et al. 2013)."""

    kernel_size: Pair = (1, 1)
    out_channels: int = 0

    words: ClassVar[tuple[str, ...]] = ("pwconv", "pointwise")
    number: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = (
        CHANNELS,
        STRIDE,
        GROUPS,
        BIAS,
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = BIAS_FLAGS
    example: ClassVar[str] = "pwconv-128"
    summary: ClassVar[str] = "pointwise convolution: conv1 by another name"


@dataclass(frozen=True)
class TransposedConv(Layer):
    """The transpose of a convolution's matrix: learned enlarging, often called deconvolution.

    `H' = (H − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1`. Padding
    `same` makes the output exactly `stride` times the input.
    """

    kernel_size: Pair
    out_channels: int
    stride: Pair = (1, 1)
    padding: Padding = "same"
    output_padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    words: ClassVar[tuple[str, ...]] = ("tconv", "convtranspose", "transposedconv", "deconv")
    role: ClassVar[Role] = "conv"
    number: ClassVar[str] = "kernel_size"
    dash: ClassVar[str] = "out_channels"
    slash: ClassVar[str] = "stride"
    settings: ClassVar[tuple[Setting, ...]] = (
        KERNEL,
        CHANNELS,
        STRIDE,
        PADDING,
        Setting(
            "output_padding",
            "pair",
            "rows added at the end",
            default=(0, 0),
            letter="op",
            minimum=0,
        ),
        DILATION,
        GROUPS,
        BIAS,
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = FLAGS
    example: ClassVar[str] = "tconv2-64/2"
    summary: ClassVar[str] = "transposed convolution: enlarges by its stride"

    def paddings(self) -> tuple[Pair, Pair]:
        """`(padding, output_padding)` in torch's terms."""
        padding, added = [], []
        for axis in (0, 1):
            extent = windows.effective(self.kernel_size[axis], self.dilation[axis])
            extra = self.output_padding[axis]
            if self.padding == "same":
                around = max(0, -(-(extent - self.stride[axis]) // 2))
                extra += self.stride[axis] - extent + 2 * around
            elif self.padding == "valid":
                around = 0
            elif self.padding == "full":
                around = extent - 1
            elif isinstance(self.padding, int):
                around = self.padding
            else:
                assert not isinstance(self.padding, str)
                around = self.padding[axis]
            padding.append(around)
            added.append(extra)
        return (padding[0], padding[1]), (added[0], added[1])

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = volume(self.kind, inputs)
        for name, count in (("input", channels), ("output", self.out_channels)):
            if count % self.groups:
                raise MismatchError(
                    f"groups={self.groups} does not divide the {count} {name} channels. "
                    f"Choose a common divisor of {channels} and {self.out_channels}"
                )
        padding, added = self.paddings()
        result = []
        for axis in (0, 1):
            if self.padding == "same" and self.stride[axis] == 1 and added[axis] == 1:
                raise MismatchError(
                    f"a transposed convolution with an even filter of {self.kernel_size[axis]} and "
                    "stride 1 cannot keep its input's size. Use an odd filter, or give the "
                    f"padding as a number, such as p{padding[axis] - 1}"
                )
            if added[axis] >= max(self.stride[axis], self.dilation[axis]):
                raise MismatchError(
                    f"an output padding of {added[axis]} must be smaller than the stride or the "
                    f"dilation ({max(self.stride[axis], self.dilation[axis])})"
                )
            extent = windows.effective(self.kernel_size[axis], self.dilation[axis])
            length = (size[axis] - 1) * self.stride[axis] - 2 * padding[axis] + extent + added[axis]
            if length < 1:
                raise MismatchError(
                    f"a padding of {padding[axis]} takes away all of the output of this "
                    f"transposed convolution ({length} rows). Use at most "
                    f"p{(length + 2 * padding[axis] - 1) // 2}"
                )
            result.append(length)
        return self.out_channels, result[0], result[1]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (inputs[0][0], self.out_channels // self.groups, *self.kernel_size)
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Every input value meets every weight of its group once, those cut off included."""
        return product(self.weights(inputs)["weight"]) * inputs[0][1] * inputs[0][2]

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """Unit `i` meets input `u` and weight `j` where `u·stride = i + padding − j·dilation`."""
        padding, _ = self.paddings()
        before, dilation = [], []
        for axis in (0, 1):
            extent = windows.effective(self.kernel_size[axis], self.dilation[axis])
            before.append(Fraction(extent - 1 - padding[axis], self.stride[axis]))
            dilation.append(Fraction(self.dilation[axis], self.stride[axis]))
        return Window(
            kernel_size=self.kernel_size,
            stride=(Fraction(1, self.stride[0]), Fraction(1, self.stride[1])),
            before=(before[0], before[1]),
            dilation=(dilation[0], dilation[1]),
        )

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float]:
        """A stride lessens what an output reads, and not what an input feeds."""
        taps = product(self.kernel_size)
        reads, feeds = (n // self.groups * taps for n in (inputs[0][0], self.out_channels))
        return reads / product(self.stride), feeds

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        padding, added = self.paddings()
        return nn.ConvTranspose2d(
            inputs[0][0],
            self.out_channels,
            self.kernel_size,
            stride=self.stride,
            padding=padding,
            output_padding=added,
            groups=self.groups,
            bias=self.bias,
            dilation=self.dilation,
        )
