"""Convolutions of small maps in bfloat16 on a CPU, as products of matrices.

A library's convolution goes through its filters once for each picture. Where a map has few places
and a layer has many filters, that takes longer than the arithmetic. Here the pictures of a batch
are the rows of one matrix, and the filters are gone through once: flat, where the whole map is a
row and the filters are laid out over it (with three taps a side on 2×2 places or fewer, most taps
see padding alone and are left out); gathered, where what a place sees is a row; or side by side,
where several pictures are convolved as one wide picture, with padding between them.

Which is faster depends on the shapes and on whether the processor has AMX. `choose` says so by
rules that were read off `benchmarks/small_maps.py`, and not by trying, so that the same training
gives the same weights to the bit whenever it is run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from striate.layers import Pair

Way = Literal["direct", "gathered", "flat", "beside"]

FLAT_PAIRS = 16
"""Pairs of a place that comes in and one that goes out, up to which a map is taken flat."""
FEW_PLACES, SOME_PLACES, MANY_PLACES = 4**2, 7**2, 8**2
"""Places that go out."""
WIDEST = 160
"""Columns that pictures side by side have together."""
LARGE_BANK = 1 << 20
"""Filter values that a core's own memory does not hold (2 MB of bfloat16)."""
WIDE = 256
"""Channels from which on filters of one tap are plain products."""
FEWEST_FILTER_VALUES = 64 * 64
"""Below this the calls cost more than what they save."""


@dataclass(frozen=True)
class Shapes:
    """A convolution's sizes. All pairs are of rows and columns."""

    count: int
    """Pictures in the batch."""
    channels: Pair
    """Those that come in, and those that go out."""
    size: Pair
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair

    @property
    def taps(self) -> int:
        """Those of one filter in one channel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def places(self) -> int:
        """Those that go out."""
        return self.out[0] * self.out[1]

    @property
    def beside(self) -> int:
        """How many pictures go side by side: 1 where that does not work."""
        if self.out != self.size or self.stride != (1, 1):
            return 1
        most = WIDEST // (self.size[1] + self.padding[1])
        return next(
            many for many in range(min(self.count, max(1, most)), 0, -1) if self.count % many == 0
        )


@dataclass(frozen=True)
class Ways:
    """How the three products of a convolution's training step are made."""

    output: Way
    to_images: Way
    to_filters: Way


DIRECT = Ways("direct", "direct", "direct")


def multiplies_tiles() -> bool:
    """Whether the processor does (AMX), and oneDNN is not held to less by its own variable."""
    held = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    return torch.cpu._is_amx_tile_supported() and (held in ("ALL", "DEFAULT") or "AMX" in held)


def choose(shapes: Shapes, *, tiles: bool) -> Ways:
    """The faster ways on a processor that multiplies tiles (AMX), or on one that does not."""
    incoming, outgoing = shapes.channels
    values = incoming * outgoing
    if values < FEWEST_FILTER_VALUES:
        return DIRECT
    if shapes.taps > 1 and shapes.size[0] * shapes.size[1] * shapes.places <= FLAT_PAIRS:
        return Ways("flat", "flat", "gathered" if tiles and shapes.places > 1 else "flat")
    bank = values * shapes.taps
    if not tiles:
        gathers = shapes.places <= FEW_PLACES and (shapes.stride != (1, 1) or bank > 2 * LARGE_BANK)
        return Ways("direct", "direct", "gathered" if gathers else "direct")
    if shapes.taps > 1 and shapes.beside > 1:
        output: Way = "beside" if shapes.places <= SOME_PLACES and bank > LARGE_BANK else "direct"
        return Ways(output, output, "beside" if shapes.places <= MANY_PLACES else "direct")
    if shapes.taps > 1:
        gathers = shapes.places <= FEW_PLACES and bank > LARGE_BANK
        gathers_for_filters = shapes.places <= SOME_PLACES
    else:
        gathers = gathers_for_filters = max(shapes.channels) >= WIDE
    return Ways(
        "gathered" if gathers else "direct",
        "gathered" if gathers and shapes.stride == (1, 1) else "direct",
        "gathered" if gathers_for_filters else "direct",
    )


