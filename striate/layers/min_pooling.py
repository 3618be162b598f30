"""Minimum pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Pair, Shape
from striate.layers.pooling import MaxPool

if TYPE_CHECKING:
    from torch import Tensor, nn


class MinPool(MaxPool):
    """The smallest value of each window; padding never counts."""

    words: ClassVar[tuple[str, ...]] = ("minpool",)
    example: ClassVar[str] = "minpool2"
    summary: ClassVar[str] = "min pooling: window, stride"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        return self.computed(min_pool, inputs)


def min_pool(
    image: Tensor, kernel_size: Pair, stride: Pair, padding: Pair, ceil_mode: bool
) -> Tensor:
    """The negative of the maximum of the negative."""
    from torch.nn.functional import max_pool2d

    return -max_pool2d(-image, kernel_size, stride, padding, ceil_mode=ceil_mode)
