"""Batch normalisation that treats all turns of a feature alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Shape, volume
from striate.layers.group_pooling import features
from striate.layers.groups import P4, P4M
from striate.layers.normalisation import BatchNorm

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class P4BatchNorm(BatchNorm):
    """Each feature to mean 0 and variance 1 over the batch and its 4 turns, one scale and shift.

    With statistics of its own, as in bn, a channel would no longer be another's turned copy.
    """

    words: ClassVar[tuple[str, ...]] = ("p4bn",)
    order: ClassVar[int] = P4
    example: ClassVar[str] = "p4bn"
    summary: ClassVar[str] = "batch normalisation shared over the quarter turns"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        shape = volume(self.kind, inputs)
        features(self.kind, shape[0], self.order)
        return shape

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        return super().weights(((inputs[0][0] // self.order,),))

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import GroupBatchNorm2d

        return GroupBatchNorm2d(inputs[0][0] // self.order, eps=self.eps, momentum=self.momentum)


class P4mBatchNorm(P4BatchNorm):
    """Each feature to mean 0 and variance 1 over the batch, its turns and mirrorings."""

    words: ClassVar[tuple[str, ...]] = ("p4mbn",)
    order: ClassVar[int] = P4M
    example: ClassVar[str] = "p4mbn"
    summary: ClassVar[str] = "batch normalisation shared over quarter turns and mirrorings"
