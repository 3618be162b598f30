"""Enlarging without weights."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import Layer, Pair, Role, Setting, Shape, Value, Window, volume

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Upsample(Layer):
    """Enlarges C×H×W by whole factors, to C×(f·H)×(f·W).

    Output row `i` lies at `(i + 1/2)/f − 1/2` of the input. It takes the nearest row, or with
    `bilinear` the two around it by their distances; the same along columns.
    """

    scale_factor: Pair
    bilinear: bool = False

    words: ClassVar[tuple[str, ...]] = ("upsample", "upsampling")
    role: ClassVar[Role] = "resize"
    number: ClassVar[str] = "scale_factor"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("scale_factor", "pair", "how many times the rows and columns", required=True),
        Setting("bilinear", "bool", "between the nearest values by distance", default=False),
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = {
        "bilinear": ("bilinear", True),
        "nearest": ("bilinear", False),
    }
    example: ClassVar[str] = "upsample2 bilinear"
    summary: ClassVar[str] = "enlarging by whole factors: nearest or bilinear"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, height, width = volume(self.kind, inputs)
        return channels, height * self.scale_factor[0], width * self.scale_factor[1]

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """All whole positions less than one (nearest: up to one half) from the unit's own place."""
        taps, before = zip(*(self._reach(factor) for factor in self.scale_factor), strict=True)
        rows, columns = self.scale_factor
        steps = (Fraction(1, rows), Fraction(1, columns))
        return Window(
            kernel_size=(taps[0], taps[1]),
            stride=steps,
            before=(before[0], before[1]),
            dilation=steps,
        )

    def _reach(self, factor: int) -> tuple[int, Fraction]:
        """How many `1/factor` steps of the input unit 0 reaches over, and where the first lies."""
        if not self.bilinear:
            return factor, Fraction(factor - 1, factor)
        taps = 2 * factor - factor % 2
        return taps, Fraction(factor - 1 + taps - 1, 2 * factor)

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return self.scale_factor[0] == self.scale_factor[1]

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """`nearest-exact`, since torch's `nearest` is a row off at some factors: 41, 47, …"""
        from torch import nn

        factors = (float(self.scale_factor[0]), float(self.scale_factor[1]))
        mode = "bilinear" if self.bilinear else "nearest-exact"
        return nn.Upsample(scale_factor=factors, mode=mode)
