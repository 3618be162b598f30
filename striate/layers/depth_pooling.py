"""Pooling over depth: rows and columns stay, channels are fewer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Role, Setting, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class DepthPool(Layer):
    """The largest of each `size` neighbouring channels: C×H×W to (C/size)×H×W.

    Behind a convolution or an fc this is maxout (Goodfellow et al. 2013, arXiv 1302.4389).
    """

    size: int

    words: ClassVar[tuple[str, ...]] = ("depthpool", "maxout")
    role: ClassVar[Role] = "pool"
    number: ClassVar[str] = "size"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("size", "int", "neighbouring channels, of which the largest stays", required=True),
    )
    example: ClassVar[str] = "depthpool4"
    summary: ClassVar[str] = "max pooling over neighbouring channels: maxout"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        if channels % self.size:
            raise MismatchError(
                f"depthpool{self.size} takes the largest of each {self.size} channels, but its "
                f"input has {channels}. Choose a divisor of {channels}"
            )
        return channels // self.size, *size

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import Computed

        return Computed(partial(depth_pool, size=self.size))


def depth_pool(image: Tensor, size: int) -> Tensor:
    """Maxima over neighbouring channels. Equal ones share the gradient."""
    return image.unflatten(1, (-1, size)).amax(2)
