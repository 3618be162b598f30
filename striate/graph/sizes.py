"""Other sizes of the image, for messages that say which would fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from striate.layers import Pair

FARTHEST = 64
"""How many rows and columns more or fewer are tried, one by one."""
LARGEST_FACTOR = 16
"""How many times larger an image is tried."""
SEARCH_WORK = 20_000
"""How many shape rules one search may run."""


def nearest_sizes(size: Pair, fits: Callable[[Pair], bool], tries: int) -> tuple[Pair, ...]:
    """The nearest smaller and the nearest larger size that fit, of those that are tried.

    A square stays square; of other sizes one axis may change alone. `tries` bounds the calls of
    `fits`.
    """
    return tuple(
        found
        for direction in (-1, 1)
        if (found := next(filter(fits, islice(_candidates(size, direction), tries // 2)), None))
    )


def _candidates(size: Pair, direction: int) -> Iterator[Pair]:
    height, width = size
    farthest = min(FARTHEST, min(size) // 2) if direction < 0 else FARTHEST
    for step in range(direction, direction * (farthest + 1), direction):
        if height != width:
            yield height + step, width
            yield height, width + step
        yield height + step, width + step
    if direction > 0:
        yield from ((height * k, width * k) for k in range(2, LARGEST_FACTOR + 1))
