"""The choices behind a network of the pattern, and the wishes that cannot be had."""

from __future__ import annotations

from dataclasses import dataclass

from striate.errors import UserError
from striate.layers import Pair, Shape

MOST_CHANNELS = 512
"""Filters are not doubled beyond this, as in VGG (Simonyan & Zisserman 2014)."""
SMALLEST_MAP = 4
"""Rows that the pools leave at least, where their number is ours to choose."""


@dataclass(frozen=True)
class Plan:
    """`input -> [[conv3 -> relu]*N -> pool2]*M -> [fc -> relu]*K -> fc`, every number known."""

    input: Shape
    classes: int
    convolutions: int
    """N: convolutions before each pool."""
    blocks: int
    """M: blocks, each of which ends in a pool."""
    hidden: int
    """K: fully connected layers before the last one."""
    width: int
    """Filters of the first block."""
    bn: bool = False
    """Batch normalisation behind every convolution, which then has no bias."""
    gap: bool = False
    """Global average pooling before the fully connected layers."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Filters of each block: doubled where the pool before halves both sides."""
        most = max(self.width, MOST_CHANNELS)
        return tuple(min(self.width << block, most) for block in range(self.blocks))

    @property
    def neurons(self) -> int:
        """Neurons of each hidden fully connected layer: twice the channels that come in."""
        return 2 * (self.channels[-1] if self.channels else self.width)

    def map_at(self, block: int) -> Pair:
        """Rows and columns that leave a block, counted from 1; of the image for 0."""
        return self.input[1] >> block, self.input[2] >> block


def choose_blocks(input: Shape, wanted: int | None) -> int:
    """The number of pools: as wished, or as many as leave a map of at least 4 rows and columns.

    Raises UserError when the image cannot be halved so many times.
    """
    possible = min(halvings(side) for side in input[1:])
    most = possible if wanted is None else wanted
    if most > possible or (wanted is None and not possible):
        raise UserError(_too_many(input, max(1, most), possible))
    return most if wanted is not None else max(1, min(possible, fitting_blocks(input)))


def fitting_blocks(input: Shape) -> int:
    """How many pools would leave 4 to 7 rows or columns, if 2 divided the image so often."""
    return max(0, (min(input[1:]) // SMALLEST_MAP).bit_length() - 1)


def halvings(size: int) -> int:
    """How many times 2 divides a size."""
    return (size & -size).bit_length() - 1


def _too_many(input: Shape, wanted: int, possible: int) -> str:
    _, height, width = input
    shown = ", ".join(f"{side} = {factored(side)}" for side in dict.fromkeys((height, width)))
    count = ("cannot be halved", "can be halved once", "can be halved twice")
    found = count[possible] if possible < len(count) else f"can be halved {possible} times"
    times = {1: "once", 2: "twice"}.get(wanted, f"{wanted:,} times")
    asked = f", not {times}" if possible else ""
    sizes = divisible_sizes(input, wanted)
    fixes = [f"Give --M {possible}" if possible else "Give --M 0 for no filters and pools"]
    fixes += [f"an --input of {' or '.join(sizes)}"] if sizes else []
    return f"an image of {height}×{width} {found} ({shown}){asked}. {', or '.join(fixes)}"


def divisible_sizes(input: Shape, times: int) -> list[str]:
    """The nearest smaller and larger images that can be halved so often, as `3x96x96`."""
    step = 1 << min(times, 40)
    if step > 4 * max(input[1:]):
        return []
    found = [
        (input[0], *(max(step, side // step * step) for side in input[1:])),
        (input[0], *(-(-side // step) * step for side in input[1:])),
    ]
    return ["x".join(str(n) for n in size) for size in dict.fromkeys(found)]


def factored(size: int) -> str:
    """`2·2·2·7` for 56: the halves that a size has in it."""
    odd = size >> halvings(size)
    factors = ["2"] * halvings(size) + ([str(odd)] if odd > 1 or size == 1 else [])
    return "·".join(factors)
