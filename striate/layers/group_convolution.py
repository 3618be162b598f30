"""Convolutions that a turned or mirrored image only turns and permutes (Cohen & Welling 2016).

"Group Equivariant Convolutional Networks", arXiv 1602.07576. `striate.layers.groups` says what the
elements of a group are and in which order their channels stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from striate.layers import windows
from striate.layers.base import MismatchError, Pair, Setting, Shape, SizeError, product, show
from striate.layers.filters import BIAS, CHANNELS, DILATION, KERNEL, PADDING, STRIDE, FilterLayer
from striate.layers.groups import P4, P4M, combine, inverse, turned

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class P4Lift(FilterLayer):
    """`out_channels` features of an image, each looked for in all quarter turns.

    C×H×W to (out_channels·4)×H'×W'. One filter is stored for each feature and turned for its
    channels; they share its bias. Equivariant where the filter's steps lie evenly on the image.
    """

    bias: bool = True

    words: ClassVar[tuple[str, ...]] = ("p4lift",)
    order: ClassVar[int] = P4
    """Elements of the group."""
    copies: ClassVar[int] = 1
    """Channels that come in for each feature."""
    settings: ClassVar[tuple[Setting, ...]] = (KERNEL, CHANNELS, STRIDE, PADDING, DILATION, BIAS)
    example: ClassVar[str] = "p4lift3-16"
    summary: ClassVar[str] = "image to features in 4 quarter turns each"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        _, height, width = super().output(inputs)
        self._check_settings()
        self._check_steps(inputs)
        if inputs[0][0] % self.copies:
            raise MismatchError(
                f"{self.kind} reads {self.order} channels for each feature, one for each turn, but "
                f"its input has {inputs[0][0]}. Start with {self.kind.replace('conv', 'lift')}, "
                "which makes such channels of an image, and keep them until "
                f"{self.kind.replace('conv', 'pool')}"
            )
        return self.out_channels * self.order, height, width

    def _check_settings(self) -> None:
        """A quarter turn must take the filter and its steps to themselves."""
        pairs: dict[str, object] = {
            "filter": self.kernel_size,
            "stride": self.stride,
            "dilation": self.dilation,
            "padding": self.padding,
        }
        for name, pair in pairs.items():
            if isinstance(pair, tuple) and pair[0] != pair[1]:
                raise MismatchError(
                    f"{self.kind}'s {name} of {pair[0]}×{pair[1]} is another one after a quarter "
                    f"turn. Use one number for both axes: {pair[0]} or {pair[1]}"
                )

    def _check_steps(self, inputs: tuple[Shape, ...]) -> None:
        """The filter must come as near to the end of the image as to its start."""
        height, width = self.axes(inputs)
        if height.before != height.after:
            raise MismatchError(
                f"{self.kind} with an even filter of {height.kernel_size} and padding same is "
                "padded at one side, and a turned image at another. Use an odd filter, or give the "
                f"padding as a number, such as p{height.before}"
            )
        rows, columns = windows.left_over(height, width)
        if (rows, columns) != (0, 0):
            raise SizeError(self._uneven(inputs[0], (rows, columns)))

    def _uneven(self, shape: Shape, left_over: Pair) -> str:
        size, stride = (shape[1], shape[2]), self.stride[0]
        smaller = (size[0] - left_over[0], size[1] - left_over[1])
        larger = (
            smaller[0] + (stride if left_over[0] else 0),
            smaller[1] + (stride if left_over[1] else 0),
        )
        fits = " or ".join(show(each) for each in (smaller, larger) if min(each) > 0)
        pool = "" if any(n % stride for n in size) else f", or use stride 1 and then pool{stride}"
        return (
            f"{self.kind} with stride {stride} does not come to the end of its {show(size)} input: "
            "of a turned image it would read other rows and columns, and find other values. "
            f"Give it an input of {fits}{pool}"
        )

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (self.out_channels, inputs[0][0], *self.kernel_size)
        }
        return shapes | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Those of the ordinary convolution with all turned filters that is computed."""
        return product(self.weights(inputs)["weight"]) * product(output) // self.out_channels

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float]:
        taps = product(self.kernel_size)
        return inputs[0][0] * taps, self.out_channels * self.order * taps

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """torch's convolution in all but the filters that it slides, so that it trains as one."""
        from striate.layers.computed import GroupConv2d

        height, width = self.axes(inputs)
        return GroupConv2d(
            inputs[0][0],
            self.out_channels,
            self.kernel_size,
            self.stride,
            (height.before, width.before),
            self.dilation,
            self.bias,
            self.order,
            partial(all_turns, order=self.order, copies=self.copies),
        )


class P4Conv(P4Lift):
    """`out_channels` features of features over the quarter turns.

    (C·4)×H×W to (out_channels·4)×H'×W'. A stored filter has one slice for each channel that it
    reads; to turn the filter is to turn its slices and to move each to the feature's next turn.
    """

    words: ClassVar[tuple[str, ...]] = ("p4conv",)
    copies: ClassVar[int] = P4
    example: ClassVar[str] = "p4conv3-16"
    summary: ClassVar[str] = "convolution over positions and quarter turns"


class P4mLift(P4Lift):
    """`out_channels` features of an image, each looked for in all quarter turns and mirrored."""

    words: ClassVar[tuple[str, ...]] = ("p4mlift",)
    order: ClassVar[int] = P4M
    example: ClassVar[str] = "p4mlift3-16"
    summary: ClassVar[str] = "image to features in 8 turns and mirrorings each"


class P4mConv(P4mLift):
    """`out_channels` features of features over the quarter turns and mirrorings."""

    words: ClassVar[tuple[str, ...]] = ("p4mconv",)
    copies: ClassVar[int] = P4M
    example: ClassVar[str] = "p4mconv3-16"
    summary: ClassVar[str] = "convolution over positions, quarter turns and mirrorings"


def all_turns(weight: Tensor, order: int, copies: int) -> Tensor:
    """Stored filters O×(C·copies)×k×k as the (O·order)×(C·copies)×k×k that an image meets.

    An image has 1 copy of a channel, features over a group as many as it has elements. Convolving
    with these filters is the group correlation of Cohen & Welling 2016, equations 10 and 11, as
    in their section 7.
    """
    import torch

    slices = weight.unflatten(1, (-1, copies)).unbind(2)  # O×C×k×k, one for each element read
    filters = []
    for element in range(order):
        moved = [slices[combine(inverse(element), read) % copies] for read in range(copies)]
        filters.append(turned(torch.stack(moved, 2), element).flatten(1, 2))
    return torch.stack(filters, 1).flatten(0, 1)