class Convolution(nn.Conv2d):
    """A convolution that takes the faster way for the shapes that it gets."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        plain = self.dilation == (1, 1) and self.groups == 1 and self.padding_mode == "zeros"
        if not plain or not isinstance(self.padding, tuple):
            return super()._conv_forward(input, weight, bias)
        (down, right), (above, before) = self.stride, self.padding
        return convolve(input, weight, bias, (down, right), (above, before))


def convolve(
    images: Tensor, filters: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
) -> Tensor:
    """`conv2d` of images N×C×H×W and filters O×C×h×w, N×O×H'×W'."""
    if (
        images.device.type == "cpu"
        and images.dtype == filters.dtype == torch.bfloat16
        and images.dim() == 4
        and images.shape[1] == filters.shape[1]
    ):
        shapes = shapes_of(images, filters, stride, padding)
        ways = choose(shapes, tiles=multiplies_tiles())
        if ways != DIRECT and min(shapes.out) > 0:
            output = Products.apply(images, filters, shapes, ways)
            return output if bias is None else output + bias[:, None, None]
    return functional.conv2d(images, filters, bias, stride, padding)


def shapes_of(images: Tensor, filters: Tensor, stride: Pair, padding: Pair) -> Shapes:
    """The sizes of a convolution."""
    rows, columns = images.shape[2:]
    outgoing, incoming, high, wide = filters.shape
    return Shapes(
        len(images),
        (incoming, outgoing),
        (rows, columns),
        (
            (rows + 2 * padding[0] - high) // stride[0] + 1,
            (columns + 2 * padding[1] - wide) // stride[1] + 1,
        ),
        (high, wide),
        stride,
        padding,
    )


class Products(torch.autograd.Function):
    """A convolution, each of whose three products is made in a way of its own."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, filters: Tensor, shapes: Shapes, ways: Ways) -> Tensor:
        """N×O×H'×W', channels last."""
        ctx.save_for_backward(images, filters)
        ctx.shapes, ctx.ways = shapes, ways
        if ways.output == "direct":
            return functional.conv2d(images, filters, None, shapes.stride, shapes.padding)
        if ways.output == "beside":
            wide = functional.conv2d(_beside(images, shapes), filters, None, 1, shapes.padding)
            return _apart(wide, shapes)
        if ways.output == "flat":
            output = _rows(images) @ _laid_out(filters, shapes).t()
        else:
            output = _seen(images, shapes) @ _last(filters).flatten(1).t()
        return _first(output, (len(images), *shapes.out, shapes.channels[1]))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """The gradients of the images and of the filters."""
        images, filters = ctx.saved_tensors
        shapes, ways = ctx.shapes, ctx.ways
        wanted = ctx.needs_input_grad[:2]
        to_images = to_filters = None
        if wanted[0] and ways.to_images != "direct":
            to_images = _TO_IMAGES[ways.to_images](gradient, filters, shapes)
        if wanted[1] and ways.to_filters != "direct":
            to_filters = _TO_FILTERS[ways.to_filters](gradient, images, shapes)
        left = (wanted[0] and to_images is None, wanted[1] and to_filters is None)
        if any(left):
            found = _gradients(gradient, images, filters, shapes, left)
            to_images = found[0] if left[0] else to_images
            to_filters = found[1] if left[1] else to_filters
        return to_images, to_filters, None, None


