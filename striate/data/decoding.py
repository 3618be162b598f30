"""Many pictures to rows of one uint8 array, in order, on every core that helps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from striate.data.pictures import Pixels, Preprocess, UnreadablePicture

CHUNK_BYTES = 4 << 20
CHUNK_ROWS = 64

Read = Callable[[int], Pixels]
Progress = Callable[[int, int], None]
Unreadable = tuple[int, str]  # index and reason


@dataclass(frozen=True)
class Source:
    """Pictures to decode: how many, of which size, and how to read one.

    `read(i)` gives H x W x C uint8 or raises UnreadablePicture. `key` names the result in the
    cache. `threads` is 1 where pictures are so small that threads would only wait for the
    interpreter.
    """

    count: int
    preprocess: Preprocess
    read: Read
    key: str
    threads: int

    @property
    def row_shape(self) -> tuple[int, int, int]:
        """H, W, C."""
        return (self.preprocess.height, self.preprocess.width, self.preprocess.channels)

    @property
    def row_bytes(self) -> int:
        """Bytes of one decoded picture."""
        height, width, channels = self.row_shape
        return height * width * channels


@dataclass(frozen=True)
class Chunk:
    """Consecutive readable pictures, n x H x W x C, and those between them that were not."""

    rows: Pixels
    unreadable: tuple[Unreadable, ...]


def decoded_chunks(source: Source, progress: Progress | None) -> Iterator[Chunk]:
    """Decode all of `source` in order, with a bounded number of chunks under way."""
    size = max(1, min(CHUNK_ROWS, CHUNK_BYTES // source.row_bytes))
    done = 0
    for chunk in _ordered(source, range(0, source.count, size), size):
        done = min(done + size, source.count)
        if progress:
            progress(done, source.count)
        yield chunk


def _ordered(source: Source, starts: range, size: int) -> Iterator[Chunk]:
    if source.threads == 1 or len(starts) == 1:
        for start in starts:
            yield _decode(source, start, size)
        return
    pool = ThreadPoolExecutor(source.threads)
    waiting: deque[Future[Chunk]] = deque()
    try:
        for start in starts:
            waiting.append(pool.submit(_decode, source, start, size))
            if len(waiting) > 3 * source.threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _decode(source: Source, start: int, size: int) -> Chunk:
    stop = min(start + size, source.count)
    rows = np.empty((stop - start, *source.row_shape), np.uint8)
    unreadable: list[Unreadable] = []
    readable = 0
    for index in range(start, stop):
        try:
            rows[readable] = source.read(index)
        except UnreadablePicture as problem:
            unreadable.append((index, problem.reason))
        else:
            readable += 1
    return Chunk(rows[:readable], tuple(unreadable))
