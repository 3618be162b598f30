"""Pooling: each channel on its own, no weights, depth unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers import windows
from striate.layers.base import (
    WHOLE,
    Layer,
    MismatchError,
    Pair,
    Role,
    Setting,
    Shape,
    Value,
    Window,
    volume,
)
from striate.layers.windows import Padding

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Pool(Layer):
    """A window that slides over each channel. Its stride is the kernel's size unless given.

    `H' = floor((H + 2·padding − kernel_size)/stride) + 1`.
    """

    kernel_size: Pair
    stride: Pair = (0, 0)
    """(0, 0) stands for the kernel's size."""
    padding: Padding = "valid"

    role: ClassVar[Role] = "pool"
    number: ClassVar[str] = "kernel_size"
    slash: ClassVar[str] = "stride"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("kernel_size", "pair", "rows and columns of the window", required=True),
        Setting("stride", "pair", "step; the kernel's size if left out", letter="s"),
        Setting(
            "padding", "padding", "rows around the input", default="valid", letter="p", minimum=0
        ),
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = {
        "same": ("padding", "same"),
        "valid": ("padding", "valid"),
    }

    @property
    def step(self) -> Pair:
        """The stride in force."""
        return self.stride if self.stride != (0, 0) else self.kernel_size

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[windows.Axis, windows.Axis]:
        """The two axes along which the window slides."""
        found = windows.axes(self.kind, inputs, self.kernel_size, self.step, self.padding, (1, 1))
        for axis in found:
            if max(axis.before, axis.after) > axis.kernel_size // 2:
                raise MismatchError(
                    f"a pool's padding may be at most half of its window of {axis.kernel_size}, "
                    f"not {max(axis.before, axis.after)}. Use at most p{axis.kernel_size // 2}"
                )
            if axis.before != axis.after:
                raise MismatchError(
                    f"a pool with an even window of {axis.kernel_size} and stride 1 cannot keep "
                    "its input's size. Use an odd window, or give the padding as a number"
                )
        return found

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width = self.axes(inputs)
        return inputs[0][0], height.positions(), width.positions()

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return windows.sliding(*self.axes(inputs))

    def remainder(self, inputs: tuple[Shape, ...]) -> Pair:
        return windows.left_over(*self.axes(inputs))

    def lost(self, inputs: tuple[Shape, ...]) -> Pair:
        return windows.really_lost(*self.axes(inputs))

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return windows.is_symmetric(*self.axes(inputs))

    def torch_padding(self, inputs: tuple[Shape, ...]) -> Pair:
        """Padding as torch's pools take it: the same before and after."""
        height, width = self.axes(inputs)
        return height.before, width.before


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest value of each window. With `ceil` the last, incomplete window counts."""

    ceil: bool = False

    words: ClassVar[tuple[str, ...]] = ("pool", "maxpool")
    settings: ClassVar[tuple[Setting, ...]] = (
        *Pool.settings,
        Setting("ceil", "bool", "count a last, incomplete window", default=False),
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = {**Pool.flags, "ceil": ("ceil", True)}
    example: ClassVar[str] = "pool3/2"
    summary: ClassVar[str] = "max pooling: window, stride"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width = self.axes(inputs)
        return inputs[0][0], height.positions(self.ceil), width.positions(self.ceil)

    def remainder(self, inputs: tuple[Shape, ...]) -> Pair:
        return (0, 0) if self.ceil else super().remainder(inputs)

    def lost(self, inputs: tuple[Shape, ...]) -> Pair:
        return (0, 0) if self.ceil else super().lost(inputs)

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.MaxPool2d(
            self.kernel_size, self.step, self.torch_padding(inputs), ceil_mode=self.ceil
        )

    def computed(self, function: Callable[..., Tensor], inputs: tuple[Shape, ...]) -> nn.Module:
        """A module of a function that takes an image and the settings of torch's pools."""
        from striate.layers.computed import Computed

        padding = self.torch_padding(inputs)
        return Computed(
            partial(
                function,
                kernel_size=self.kernel_size,
                stride=self.step,
                padding=padding,
                ceil_mode=self.ceil,
            )
        )


@dataclass(frozen=True)
class AvgPool(MaxPool):
    """The mean of each window, zeros of the padding included unless `zeros` is false."""

    zeros: bool = True

    settings: ClassVar[tuple[Setting, ...]] = (
        *MaxPool.settings,
        Setting("zeros", "bool", "the padding's zeros count in the mean", default=True),
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = {
        **MaxPool.flags,
        "zeros": ("zeros", True),
        "nozeros": ("zeros", False),
    }
    words: ClassVar[tuple[str, ...]] = ("avgpool", "averagepool", "meanpool")
    example: ClassVar[str] = "avgpool2"
    summary: ClassVar[str] = "average pooling: window, stride"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.AvgPool2d(
            self.kernel_size,
            self.step,
            self.torch_padding(inputs),
            ceil_mode=self.ceil,
            count_include_pad=self.zeros,
        )


@dataclass(frozen=True)
class AdaptiveAvgPool(Layer):
    """Means over a grid of `output_size` cells that cover the input, whatever its size."""

    output_size: Pair

    words: ClassVar[tuple[str, ...]] = ("adaptavgpool", "adaptiveavgpool", "adaptivepool")
    role: ClassVar[Role] = "pool"
    number: ClassVar[str] = "output_size"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("output_size", "pair", "rows and columns that come out", required=True),
    )
    example: ClassVar[str] = "adaptavgpool7"
    summary: ClassVar[str] = "average pooling to a given size"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, _, _ = volume(self.kind, inputs)
        return channels, *self.output_size

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """Cell `i` of m over n rows goes from `floor(i·n/m)` up to `ceil((i+1)·n/m)`."""
        _, *size = volume(self.kind, inputs)
        cells = output[1:]
        if all(_covers(n, m) for n, m in zip(size, cells, strict=True)):
            return WHOLE
        (rows, columns), (m, k) = size, cells
        return Window(
            kernel_size=(rows + m - 1, columns + k - 1),
            stride=(Fraction(rows, m), Fraction(columns, k)),
            before=(Fraction(m - 1, m), Fraction(k - 1, k)),
            dilation=(Fraction(1, m), Fraction(1, k)),
        )

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return self.output_size[0] == self.output_size[1]

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.output_size)


class AdaptiveMaxPool(AdaptiveAvgPool):
    """The largest value of each cell of a grid that covers the input."""

    words: ClassVar[tuple[str, ...]] = ("adaptmaxpool", "adaptivemaxpool")
    example: ClassVar[str] = "adaptmaxpool7"
    summary: ClassVar[str] = "max pooling to a given size"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool2d(self.output_size)


class GlobalAvgPool(Layer):
    """The mean of each channel over the whole image: C×H×W to C×1×1 (Lin et al. 2013)."""

    words: ClassVar[tuple[str, ...]] = ("gap", "globalavgpool", "globalaveragepool")
    role: ClassVar[Role] = "pool"
    example: ClassVar[str] = "gap"
    summary: ClassVar[str] = "global average pooling"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, _, _ = volume(self.kind, inputs)
        return channels, 1, 1

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return WHOLE

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(1)


class GlobalMaxPool(GlobalAvgPool):
    """The largest value of each channel over the whole image."""

    words: ClassVar[tuple[str, ...]] = ("gmp", "globalmaxpool")
    example: ClassVar[str] = "gmp"
    summary: ClassVar[str] = "global max pooling"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.AdaptiveMaxPool2d(1)


def _covers(size: int, cells: int) -> bool:
    """Whether every cell covers the whole axis."""
    return cells == 1 or size == 1
