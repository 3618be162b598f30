"""How a network is drawn: colours of the kinds, and the rule that turns shapes into lengths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

from striate.layers import Layer, Shape


@dataclass(frozen=True)
class Look:
    """A family of layers in one colour; `name` is what the legend says."""

    name: str
    fill: str


INPUT = Look("input", "#e8e8e8")
CONV = Look("convolution", "#90bbe2")
TRANSPOSED = Look("transposed convolution", "#917cba")
POOL = Look("pooling", "#e4945f")
LINEAR = Look("fully connected", "#f4e08e")
MERGE = Look("joined", "#4d9b88")
OTHER = Look("normalisation, activation, other", "#b8b8b8")
LOOKS = (INPUT, CONV, TRANSPOSED, POOL, LINEAR, MERGE, OTHER)
"""In the order of the legend. Readers of any colour vision can tell them apart."""

_BY_ROLE = {"conv": CONV, "pool": POOL, "linear": LINEAR, "merge": MERGE}


def look(layer: Layer) -> Look:
    """The family of a layer."""
    return TRANSPOSED if layer.kind == "tconv" else _BY_ROLE.get(layer.role, OTHER)


def shade(colour: str, amount: float) -> str:
    """The colour mixed with white (amount above zero) or black (below)."""
    end = 255 if amount > 0 else 0
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + (end - c) * abs(amount)):02x}" for c in channels)


_TALLEST = 92.0
_LONGEST = 58.0
_MOST_PER_ROOT_CHANNEL = 3.0
_LEAST = 2.5
_OBLIQUE = (0.30, 0.24)


@dataclass(frozen=True)
class Cuboid:
    """The drawn lengths of a volume: front length and height, and the oblique edge to the right
    and upwards."""

    length: float
    height: float
    right: float
    up: float

    @property
    def width(self) -> float:
        return self.length + self.right

    @property
    def half(self) -> float:
        """Half of the height of the whole outline."""
        return (self.height + self.up) / 2


@dataclass(frozen=True)
class Scale:
    """Lengths by the square root: `per_pixel·√H`, `per_pixel·√W` (foreshortened, oblique) and
    `per_channel·√C`. One scale holds for a whole picture."""

    per_pixel: float
    per_channel: float

    def cuboid(self, shape: Shape) -> Cuboid:
        """A volume C×H×W or a vector, which is a volume of N×1×1."""
        channels, height, width = _volume(shape)
        edge = self.per_pixel * sqrt(width)
        return Cuboid(
            length=max(_LEAST, self.per_channel * sqrt(channels)),
            height=max(_LEAST, self.per_pixel * sqrt(height)),
            right=max(1.5, _OBLIQUE[0] * edge),
            up=max(1.5, _OBLIQUE[1] * edge),
        )


def scale_for(shapes: Iterable[Shape], rows: int = 1) -> Scale:
    """The scale by which the largest of these volumes has the height and length we give it.

    Volumes get smaller when several `rows` of them stand above each other.
    """
    every = [_volume(shape) for shape in shapes]
    side = max(max(height, width) for _, height, width in every)
    channels = max(channels for channels, _, _ in every)
    return Scale(
        per_pixel=min(_TALLEST / (0.75 + 0.25 * rows) / sqrt(side), 18.0),
        per_channel=min(_LONGEST / sqrt(channels), _MOST_PER_ROOT_CHANNEL),
    )


def _volume(shape: Shape) -> tuple[int, int, int]:
    """Channels, height and width: of a volume in time those of one moment."""
    if len(shape) > 3:
        return shape[0], shape[-2], shape[-1]
    channels, height, width = (*shape, 1, 1)[:3]
    return channels, height, width
