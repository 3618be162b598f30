"""How the values of a layer lie in a tensor: what views, transpositions and reshapes do to axes.

A layer gives N×C×H×W or N×C. A tensor that holds these values has axes of its own, each a
product of runs of theirs: after `permute(0, 2, 3, 1)` and `flatten(0, 2)` the first holds N, H and
W, the last C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.layers import Shape

BATCH, CHANNELS, HEIGHT, WIDTH = range(4)
REPEATED = -1
"""The axis of values that are there again and again, as `expand` repeats them."""


@dataclass(frozen=True)
class Run:
    """A run along an axis of what a layer gives: `size` steps of `stride`."""

    axis: int
    size: int
    stride: int = 1


Axis = tuple[Run, ...]
"""One axis of a tensor, its outermost run first; empty where it has one value."""
Layout = tuple[Axis, ...]


def whole(axis: int, size: int) -> Axis:
    """An axis that is one of a layer's."""
    return (Run(axis, size),) if size > 1 else ()


def plain(batch: int, shape: Shape) -> Layout:
    """What a layer gives as it comes: N×C×H×W, or N×C for a vector."""
    return tuple(whole(axis, size) for axis, size in enumerate((batch, *shape)))


def flat(batch: int, shape: Shape) -> Layout:
    """The same as N×(C·H·W), channel by channel."""
    first, *others = plain(batch, shape)
    return first, tuple(run for axis in others for run in axis)


def reshaped(layout: Layout, sizes: Sequence[int]) -> Layout | None:
    """The same values in order under other axes; None where a run does not divide so."""
    runs = [run for axis in layout for run in axis]
    found: list[Axis] = []
    for size in sizes:
        axis: list[Run] = []
        missing = size
        while missing > 1:
            if not runs:
                return None
            run = runs.pop(0)
            if missing % run.size == 0:
                axis.append(run)
                missing //= run.size
            elif run.size % missing == 0:
                inner = run.size // missing
                axis.append(Run(run.axis, missing, run.stride * inner))
                runs.insert(0, Run(run.axis, inner, run.stride))
                missing = 1
            else:
                return None
        found.append(_merged(axis))
    return None if runs else tuple(found)


def _merged(axis: list[Run]) -> Axis:
    """Neighbouring runs that are one run in two parts, as one."""
    found: list[Run] = []
    for run in axis:
        last = found[-1] if found else None
        if last and last.axis == run.axis and last.stride == run.stride * run.size:
            found[-1] = Run(run.axis, last.size * run.size, run.stride)
        else:
            found.append(run)
    return tuple(found)


def shuffled(axis: Axis, channels: int) -> int:
    """The groups of a channel shuffle that gives this order of channels; 0 where none does."""
    if len(axis) != 2:
        return 0
    outer, inner = axis
    groups = inner.size
    dealt = (Run(CHANNELS, channels // groups, 1), Run(CHANNELS, groups, channels // groups))
    return groups if (outer, inner) == dealt and channels % groups == 0 else 0
