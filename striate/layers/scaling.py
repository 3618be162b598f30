"""A learned factor for each channel."""

from __future__ import annotations

from dataclasses import dataclass
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
