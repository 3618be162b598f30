"""Layers that treat every value alike or leave it as it is: activations, dropout, identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import POINT, WHOLE, Layer, Role, Setting, Shape, Window

if TYPE_CHECKING:
    from torch import nn


class Activation(Layer):
    """A function of each value; the volume stays."""

    role: ClassVar[Role] = "activation"
    torch_name: ClassVar[str] = ""
    """The class in torch.nn that computes it."""

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        found: type[nn.Module] = getattr(nn, self.torch_name)
        return found()


class ReLU(Activation):
    """`max(0, x)`."""

    words: ClassVar[tuple[str, ...]] = ("relu",)
    torch_name: ClassVar[str] = "ReLU"
    example: ClassVar[str] = "relu"
    summary: ClassVar[str] = "max(0, x)"


class ReLU6(Activation):
    """`min(max(0, x), 6)` (Howard et al. 2017, for low precision)."""

    words: ClassVar[tuple[str, ...]] = ("relu6",)
    torch_name: ClassVar[str] = "ReLU6"
    example: ClassVar[str] = "relu6"
    summary: ClassVar[str] = "min(max(0, x), 6)"


class GELU(Activation):
    """`x·Φ(x)` (Hendrycks & Gimpel 2016)."""

    words: ClassVar[tuple[str, ...]] = ("gelu",)
    torch_name: ClassVar[str] = "GELU"
    example: ClassVar[str] = "gelu"
    summary: ClassVar[str] = "x·Φ(x)"


class SiLU(Activation):
    """`x·sigmoid(x)` (Elfwing et al. 2017), also called swish."""

    words: ClassVar[tuple[str, ...]] = ("silu", "swish")
    torch_name: ClassVar[str] = "SiLU"
    example: ClassVar[str] = "silu"
    summary: ClassVar[str] = "x·sigmoid(x)"


class Tanh(Activation):
    """The hyperbolic tangent."""

    words: ClassVar[tuple[str, ...]] = ("tanh",)
    torch_name: ClassVar[str] = "Tanh"
    example: ClassVar[str] = "tanh"
    summary: ClassVar[str] = "hyperbolic tangent"


class Sigmoid(Activation):
    """`1 / (1 + exp(−x))`."""

    words: ClassVar[tuple[str, ...]] = ("sigmoid",)
    torch_name: ClassVar[str] = "Sigmoid"
    example: ClassVar[str] = "sigmoid"
    summary: ClassVar[str] = "1 / (1 + exp(−x))"


class HardSwish(Activation):
    """`x·hardsigmoid(x)` (Howard et al. 2019, MobileNetV3, section 5.2)."""

    words: ClassVar[tuple[str, ...]] = ("hardswish",)
    torch_name: ClassVar[str] = "Hardswish"
    example: ClassVar[str] = "hardswish"
    summary: ClassVar[str] = "x·hardsigmoid(x)"


class HardSigmoid(Activation):
    """`min(max(0, x + 3), 6) / 6`: the sigmoid in straight lines (Howard et al. 2019)."""

    words: ClassVar[tuple[str, ...]] = ("hardsigmoid",)
    torch_name: ClassVar[str] = "Hardsigmoid"
    example: ClassVar[str] = "hardsigmoid"
    summary: ClassVar[str] = "min(max(0, x + 3), 6) / 6"


class Mish(Activation):
    """`x·tanh(log(1 + exp(x)))` (Misra 2019)."""

    words: ClassVar[tuple[str, ...]] = ("mish",)
    torch_name: ClassVar[str] = "Mish"
    example: ClassVar[str] = "mish"
    summary: ClassVar[str] = "x·tanh(log(1 + exp(x)))"


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """`max(0, x) + slope·min(0, x)` (Maas et al. 2013)."""

    slope: float = 0.01

    words: ClassVar[tuple[str, ...]] = ("leakyrelu",)
    number: ClassVar[str] = "slope"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("slope", "float", "slope below zero", default=0.01, minimum=0),
    )
    example: ClassVar[str] = "leakyrelu0.1"
    summary: ClassVar[str] = "max(0, x) + slope·min(0, x)"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.LeakyReLU(self.slope)


@dataclass(frozen=True)
class ELU(Activation):
    """`x` above zero, `alpha·(exp(x) − 1)` below (Clevert et al. 2015)."""

    alpha: float = 1.0

    words: ClassVar[tuple[str, ...]] = ("elu",)
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            "alpha", "float", "what is approached far below zero, negated", default=1.0, minimum=0
        ),
    )
    example: ClassVar[str] = "elu"
    summary: ClassVar[str] = "x, below zero alpha·(exp(x) − 1)"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.ELU(self.alpha)


class Softmax(Activation):
    """Exponentials over the channel axis, scaled to sum to one."""

    words: ClassVar[tuple[str, ...]] = ("softmax",)
    example: ClassVar[str] = "softmax"
    summary: ClassVar[str] = "probabilities over the channels"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.Softmax(dim=1)


@dataclass(frozen=True)
class Dropout(Layer):
    """Zeroes each value with probability `p` in training (Srivastava et al. 2014)."""

    p: float = 0.5

    words: ClassVar[tuple[str, ...]] = ("dropout",)
    role: ClassVar[Role] = "regularise"
    number: ClassVar[str] = "p"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("p", "float", "probability of a zero", default=0.5, minimum=0, maximum=1),
    )
    example: ClassVar[str] = "dropout0.5"
    summary: ClassVar[str] = "dropout with a probability"

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)


class Identity(Layer):
    """Gives back its input: the shortcut of a residual sum."""

    words: ClassVar[tuple[str, ...]] = ("id", "identity")
    example: ClassVar[str] = "(conv3-64 -> bn + id)"
    summary: ClassVar[str] = "identity: the shortcut of a sum"

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        return True

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.Identity()


class Flatten(Layer):
    """A volume C×H×W as one vector of C·H·W values, channel by channel."""

    words: ClassVar[tuple[str, ...]] = ("flatten",)
    example: ClassVar[str] = "flatten"
    summary: ClassVar[str] = "a volume as one vector"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        size = 1
        for n in inputs[0]:
            size *= n
        return (size,)

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """A vector has no place on the image left: as a whole it comes from all of it."""
        return WHOLE if len(inputs[0]) == 3 else POINT

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.Flatten()
