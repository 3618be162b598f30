"""Fully connected layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import POINT, WHOLE, Layer, Role, Setting, Shape, Value, Window, product

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class FullyConnected(Layer):
    """Every output from every input value. A volume C×H×W is flattened first, as papers do."""

    out_channels: int
    bias: bool = True

    words: ClassVar[tuple[str, ...]] = ("fc", "linear", "dense")
    role: ClassVar[Role] = "linear"
    dash: ClassVar[str] = "out_channels"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("out_channels", "int", "number of neurons", required=True),
        Setting("bias", "bool", "a learned offset for each neuron", default=True),
    )
    flags: ClassVar[dict[str, tuple[str, Value]]] = {
        "bias": ("bias", True),
        "nobias": ("bias", False),
    }
    example: ClassVar[str] = "fc-10"
    summary: ClassVar[str] = "fully connected layer: neurons"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        return (self.out_channels,)

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_channels, product(inputs[0]))}
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return product(inputs[0]) * self.out_channels

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        return WHOLE if len(inputs[0]) == 3 else POINT

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float]:
        return product(inputs[0]), self.out_channels

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """The matrix alone: `striate.modules` flattens a volume in front of it."""
        from torch import nn

        return nn.Linear(product(inputs[0]), self.out_channels, bias=self.bias)
