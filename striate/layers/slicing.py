"""Some of the channels, for a branch that works on a part of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, MismatchError, Role, Setting, Shape, volume

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Slice(Layer):
    """`out_channels` channels from channel `first` on, counted from 0.

    The channel split of Ma et al. 2018 (ShuffleNetV2, section 3.2) for 116 channels:
    `(slice0-58 | slice58-58 -> …) -> shuffle2`.
    """

    first: int
    out_channels: int

    words: ClassVar[tuple[str, ...]] = ("slice",)
    role: ClassVar[Role] = "resize"
    number: ClassVar[str] = "first"
    dash: ClassVar[str] = "out_channels"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("first", "int", "the first channel, counted from 0", required=True, minimum=0),
        Setting("out_channels", "int", "number of channels", required=True),
    )
    example: ClassVar[str] = "slice0-58"
    summary: ClassVar[str] = "some of the channels: the first, how many"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, height, width = volume(self.kind, inputs)
        if self.first + self.out_channels > channels:
            raise MismatchError(
                f"slice{self.first}-{self.out_channels} takes channels up to "
                f"{self.first + self.out_channels - 1}, counted from 0, but its input has "
                f"{channels}. Take fewer, or begin earlier"
            )
        return self.out_channels, height, width

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from striate.layers.computed import Computed

        return Computed(partial(sliced, first=self.first, count=self.out_channels))


def sliced(image: Tensor, first: int, count: int) -> Tensor:
    """`count` channels of N×C×H×W from channel `first` on."""
    return image.narrow(1, first, count)
