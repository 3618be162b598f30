"""What all layers of sliding filters have in common: their settings and their arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from striate.layers import windows
from striate.layers.base import Layer, Pair, Role, Setting, Shape, Value, Window
from striate.layers.windows import Padding

KERNEL = Setting("kernel_size", "pair", "rows and columns of the filter", required=True)
CHANNELS = Setting("out_channels", "int", "number of filters", required=True)
STRIDE = Setting("stride", "pair", "step between two outputs", default=(1, 1), letter="s")
PADDING = Setting(
    "padding", "padding", "zeros around the input", default="same", letter="p", minimum=0
)
DILATION = Setting("dilation", "pair", "step inside the filter", default=(1, 1), letter="d")
GROUPS = Setting("groups", "int", "independent groups of channels", default=1, letter="g")
BIAS = Setting("bias", "bool", "a learned offset for each filter", default=True)
BIAS_FLAGS: dict[str, tuple[str, Value]] = {"bias": ("bias", True), "nobias": ("bias", False)}
FLAGS: dict[str, tuple[str, Value]] = {
    "same": ("padding", "same"),
    "valid": ("padding", "valid"),
    "full": ("padding", "full"),
    **BIAS_FLAGS,
}


@dataclass(frozen=True)
class FilterLayer(Layer):
    """Filters that slide over the input.

    `H' = floor((H + 2·padding − dilation·(kernel_size − 1) − 1) / stride) + 1`.
    """

    kernel_size: Pair
    out_channels: int
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)

    role: ClassVar[Role] = "conv"
    number: ClassVar[str] = "kernel_size"
    dash: ClassVar[str] = "out_channels"
    slash: ClassVar[str] = "stride"
    flags: ClassVar[dict[str, tuple[str, Value]]] = FLAGS

    def axes(self, inputs: tuple[Shape, ...]) -> tuple[windows.Axis, windows.Axis]:
        """The two axes along which the filter slides."""
        return windows.axes(
            self.kind, inputs, self.kernel_size, self.stride, self.padding, self.dilation
        )

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        height, width = self.axes(inputs)
        return self.out_channels, height.positions(), width.positions()

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return windows.sliding(*self.axes(inputs))

    def remainder(self, inputs: tuple[Shape, ...]) -> Pair:
        return windows.left_over(*self.axes(inputs))

    def lost(self, inputs: tuple[Shape, ...]) -> Pair:
        return windows.really_lost(*self.axes(inputs))
