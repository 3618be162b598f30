"""One convolution with its numbers, and the record of an equality that was checked on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.errors import UserError
from striate.graph import load_graph
from striate.layers import MismatchError, Shape, product, show
from striate.layers.convolution import Conv
from striate.layers.windows import Axis

MOST_VALUES = 20_000_000
"""The most entries of a matrix that is written out: 160 MB in float64."""


@dataclass(frozen=True)
class Case:
    """A convolution with an image and weights, all of one floating-point type.

    `image` is C×H×W, `weight` out_channels×(C/groups)×kh×kw, `bias` holds out_channels values.
    Raises UserError when they do not fit together.
    """

    layer: Conv
    image: Tensor
    weight: Tensor
    bias: Tensor

    def __post_init__(self) -> None:
        try:
            expected = self.layer.weights((self.shape,))["weight"]
            self.layer.output((self.shape,))
        except MismatchError as error:
            raise UserError(str(error)) from None
        found = {"weight": tuple(self.weight.shape), "bias": tuple(self.bias.shape)}
        for name, wanted in (("weight", expected), ("bias", expected[:1])):
            if found[name] != wanted:
                raise UserError(
                    f"the {name} of {self.layer.kind} over an image of {show(self.shape)} is "
                    f"{show(wanted)}, not {show(found[name])}"
                )

    @property
    def shape(self) -> Shape:
        """The image's shape."""
        return tuple(self.image.shape)

    @property
    def output_shape(self) -> Shape:
        return self.layer.output((self.shape,))

    @property
    def groups(self) -> int:
        return self.layer.grouping(self.shape[0])[1]

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """How the filter slides along rows and columns."""
        return self.layer.axes((self.shape,))

    def padded(self, image: Tensor | None = None) -> Tensor:
        """The image (this one's own unless given) with its zeros around it."""
        rows, columns = self.axes
        around = (columns.before, columns.after, rows.before, rows.after)
        return F.pad(self.image if image is None else image, around)

    def by_torch(self, image: Tensor | None = None, weight: Tensor | None = None) -> Tensor:
        """What torch's own convolution gives, for another image or weight of the same shape too."""
        rows, columns = self.axes
        return F.conv2d(
            self.padded(image)[None],
            self.weight if weight is None else weight,
            self.bias,
            stride=(rows.stride, columns.stride),
            dilation=(rows.dilation, columns.dilation),
            groups=self.groups,
        )[0]


def case_of(layer: str, shape: Shape, seed: int = 0) -> Case:
    """A convolution written as in a network, with whole numbers drawn from a seed, in float64.

    Whole numbers can be followed by hand, and sums of them are exact. Raises UserError unless the
    text is one convolution, and NotationError when it does not fit the image's shape.
    """
    graph = load_graph(f"input {show(shape).replace('×', 'x')} -> {layer}")
    found = graph.nodes[0].layer
    if len(graph.nodes) != 1 or not isinstance(found, Conv):
        raise UserError(
            f"an equality is shown on one convolution, such as 'conv3-4/2 p1', not on {layer!r}"
        )
    generator = torch.Generator().manual_seed(seed)

    def draw(size: Shape, largest: int) -> Tensor:
        return torch.randint(-largest, largest + 1, size, generator=generator).double()

    weights = found.weights((shape,))
    image, weight = draw(shape, 4), draw(weights["weight"], 2)
    bias = draw(weights["bias"], 2) if "bias" in weights else torch.zeros(weight.shape[0]).double()
    return Case(found, image, weight, bias)


@dataclass(frozen=True)
class Pair:
    """Two values that should be equal, how each came about, and how long it took."""

    what: str
    left_name: str
    left: Tensor
    right_name: str
    right: Tensor
    seconds: tuple[float, float]

    @property
    def difference(self) -> float:
        """The largest difference between two corresponding entries; infinite if shapes differ."""
        if self.left.shape != self.right.shape:
            return float("inf")
        return float((self.left - self.right).abs().max()) if self.left.numel() else 0.0

    @property
    def equal(self) -> bool:
        """Whether they differ by no more than rounding, relative to the largest entry."""
        largest = float(self.left.abs().max()) if self.left.numel() else 0.0
        rounding = torch.finfo(self.left.dtype).eps
        return self.difference <= 1000 * rounding * max(1.0, largest)


def compare(
    what: str,
    left_name: str,
    left: Callable[[], Tensor],
    right_name: str,
    right: Callable[[], Tensor],
) -> Pair:
    """Compute both sides and time each, once each has run: what runs first pays for starting."""
    values, seconds = [], []
    for side in (left, right):
        side()
        start = perf_counter()
        values.append(side().detach())
        seconds.append(perf_counter() - start)
    return Pair(what, left_name, values[0], right_name, values[1], (seconds[0], seconds[1]))


@dataclass(frozen=True)
class Equality:
    """What was claimed, the pairs that bear it out, and the matrices for a person to look at."""

    name: str
    statement: str
    pairs: tuple[Pair, ...]
    matrices: dict[str, Tensor]

    @property
    def equal(self) -> bool:
        return all(pair.equal for pair in self.pairs)


def refuse_large(name: str, shape: Shape) -> None:
    """Raises UserError when a matrix of this shape would not fit."""
    if product(shape) > MOST_VALUES:
        raise UserError(
            f"the {name} matrix would be {show(shape)}, more than {MOST_VALUES:,} values. "
            "Give a smaller --input, such as 1x8x8"
        )
