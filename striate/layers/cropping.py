"""Cropping, which lets a larger volume meet a smaller one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, Pair, Role, Setting, Shape, SizeError, Window, show, volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Crop(Layer):
    """Takes rows and columns off on every side: H×W to (H − before − after)×(W − before − after).

    For the skip connections of networks whose convolutions do not pad (Ronneberger et al. 2015).
    """

    before: Pair
    after: Pair | None = None
    """None stands for as many as before."""

    words: ClassVar[tuple[str, ...]] = ("crop",)
    role: ClassVar[Role] = "resize"
    number: ClassVar[str] = "before"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "before", "pair", "rows and columns off the top and the left", required=True, minimum=0
        ),
        Setting(
            "after",
            "pair",
            "rows and columns off the bottom and the right; as before if left out",
            letter="a",
            minimum=0,
        ),
    )
    example: ClassVar[str] = "crop4"
    summary: ClassVar[str] = "rows and columns taken off on every side"

    @property
    def end(self) -> Pair:
        """Rows and columns taken off at the end."""
        return self.before if self.after is None else self.after

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = volume(self.kind, inputs)
        height, width = (size[i] - self.before[i] - self.end[i] for i in (0, 1))
        if height < 1 or width < 1:
            taken = show((size[0] - height, size[1] - width))
            raise SizeError(
                f"this crop takes {taken} rows and columns off an input of {show((*size,))} and "
                "leaves nothing. Crop less, or shrink the image less before it"
            )
        return channels, height, width

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return Window(before=(-self.before[0], -self.before[1]))

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return len({*self.before, *self.end}) == 1

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        (top, left), (bottom, right) = self.before, self.end
        return nn.ZeroPad2d((-left, -right, -top, -bottom))
