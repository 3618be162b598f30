"""From found pictures and their split to arrays: decoding, and what could not be decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from striate.data.cache import fits_in_memory
from striate.data.decoding import Progress
from striate.data.finding import Found
from striate.data.pictures import Pixels, Preprocess
from striate.data.pools import Pool
from striate.data.split import SPLITS, Labelled, SplitAssignment
from striate.errors import UserError

UNREADABLE_FRACTION = 0.01
LISTED = 10


@dataclass(frozen=True)
class Part:
    """One split: images (uint8, N x H x W x C), labels (int64, N) and the pictures' names."""

    images: Pixels
    labels: NDArray[np.int64]
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Opened:
    """The parts asked for (the others empty), and what there is to say about reading them."""

    parts: dict[str, Part]
    wanted: int
    unreadable: tuple[tuple[str, str], ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """One pass of decoding: a pool (or these indices of it), and the splits that it serves."""

    pool: Pool
    indices: tuple[int, ...] | None
    splits: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.pool.pictures) if self.indices is None else len(self.indices)

    def names(self) -> list[str]:
        pictures = self.pool.pictures
        if self.indices is None:
            return [name for name, _ in pictures]
        return [pictures[index].name for index in self.indices]


def open_parts(
    found: Found,
    assignment: SplitAssignment,
    splits: Sequence[str],
    preprocess: Preprocess,
    progress: Progress | None,
) -> Opened:
    """Decode the pictures of `splits`. Labels and names go with the readable ones."""
    parts = {split: _empty(preprocess) for split in SPLITS}
    unreadable: dict[str, str] = {}
    notices: dict[str, None] = {}
    jobs = list(_jobs(found, assignment, splits, preprocess))
    total, done = sum(job.count for job in jobs), 0
    for job in jobs:
        decoded = job.pool.read(job.indices, preprocess, _shifted(progress, done, total))
        done += job.count
        notices |= dict.fromkeys(decoded.notices)
        names = job.names()
        reasons = {names[index]: reason for index, reason in decoded.unreadable}
        readable = [name for name in names if name not in reasons] if reasons else names
        rows = dict(zip(readable, range(len(readable)), strict=True))
        for split in job.splits:
            pictures = assignment.part(split)
            unreadable |= {name: reasons[name] for name, _ in pictures if name in reasons}
            parts[split] = _gather(decoded.images, rows, pictures)
    wanted = sum(len(assignment.part(split)) for split in splits)
    return Opened(parts, wanted, tuple(unreadable.items()), tuple(notices))


def judge_unreadable(opened: Opened, name: str, allowed: bool) -> tuple[str, ...]:
    """A notice that lists the pictures left out; raises UserError if they are above 1 %."""
    count = len(opened.unreadable)
    if not count:
        return ()
    listed = [f"  {file}: {reason}" for file, reason in opened.unreadable[:LISTED]]
    if count > LISTED:
        listed.append(f"  and {count - LISTED} more")
    share = f"{count} of {opened.wanted} pictures"
    lines = "\n".join(listed)
    if count > UNREADABLE_FRACTION * opened.wanted and not allowed:
        raise UserError(
            f"{name}: {share} ({100 * count / opened.wanted:.1f} %) cannot be read.\n{lines}\n"
            "Fix: repair or remove them, or leave them out with --allow-unreadable."
        )
    return (f"left out {share} that cannot be read:\n{lines}",)


def _jobs(
    found: Found, assignment: SplitAssignment, splits: Sequence[str], preprocess: Preprocess
) -> Iterator[_Job]:
    """A pool that fits in memory is decoded once for every way to split it; others by part."""
    picture_bytes = preprocess.height * preprocess.width * preprocess.channels
    for owner, pool in found.pools.items():
        served = tuple(split for split in splits if found.owner(split) == owner)
        if not served:
            continue
        if fits_in_memory(len(pool.pictures) * picture_bytes):
            yield _Job(pool, None, served)
            continue
        numbers = {picture.name: index for index, picture in enumerate(pool.pictures)}
        for split in served:
            part = assignment.part(split)
            whole = len(part) == len(pool.pictures)
            indices = None if whole else tuple(numbers[picture.name] for picture in part)
            yield _Job(pool, indices, (split,))


def _gather(images: Pixels, rows: Mapping[str, int], pictures: Sequence[Labelled]) -> Part:
    """The readable pictures of one part; `rows` says where in `images` each of them is."""
    readable = [picture for picture in pictures if picture.name in rows]
    files = tuple(name for name, _ in readable)
    chosen = np.array([rows[name] for name in files], np.int64)
    if len(chosen) < len(rows) or (np.diff(chosen) != 1).any():
        images = images[chosen]
    elif not images.flags.writeable and fits_in_memory(images.nbytes):
        images = np.array(images)
    return Part(images, np.array([label for _, label in readable], np.int64), files)


def _empty(preprocess: Preprocess) -> Part:
    shape = (0, preprocess.height, preprocess.width, preprocess.channels)
    return Part(np.empty(shape, np.uint8), np.empty(0, np.int64), ())


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)
