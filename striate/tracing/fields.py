"""What part of the image the units of each tensor see, operation by operation.

A tensor's dimensions are told by letters: `h` for rows of the image, `w` for columns, `hw` for both
flattened, none for channels and the batch. The arithmetic along each axis is that of
`striate.sizing.receptive_field`; normalisation counts as if its statistics were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from striate.layers import POINT, WHOLE, Shape, Window
from striate.sizing.receptive_field import Field, through

Layout = tuple[str, ...]
AXES = "hw"
OTHER = "."
"""Channels or the batch, where they are flattened together with rows and columns."""


class UnknownReachError(Exception):
    """An operation of which it is not known what its units read."""


@dataclass(frozen=True)
class Sight:
    """What the units of one tensor see along both axes of the image."""

    fields: tuple[Field, Field]
    lengths: tuple[int, int]
    """How many units there are along each axis."""
    layout: Layout
    """Which axis each dimension of the tensor runs along."""

    @property
    def whole(self) -> bool:
        return all(field.whole for field in self.fields)

    def laid(self, layout: Layout) -> Sight:
        """The same units in other dimensions."""
        return replace(self, layout=layout)


def pixels(image: Tensor) -> Sight:
    """The image N×C×H×W itself."""
    pixel = Field(1, ((0, 0),))
    height, width = image.shape[2:]
    return Sight((pixel, pixel), (height, width), ("", "", "h", "w"))


def behind(
    window: Window, sources: Sequence[Sight], image: Shape, axes: str = AXES
) -> tuple[Field, Field]:
    """The fields behind a window over tensors, along these axes; along others unit by unit."""
    shapes = [(1, *source.lengths) for source in sources]
    rows, columns = (
        through(
            window if letter in axes else POINT,
            axis,
            [source.fields[axis] for source in sources],
            shapes,
            image,
        )
        for axis, letter in enumerate(AXES)
    )
    return rows, columns


def everything(sources: Sequence[Sight], image: Shape, rank: int, axes: str = AXES) -> Sight:
    """Units that each see what all units of the sources see, along these axes."""
    found = [
        Sight(behind(WHOLE, [source], image, axes), _but(source.lengths, axes), ())
        for source in sources
    ]
    lengths = found[0].lengths
    return Sight(behind(POINT, found, image), lengths, ("",) * rank)


def reduced(source: Sight, dimensions: Sequence[int], kept: bool, image: Shape) -> Sight:
    """Sums, means and maxima over some dimensions, which stay with length 1 or go."""
    rank = len(source.layout)
    gone = {dimension % rank for dimension in dimensions} if dimensions else set(range(rank))
    axes = "".join(source.layout[each] for each in sorted(gone))
    layout = tuple(
        "" if each in gone else letter
        for each, letter in enumerate(source.layout)
        if kept or each not in gone
    )
    if any(letter in axes for left in layout for letter in left if letter != OTHER):
        raise UnknownReachError
    fields = behind(WHOLE, [source], image, axes)
    return Sight(fields, _but(source.lengths, axes), layout)


def together(sources: Sequence[Sight], rank: int, image: Shape) -> Sight:
    """Values taken unit by unit from tensors that are broadcast to one rank."""
    layout = [""] * rank
    for source in sources:
        for place, letters in enumerate(source.layout, start=rank - len(source.layout)):
            if letters and layout[place] not in ("", letters):
                raise UnknownReachError
            layout[place] = layout[place] or letters
    letters = "".join(layout).replace(OTHER, "")
    if len(letters) != len(set(letters)):
        raise UnknownReachError
    lengths = tuple(max(source.lengths[axis] for source in sources) for axis in (0, 1))
    return Sight(behind(POINT, sources, image), (lengths[0], lengths[1]), tuple(layout))


def slid(source: Sight, window: Window, read: Tensor, result: Tensor, image: Shape) -> Sight:
    """What a window that slides over N×C×H×W gives; inside of blocks it stays within them."""
    within_blocks = not any(source.layout[2:])
    if within_blocks or (window.kernel_size == (1, 1) and result.shape[2:] == read.shape[2:]):
        return source
    if source.layout != ("", "", "h", "w"):
        raise UnknownReachError
    fields = behind(window, [source], image)
    return Sight(fields, (result.shape[2], result.shape[3]), source.layout)


def _but(lengths: tuple[int, int], axes: str) -> tuple[int, int]:
    rows, columns = lengths
    return (1 if "h" in axes else rows), (1 if "w" in axes else columns)
