"""Normalisation across the batch and across channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from striate.layers.base import POINT, Layer, MismatchError, Role, Setting, Shape, Window, volume

if TYPE_CHECKING:
    from torch import nn

EPS = Setting("eps", "float", "added to the variance", default=1e-5, minimum=0, maximum=1)


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Each channel to mean 0 and variance 1 over the batch, then a learned scale and shift.

    Ioffe & Szegedy 2015, arXiv 1502.03167, algorithm 1. Takes volumes and vectors.
    """

    eps: float = 1e-5
    momentum: float = 0.1

    words: ClassVar[tuple[str, ...]] = ("bn", "batchnorm", "batchnorm2d")
    role: ClassVar[Role] = "norm"
    settings: ClassVar[tuple[Setting, ...]] = (
        EPS,
        Setting(
            "momentum",
            "float",
            "share of a new batch in the running statistics",
            default=0.1,
            minimum=0,
            maximum=1,
        ),
    )
    example: ClassVar[str] = "bn"
    summary: ClassVar[str] = "batch normalisation"

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        channels = inputs[0][0]
        return {"weight": (channels,), "bias": (channels,)}

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        norm = nn.BatchNorm2d if len(inputs[0]) == 3 else nn.BatchNorm1d
        return norm(inputs[0][0], eps=self.eps, momentum=self.momentum)


@dataclass(frozen=True)
class LayerNorm(Layer):
    """At each position, all channels together to mean 0 and variance 1, then scale and shift.

    Ba et al. 2016, arXiv 1607.06450, over the channels of a position as in ConvNeXt (Liu et al.
    2022). Takes volumes and vectors.
    """

    eps: float = 1e-5

    words: ClassVar[tuple[str, ...]] = ("ln", "layernorm")
    role: ClassVar[Role] = "norm"
    settings: ClassVar[tuple[Setting, ...]] = (EPS,)
    example: ClassVar[str] = "ln"
    summary: ClassVar[str] = "layer normalisation over the channels of each position"

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        from striate.layers.computed import LayerNorm2d

        norm = LayerNorm2d if len(inputs[0]) == 3 else nn.LayerNorm
        return norm(inputs[0][0], eps=self.eps)


@dataclass(frozen=True)
class GroupNorm(Layer):
    """The channels of a group, all positions together, to mean 0 and variance 1, image by image.

    Then a learned scale and shift for each channel. Wu & He 2018, arXiv 1803.08494. Takes volumes
    and vectors.
    """

    groups: int
    eps: float = 1e-5

    words: ClassVar[tuple[str, ...]] = ("gn", "groupnorm")
    role: ClassVar[Role] = "norm"
    number: ClassVar[str] = "groups"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("groups", "int", "groups of neighbouring channels", required=True),
        EPS,
    )
    example: ClassVar[str] = "gn32"
    summary: ClassVar[str] = "group normalisation: groups of channels"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        channels = inputs[0][0]
        if channels % self.groups:
            raise MismatchError(
                f"gn{self.groups} makes {self.groups} equal groups, but its input has {channels} "
                f"channels. Choose a divisor of {channels}"
            )
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        return {"weight": inputs[0][:1], "bias": inputs[0][:1]}

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """The statistics of an image are left aside, as those of a batch are."""
        return POINT

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.GroupNorm(self.groups, inputs[0][0], eps=self.eps)


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Each value divided by `(k + alpha · sum of squares of `size` neighbouring channels)^beta`.

    Krizhevsky et al. 2012, section 3.3, with its constants as defaults. (torch divides alpha by
    the size; the module here is given `alpha · size` so that it computes the paper's formula.)
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0

    words: ClassVar[tuple[str, ...]] = ("lrn", "localresponsenorm")
    role: ClassVar[Role] = "norm"
    number: ClassVar[str] = "size"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting("size", "int", "channels in a neighbourhood", default=5),
        Setting("alpha", "float", "weight of the sum of squares", default=1e-4, minimum=0),
        Setting("beta", "float", "exponent", default=0.75, minimum=0),
        Setting("k", "float", "constant under the exponent", default=2.0, minimum=0),
    )
    example: ClassVar[str] = "lrn5"
    summary: ClassVar[str] = "local response normalisation"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        return volume(self.kind, inputs)

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        from torch import nn

        return nn.LocalResponseNorm(
            self.size, alpha=self.alpha * self.size, beta=self.beta, k=self.k
        )
