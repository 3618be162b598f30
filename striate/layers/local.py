"""Locally connected layers: convolutions without parameter sharing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers import windows
from striate.layers.base import Pair, Setting, Shape, product
from striate.layers.filters import BIAS, CHANNELS, DILATION, KERNEL, PADDING, STRIDE, FilterLayer

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class LocalConv(FilterLayer):
    """A convolution with other filters, and other biases, at every output position.

    For images whose parts stay in their places, such as centred faces (Taigman et al. 2014,
    DeepFace, section 3.1). Weights H'×W'×out_channels×in_channels×rows×columns, biases
    out_channels×H'×W'; the image's size cannot change afterwards.
    """

    bias: bool = True

    words: ClassVar[tuple[str, ...]] = ("localconv", "local", "lconv")
    settings: ClassVar[tuple[Setting, ...]] = (KERNEL, CHANNELS, STRIDE, PADDING, DILATION, BIAS)
    example: ClassVar[str] = "localconv3-16"
    summary: ClassVar[str] = "locally connected: filters and biases of its own at every position"

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        output = self.output(inputs)
        shapes = {"weight": (*output[1:], self.out_channels, inputs[0][0], *self.kernel_size)}
        return shapes | ({"bias": output} if self.bias else {})

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return product(self.weights(inputs)["weight"])

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float]:
        taps = product(self.kernel_size)
        return inputs[0][0] * taps, self.out_channels * taps

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import Computed

        return Computed(
            partial(
                local_convolution,
                stride=self.stride,
                pads=windows.pads(self.padding, self.kernel_size, self.stride, self.dilation),
                dilation=self.dilation,
            ),
            self.weights(inputs),
        )


def local_convolution(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Pair,
    pads: tuple[Pair, Pair],
    dilation: Pair,
) -> Tensor:
    """One matrix product for each position: its filters with the patches under them.

    Image N×C×H×W, weight H'×W'×O×C×rows×columns, bias O×H'×W'; gives N×O×H'×W'.
    """
    from torch.nn import functional as F

    rows, columns = pads
    patches = F.pad(image, (*columns, *rows))
    for axis in (0, 1):
        extent = dilation[axis] * (weight.shape[4 + axis] - 1) + 1
        patches = patches.unfold(2 + axis, extent, stride[axis])[..., :: dilation[axis]]
    patches = patches.permute(2, 3, 0, 1, 4, 5).flatten(0, 1).flatten(2)  # H'W'×N×(C·k·k)
    filters = weight.flatten(0, 1).flatten(2)  # H'W'×O×(C·k·k)
    found = patches.bmm(filters.transpose(1, 2)).permute(1, 2, 0)  # N×O×H'W'
    found = found.unflatten(2, weight.shape[:2])
    return found if bias is None else found + bias
