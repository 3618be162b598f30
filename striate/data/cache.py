"""Decode once: decoded pictures are kept in a cache folder, one .npy file for a set."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from striate.data.decoding import Progress, Source, Unreadable, decoded_chunks
from striate.data.pictures import Pixels, Preprocess, UnreadablePicture
from striate.data.room import SHARE_FOR_PICTURES, free_memory
from striate.errors import UserError

FORMAT = 1
IN_MEMORY_BYTES = 1 << 30
CACHE_LIMIT_BYTES = 20_000_000_000

_PREFIX = "striate-"
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Decoded:
    """The readable pictures in order, N x H x W x C, and what could not be read."""

    images: Pixels
    unreadable: tuple[Unreadable, ...]
    notices: tuple[str, ...] = ()


def cache_folder() -> Path:
    """$STRIATE_CACHE, else $XDG_CACHE_HOME/striate, else ~/.cache/striate."""
    if named := os.environ.get("STRIATE_CACHE"):
        return Path(named).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "striate"
    return Path("~/.cache/striate").expanduser()


def content_key(preprocess: Preprocess, parts: Iterable[object]) -> str:
    """A name for decoded pictures that changes with their preprocessing and any of the parts."""
    head = json.dumps([FORMAT, preprocess.to_json()], sort_keys=True)
    text = "\0".join((head, *map(str, parts)))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def fits_in_memory(size: int) -> bool:
    """Whether so many bytes of pictures are held in memory rather than mapped from a file.

    That is up to IN_MEMORY_BYTES, and up to a share of what is free.
    """
    return size <= IN_MEMORY_BYTES and size <= SHARE_FOR_PICTURES * free_memory()


def decode(source: Source, progress: Progress | None = None) -> Decoded:
    """The pictures of `source`, from the cache folder, or decoded now and put there.

    They come as an array in memory when freshly decoded and small, else as a read-only map of the
    cache file. A cache folder that cannot be written gives a notice, or, for a set too large for
    memory, raises UserError. Least recently used sets beyond CACHE_LIMIT_BYTES are removed.
    """
    entry = _Entry(cache_folder(), source)
    in_memory = fits_in_memory(source.count * source.row_bytes)
    cached = entry.load(in_memory)
    if cached is not None:
        if progress:
            progress(source.count, source.count)
        return cached
    decoded = (_decode_in_memory if in_memory else _decode_to_file)(source, entry, progress)
    _trim(entry.folder, CACHE_LIMIT_BYTES, entry.array)
    return decoded


def _decode_in_memory(source: Source, entry: _Entry, progress: Progress | None) -> Decoded:
    images = np.empty((source.count, *source.row_shape), np.uint8)
    unreadable: list[Unreadable] = []
    filled = 0
    for chunk in decoded_chunks(source, progress):
        images[filled : filled + len(chunk.rows)] = chunk.rows
        filled += len(chunk.rows)
        unreadable += chunk.unreadable
    images = images[:filled]

    def write(stream: IO[bytes]) -> None:
        _write_header(stream, images.shape)
        stream.write(images.data)

    try:
        _write_whole(entry.array, write)
        _write_whole(entry.meta, _json_writer(unreadable, _checksum(images)))
    except OSError as error:
        notice = (
            f"the decoded pictures could not be kept in {entry.folder} ({error.strerror}); "
            "the next run decodes them again. STRIATE_CACHE names another folder."
        )
        return Decoded(images, tuple(unreadable), (notice,))
    return Decoded(images, tuple(unreadable))


def _decode_to_file(source: Source, entry: _Entry, progress: Progress | None) -> Decoded:
    unreadable: list[Unreadable] = []

    def write(stream: IO[bytes]) -> None:
        filled = 0
        _write_header(stream, (source.count, *source.row_shape))
        for chunk in decoded_chunks(source, progress):
            stream.write(chunk.rows.data)
            filled += len(chunk.rows)
            unreadable.extend(chunk.unreadable)
        stream.seek(0)
        _write_header(stream, (filled, *source.row_shape))

    try:
        _write_whole(entry.array, write)
        _write_whole(entry.meta, _json_writer(unreadable, None))
    except OSError as error:
        size = source.count * source.row_bytes / 1e9
        raise UserError(
            f"{entry.folder}: the decoded pictures take {size:.1f} GB, too much for memory, "
            f"and cannot be kept here ({error.strerror}).\n"
            "Fix: set STRIATE_CACHE to a folder with room, or train on smaller pictures."
        ) from None
    images = npy.open_memmap(entry.array, mode="r")
    return Decoded(images, tuple(unreadable))


class _Entry:
    """The two files of one decoded set: the array, and what is known about it."""

    def __init__(self, folder: Path, source: Source) -> None:
        self.folder = folder
        self.source = source
        self.array = folder / f"{_PREFIX}{source.key}.npy"
        self.meta = folder / f"{_PREFIX}{source.key}.json"

    def load(self, in_memory: bool) -> Decoded | None:
        """The cached pictures; None if there are none, or they are damaged or out of date."""
        try:
            meta = json.loads(self.meta.read_text("utf-8"))
            unreadable = tuple((int(index), str(reason)) for index, reason in meta["unreadable"])
            images: Pixels = npy.open_memmap(self.array, mode="r")
            shape = (self.source.count - len(unreadable), *self.source.row_shape)
            if images.shape != shape or images.dtype != np.uint8 or not images.flags.c_contiguous:
                return None
            if in_memory and meta["checksum"] not in (None, _checksum(images)):
                return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        if any(self._is_readable_now(index) for index, _ in unreadable):
            return None
        with suppress(OSError):
            os.utime(self.array)
        return Decoded(images, unreadable)

    def _is_readable_now(self, index: int) -> bool:
        if not 0 <= index < self.source.count:
            return True
        try:
            self.source.read(index)
        except UnreadablePicture:
            return False
        return True


def _write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Write a file whole or not at all: under another name, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_PREFIX, suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _json_writer(unreadable: list[Unreadable], checksum: int | None) -> Callable[[IO[bytes]], None]:
    text = json.dumps({"unreadable": unreadable, "checksum": checksum}).encode("utf-8")

    def write(stream: IO[bytes]) -> None:
        stream.write(text)

    return write


def _write_header(stream: IO[bytes], shape: tuple[int, ...]) -> None:
    """An .npy header; NumPy pads it, so that any number of rows takes the same space."""
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, header)


def _checksum(images: Pixels) -> int:
    """The sum of all bytes as 64-bit words: quick, and changed by any damaged block."""
    flat = images.reshape(-1)
    whole = flat.size // 8 * 8
    words = int(flat[:whole].view(np.uint64).sum(dtype=np.uint64))
    return (words + int(flat[whole:].sum())) % 2**64


def _trim(folder: Path, limit_bytes: int, keep: Path) -> None:
    """Remove the least recently used sets beyond the limit, and what killed runs left behind."""
    with suppress(OSError):
        for leftover in folder.glob(f"{_PREFIX}*.tmp"):
            with suppress(OSError):
                if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
                    leftover.unlink()
        used = [(file.stat(), file) for file in folder.glob(f"{_PREFIX}*.npy")]
        total = sum(status.st_size for status, _ in used)
        for status, file in sorted(used, key=lambda item: item[0].st_mtime_ns):
            if total <= limit_bytes:
                break
            if file != keep:
                file.unlink(missing_ok=True)
                file.with_suffix(".json").unlink(missing_ok=True)
                total -= status.st_size
