"""Channel shuffle, which lets grouped convolutions exchange what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Setting, Shape, volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Shuffle(Layer):
    """Channels of `groups` groups dealt out in turn: one of each, then the next of each.

    Zhang et al. 2017, ShuffleNet, section 3.1: (groups, C/groups) transposed.
    """

    groups: int

    words: ClassVar[tuple[str, ...]] = ("shuffle", "channelshuffle")
    number: ClassVar[str] = "groups"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("groups", "int", "groups of channels that are mixed", required=True),
    )
    example: ClassVar[str] = "shuffle3"
    summary: ClassVar[str] = "channel shuffle over groups"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, height, width = volume(self.kind, inputs)
        if channels % self.groups:
            raise MismatchError(
                f"shuffle{self.groups} deals channels out of {self.groups} equal groups, but its "
                f"input has {channels} channels. Choose a divisor of {channels}"
            )
        return channels, height, width

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.ChannelShuffle(self.groups)
