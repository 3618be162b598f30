"""Channels of zeros, which let a narrow volume be added to a wider one without weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Role, Setting, Shape, volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Widen(Layer):
    """Channels of zeros after those that come in: C×H×W to out_channels×H×W.

    The shortcut without weights of He et al. 2015, arXiv 1512.03385, section 3.3, option A.
    """

    out_channels: int

    words: ClassVar[tuple[str, ...]] = ("widen", "padchannels")
    role: ClassVar[Role] = "resize"
    dash: ClassVar[str] = "out_channels"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("out_channels", "int", "channels with those of zeros", required=True),
    )
    example: ClassVar[str] = "widen-32"
    summary: ClassVar[str] = "channels of zeros added to those that come in"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, height, width = volume(self.kind, inputs)
        if channels > self.out_channels:
            raise MismatchError(
                f"widen-{self.out_channels} adds channels, but its input has {channels} already. "
                f"Write conv1-{self.out_channels} for fewer"
            )
        return self.out_channels, height, width

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.ZeroPad3d((0, 0, 0, 0, 0, self.out_channels - inputs[0][0]))
