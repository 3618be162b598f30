import threading

import numpy as np
import pytest

from striate.data.decoding import CHUNK_ROWS, Source, decoded_chunks
from striate.data.pictures import Pixels, Preprocess, UnreadablePicture

COUNT = 5 * CHUNK_ROWS + 7


def source(threads: int, bad: frozenset[int] = frozenset(), count: int = COUNT) -> Source:
    def read(index: int) -> Pixels:
        if index in bad:
            raise UnreadablePicture(f"{index}.jpg", f"reason {index}")
        return np.full((2, 3, 1), index % 251, np.uint8)

    return Source(count, Preprocess(1, 2, 3), read, "key", threads)


@pytest.mark.parametrize("threads", [1, 4])
def test_rows_come_in_order_without_the_unreadable(threads: int) -> None:
    bad = frozenset({0, CHUNK_ROWS - 1, CHUNK_ROWS, COUNT - 1})
    chunks = list(decoded_chunks(source(threads, bad), None))
    rows = np.concatenate([chunk.rows for chunk in chunks])
    expected = [index % 251 for index in range(COUNT) if index not in bad]
    assert rows[:, 1, 2, 0].tolist() == expected
    assert rows.shape[1:] == (2, 3, 1)
    unreadable = [entry for chunk in chunks for entry in chunk.unreadable]
    assert unreadable == [(index, f"reason {index}") for index in sorted(bad)]


@pytest.mark.parametrize("threads", [1, 4])
def test_progress_ends_at_the_total(threads: int) -> None:
    seen: list[tuple[int, int]] = []
    for _ in decoded_chunks(source(threads), lambda done, total: seen.append((done, total))):
        pass
    assert seen == sorted(seen)
    assert seen[-1] == (COUNT, COUNT)


def test_nothing_to_decode() -> None:
    assert list(decoded_chunks(source(4, count=0), None)) == []


def test_leaving_early_stops_the_threads() -> None:
    before = threading.active_count()
    chunks = decoded_chunks(source(4), None)
    next(chunks)
    chunks.close()
    assert threading.active_count() == before


def test_an_unexpected_failure_is_not_swallowed() -> None:
    def read(index: int) -> Pixels:
        raise ZeroDivisionError

    broken = Source(COUNT, Preprocess(1, 2, 3), read, "key", 4)
    with pytest.raises(ZeroDivisionError):
        list(decoded_chunks(broken, None))
