"""Stochastic depth: residual branches that are left out at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, Role, Setting, Shape

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class DropPath(Layer):
    """Zeroes the whole path for an image with probability `p` in training, else scales by 1/(1−p).

    At the end of a residual branch: `(conv3-64 -> bn -> droppath0.2 + id)`. Huang et al. 2016,
    "Deep Networks with Stochastic Depth", who scale in testing instead.
    """

    p: float = 0.2

    words: ClassVar[tuple[str, ...]] = ("droppath", "stochasticdepth")
    role: ClassVar[Role] = "regularise"
    number: ClassVar[str] = "p"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("p", "float", "probability of a dropped path", default=0.2, minimum=0, maximum=1),
    )
    example: ClassVar[str] = "droppath0.2"
    summary: ClassVar[str] = "stochastic depth: a path dropped for whole images"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """torch drops whole channels: here the one channel that holds all of an image's values."""
        from torch import nn

        (shape,) = inputs
        dropout = nn.Dropout3d if len(shape) == 3 else nn.Dropout1d
        return nn.Sequential(nn.Unflatten(1, (1, shape[0])), dropout(self.p), nn.Flatten(1, 2))
