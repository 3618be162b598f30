"""Zeros around a volume, where they are not the same on every side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, Pair, Role, Setting, Shape, Window, volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Pad(Layer):
    """Adds rows and columns of zeros: H×W to (before + H + after)×(before + W + after).

    For a filter of stride 2 whose zeros stand at the end alone, as TensorFlow's `SAME` puts them:
    `pad0 a1 -> conv3-32/2 valid`. A convolution's own padding is `conv3-32 p1`.
    """

    before: Pair
    after: Pair | None = None
    """None stands for as many as before."""

    words: ClassVar[tuple[str, ...]] = ("pad", "zeropad")
    role: ClassVar[Role] = "resize"
    number: ClassVar[str] = "before"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "before", "pair", "rows and columns at the top and the left", required=True, minimum=0
        ),
        Setting(
            "after",
            "pair",
            "rows and columns at the bottom and the right; as before if left out",
            letter="a",
            minimum=0,
        ),
    )
    example: ClassVar[str] = "pad0 a1"
    summary: ClassVar[str] = "rows and columns of zeros around the volume"

    @property
    def end(self) -> Pair:
        """Rows and columns added at the end."""
        return self.before if self.after is None else self.after

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = volume(self.kind, inputs)
        height, width = (size[i] + self.before[i] + self.end[i] for i in (0, 1))
        return channels, height, width

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return Window(before=self.before)

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return len({*self.before, *self.end}) == 1

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        (top, left), (bottom, right) = self.before, self.end
        return nn.ZeroPad2d((left, right, top, bottom))
