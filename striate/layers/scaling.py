"""Factors: a learned one for each channel, a fixed one for all values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, Role, Setting, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Scale(Layer):
    """Each channel times a factor of its own, which is `start` at first and then learned.

    At the end of a residual branch with a small `start`: LayerScale (Touvron et al. 2021,
    arXiv 2103.17239, section 2.1), as in ConvNeXt. Takes volumes and vectors.
    """

    start: float = 1.0

    words: ClassVar[tuple[str, ...]] = ("scale", "layerscale")
    role: ClassVar[Role] = "norm"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("start", "float", "the factor at first", default=1.0, minimum=0),
    )
    example: ClassVar[str] = "scale(start=1e-06)"
    summary: ClassVar[str] = "a learned factor for each channel"

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": inputs[0][:1]}

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import ChannelScale

        return ChannelScale(inputs[0][0], self.start)


@dataclass(frozen=True)
class Times(Layer):
    """Every value times a number.

    Before a sum: the branch of Inception-ResNet times 0.17 (Szegedy et al. 2016, arXiv 1602.07261,
    section 3.3); with −1, a difference. Takes volumes and vectors.
    """

    factor: float

    words: ClassVar[tuple[str, ...]] = ("times",)
    number: ClassVar[str] = "factor"
    role: ClassVar[Role] = "activation"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("factor", "float", "the number", required=True, minimum=-(2**31)),
    )
    example: ClassVar[str] = "times0.17"
    summary: ClassVar[str] = "every value times a number"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        import torch

        from striate.layers.computed import Computed

        return Computed(partial(torch.mul, other=self.factor))