def _gradients(
    gradient: Tensor, images: Tensor, filters: Tensor, shapes: Shapes, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """Those of torch's own convolution."""
    found = torch.ops.aten.convolution_backward(
        gradient,
        images,
        filters,
        None,
        shapes.stride,
        shapes.padding,
        (1, 1),
        False,
        (0, 0),
        1,
        [*wanted, False],
    )
    return found[0], found[1]


def _gathered_to_images(gradient: Tensor, filters: Tensor, shapes: Shapes) -> Tensor:
    """At stride 1: a convolution of the gradient with the filters turned by half a turn."""
    (high, wide), (incoming, outgoing) = shapes.kernel, shapes.channels
    back = Shapes(
        shapes.count,
        (outgoing, incoming),
        shapes.out,
        shapes.size,
        shapes.kernel,
        (1, 1),
        (high - 1 - shapes.padding[0], wide - 1 - shapes.padding[1]),
    )
    turned = filters.permute(2, 3, 0, 1).flip(0, 1).reshape(-1, incoming)
    return _first(_seen(gradient, back) @ turned, (len(gradient), *shapes.size, incoming))


def _gathered_to_filters(gradient: Tensor, images: Tensor, shapes: Shapes) -> Tensor:
    incoming, outgoing = shapes.channels
    found = _last(gradient).reshape(-1, outgoing).t() @ _seen(images, shapes)
    return _first(found, (outgoing, *shapes.kernel, incoming))


def _flat_to_images(gradient: Tensor, filters: Tensor, shapes: Shapes) -> Tensor:
    found = _rows(gradient) @ _laid_out(filters, shapes)
    return _first(found, (len(gradient), *shapes.size, shapes.channels[0]))


def _flat_to_filters(gradient: Tensor, images: Tensor, shapes: Shapes) -> Tensor:
    incoming, outgoing = shapes.channels
    found = (_rows(gradient).t() @ _rows(images)).view(
        *shapes.out, outgoing, *shapes.size, incoming
    )
    kind = found.dtype if shapes.places == 1 else torch.float32  # one place adds nothing up
    filters = found.new_zeros(outgoing, *shapes.kernel, incoming, dtype=kind)
    for place, seen, taps in _meetings(shapes):
        filters[:, *taps] += found[*place][:, *seen]
    return filters.to(found.dtype).permute(0, 3, 1, 2)


def _beside_to_images(gradient: Tensor, filters: Tensor, shapes: Shapes) -> Tensor:
    wide = _beside(gradient, shapes)
    read = wide.new_empty(wide.shape[0], shapes.channels[0], *wide.shape[2:])
    read = read.contiguous(memory_format=torch.channels_last)
    return _apart(_gradients(wide, read, filters, shapes, (True, False))[0], shapes)


def _beside_to_filters(gradient: Tensor, images: Tensor, shapes: Shapes) -> Tensor:
    incoming, outgoing = shapes.channels
    filters = gradient.new_empty(outgoing, incoming, *shapes.kernel)
    filters = filters.contiguous(memory_format=torch.channels_last)
    wide = _beside(gradient, shapes), _beside(images, shapes)
    return _gradients(*wide, filters, shapes, (False, True))[1]


_TO_IMAGES = {
    "flat": _flat_to_images,
    "gathered": _gathered_to_images,
    "beside": _beside_to_images,
}
_TO_FILTERS = {
    "flat": _flat_to_filters,
    "gathered": _gathered_to_filters,
    "beside": _beside_to_filters,
}


def _laid_out(filters: Tensor, shapes: Shapes) -> Tensor:
    """The filters at each place, over the whole map: (H'·W'·O)×(H·W·C)."""
    incoming, outgoing = shapes.channels
    matrix = filters.new_zeros(*shapes.out, outgoing, *shapes.size, incoming)
    last = _last(filters)
    for place, seen, taps in _meetings(shapes):
        matrix[*place][:, *seen] = last[:, *taps]
    return matrix.view(shapes.places * outgoing, -1)


def _meetings(shapes: Shapes) -> list[tuple[Pair, tuple[slice, slice], tuple[slice, slice]]]:
    """For each place that goes out: what it sees of the map, and with which taps."""
    rows, columns = (
        [
            (max(0, first), min(size, first + kernel), first)
            for first in range(-padding, stride * out - padding, stride)
        ]
        for size, out, kernel, stride, padding in zip(
            shapes.size, shapes.out, shapes.kernel, shapes.stride, shapes.padding, strict=True
        )
    )
    return [
        (
            (row, column),
            (slice(top, bottom), slice(left, right)),
            (slice(top - above, bottom - above), slice(left - before, right - before)),
        )
        for row, (top, bottom, above) in enumerate(rows)
        for column, (left, right, before) in enumerate(columns)
        if top < bottom and left < right
    ]


def _seen(images: Tensor, shapes: Shapes) -> Tensor:
    """What each place sees, as a row: (N·H'·W')×(h·w·C)."""
    last = _last(images)
    if shapes.taps == 1 and shapes.stride == (1, 1) and shapes.padding == (0, 0):
        return last.reshape(-1, shapes.channels[0])
    (above, below), (before, after) = (
        (padding, max(0, (out - 1) * stride + kernel - size - padding))
        for size, out, kernel, stride, padding in zip(
            shapes.size, shapes.out, shapes.kernel, shapes.stride, shapes.padding, strict=True
        )
    )
    if above or below or before or after:
        last = functional.pad(last, (0, 0, before, after, above, below))
    windows = last.unfold(1, shapes.kernel[0], shapes.stride[0])
    windows = windows.unfold(2, shapes.kernel[1], shapes.stride[1])
    rows, columns = shapes.out
    windows = windows[:, :rows, :columns].permute(0, 1, 2, 4, 5, 3)
    return windows.reshape(-1, shapes.taps * shapes.channels[0])


def _beside(values: Tensor, shapes: Shapes) -> Tensor:
    """Several pictures as one wide picture, each with as much padding behind it as around all."""
    rows, columns = shapes.size
    many, channels = shapes.beside, values.shape[1]
    parted = _last(values).reshape(-1, many, rows, columns, channels).transpose(1, 2)
    wide = values.new_zeros(len(parted), rows, many, columns + shapes.padding[1], channels)
    wide[:, :, :, :columns] = parted
    return wide.flatten(2, 3).permute(0, 3, 1, 2)


def _apart(wide: Tensor, shapes: Shapes) -> Tensor:
    """The pictures of what `_beside` gives, N×C×H×W."""
    rows, columns = shapes.size
    parted = _last(wide).unflatten(2, (shapes.beside, -1))[:, :, :, :columns].transpose(1, 2)
    return _first(parted.reshape(-1), (shapes.count, rows, columns, wide.shape[1]))


def _last(values: Tensor) -> Tensor:
    """N×H×W×C of N×C×H×W."""
    return values.permute(0, 2, 3, 1)


def _first(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """N×C×H×W of what has the shape N×H×W×C."""
    return values.view(shape).permute(0, 3, 1, 2)


def _rows(values: Tensor) -> Tensor:
    """A row for each picture: N×(H·W·C) of N×C×H×W."""
    return _last(values).reshape(len(values), -1)
