"""The end of a network over turns: one channel for each feature, whatever its turn."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Role, Shape
from striate.layers.depth_pooling import depth_pool
from striate.layers.groups import P4, P4M

if TYPE_CHECKING:
    from torch import nn


def features(kind: str, channels: int, order: int) -> int:
    """How many features these channels hold. Raises MismatchError when they are no whole number."""
    if channels % order:
        raise MismatchError(
            f"{kind} takes {order} channels for each feature, one for each turn, but its input has "
            f"{channels}. It stands behind a p4{'m' if order == P4M else ''}lift or "
            f"p4{'m' if order == P4M else ''}conv"
        )
    return channels // order


class P4Pool(Layer):
    """The largest value of each feature over its quarter turns: (C·4)×H×W to C×H×W.

    What comes out turns with the image as an ordinary feature map does (Cohen & Welling 2016,
    section 6.3).
    """

    words: ClassVar[tuple[str, ...]] = ("p4pool",)
    order: ClassVar[int] = P4
    role: ClassVar[Role] = "pool"
    example: ClassVar[str] = "p4pool"
    summary: ClassVar[str] = "maximum over the quarter turns"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        return features(self.kind, channels, self.order), *size

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import Computed

        return Computed(partial(depth_pool, size=self.order))


class P4mPool(P4Pool):
    """The largest value of each feature over its quarter turns and mirrorings."""

    words: ClassVar[tuple[str, ...]] = ("p4mpool",)
    order: ClassVar[int] = P4M
    example: ClassVar[str] = "p4mpool"
    summary: ClassVar[str] = "maximum over the quarter turns and mirrorings"
