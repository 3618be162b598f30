"""Pooling by the L2 norm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Pair, Shape
from striate.layers.pooling import MaxPool

if TYPE_CHECKING:
    from torch import Tensor, nn


class L2Pool(MaxPool):
    """The L2 norm of each window: the square root of its sum of squares."""

    words: ClassVar[tuple[str, ...]] = ("l2pool",)
    example: ClassVar[str] = "l2pool2"
    summary: ClassVar[str] = "pooling by the L2 norm: window, stride"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        return self.computed(l2_pool, inputs)


def l2_pool(
    image: Tensor, kernel_size: Pair, stride: Pair, padding: Pair, ceil_mode: bool
) -> Tensor:
    """L2 norms of windows. Where all of a window is zero (after a ReLU), so is the gradient.

    `torch.nn.LPPool2d` gives nan there, and does not pad.
    """
    from torch.nn.functional import avg_pool2d

    squares = avg_pool2d(
        image * image, kernel_size, stride, padding, ceil_mode=ceil_mode, divisor_override=1
    )
    zero = squares == 0
    return squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)
