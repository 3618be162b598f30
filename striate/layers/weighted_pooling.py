"""Average pooling in which values near a window's centre count for more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Pair, Shape, product
from striate.layers.pooling import Pool

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class WeightedPool(Pool):
    """The mean of each window with weights `1/(1 + distance from its centre)`, scaled to sum to 1.

    Distances are Euclidean, in rows and columns. Zeros of the padding are included, as in avgpool.
    """

    words: ClassVar[tuple[str, ...]] = ("weightedpool",)
    example: ClassVar[str] = "weightedpool3/2"
    summary: ClassVar[str] = "average pooling weighted by nearness to the window's centre"

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return product(output) * product(self.kernel_size)

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import Computed

        padding = self.torch_padding(inputs)
        return Computed(
            partial(weighted_pool, kernel_size=self.kernel_size, stride=self.step, padding=padding)
        )


def weighted_pool(image: Tensor, kernel_size: Pair, stride: Pair, padding: Pair) -> Tensor:
    """Weighted means of windows: a depthwise convolution with one fixed filter."""
    import torch
    from torch.nn.functional import conv2d

    rows, columns = (torch.arange(n, device=image.device) - (n - 1) / 2 for n in kernel_size)
    nearness = 1 / (1 + torch.hypot(rows[:, None], columns))
    channels = image.shape[1]
    filters = (nearness / nearness.sum()).to(image.dtype).expand(channels, 1, *kernel_size)
    return conv2d(image, filters, None, stride, padding, groups=channels)
