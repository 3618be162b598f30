"""What lies where in a tar archive: names, places and sizes, without unpacking anything.

Python's own `tarfile` makes an object of every member, which takes several times as long: minutes
where there are millions of pictures with their labels. Here the common headers are read: POSIX's
(ustar, pax) and GNU's long names. Anything else that is an ordinary file (sparse, of several
volumes) is refused rather than misread.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from striate.errors import UserError

_BLOCK = 512
_FILES = (b"0", b"\0", b"7")
_PASSED_OVER = frozenset(b"123456gVDMN")  # links, devices, folders, remarks about the archive
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstandard"}


class Member(NamedTuple):
    """An ordinary file in an archive: where its bytes begin, and how many there are."""

    name: str
    offset: int
    size: int


def members(path: Path) -> list[Member]:
    """The ordinary files of an archive, in order. Raises UserError where it is not whole."""
    try:
        with path.open("rb") as stream:
            length = path.stat().st_size
            if not length:
                raise _bad(path, "the file is empty")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return list(_members(path, data, length))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None


def _members(path: Path, data: mmap.mmap, length: int) -> Iterator[Member]:
    at, told = 0, _Told()
    while at < length:
        head = data[at : at + _BLOCK]
        if len(head) == _BLOCK and not head.strip(b"\0"):
            return
        size = _size(path, at, head) if told.size is None else told.size
        begin = at + _BLOCK
        if begin + size > length:
            name = told.name or _name(head)
            raise _bad(path, f"it is cut short within '{name}' ({length} bytes are there)")
        kind = head[156:157]
        if kind == b"L":
            told = _Told(_text(data[begin : begin + size]), told.size)
        elif kind == b"x":
            told = _records(path, at, data[begin : begin + size], told)
        else:
            if kind in _FILES:
                yield Member(told.name or _name(head), begin, size)
            elif kind[0] not in _PASSED_OVER and kind != b"K":
                what = f"'{told.name or _name(head)}' is of the kind {kind.decode('latin-1')!r}"
                raise _bad(path, f"{what}, which is not read")
            if kind != b"K":
                told = _Told()
        at = begin + -(-size // _BLOCK) * _BLOCK
    if at > length:
        raise _bad(path, f"it is damaged or cut short at byte {length}")


class _Told(NamedTuple):
    """What the header before said of the next member."""

    name: str = ""
    size: int | None = None


def _size(path: Path, at: int, head: bytes) -> int:
    """The size in a header whose checksum holds."""
    if len(head) == _BLOCK:
        try:
            expected = int(head[148:156].strip(b"\0 "), 8)
            field = head[124:136]
            size = (
                int.from_bytes(field[1:], "big")
                if field[0] == 0x80
                else int(field.strip(b"\0 ") or b"0", 8)
            )
        except ValueError:
            expected = size = -1
        if expected == sum(head) - sum(head[148:156]) + 8 * ord(" ") and size >= 0:
            return size
    if at:
        raise _bad(path, f"it is damaged or cut short at byte {at}")
    packer = next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)
    if packer:
        raise _bad(
            path,
            f"it is compressed ({packer}), so that its pictures cannot be found without unpacking "
            "it. Fix: decompress it once to a plain .tar",
        )
    raise _bad(path, "it is no tar archive")


def _name(head: bytes) -> str:
    name, prefix = _text(head[:100]), _text(head[345:500])
    return f"{prefix}/{name}" if prefix and head[257:263] == b"ustar\0" else name


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _records(path: Path, at: int, data: bytes, told: _Told) -> _Told:
    """What an extended header of POSIX says: records of "length key=value" and a line's end."""
    name, size = told
    while data.strip(b"\0"):
        digits, _, _ = data.partition(b" ")
        if not digits.isdigit() or not len(digits) < int(digits) <= len(data):
            raise _bad(path, f"the extended header at byte {at} is damaged")
        key, _, value = data[len(digits) + 1 : int(digits) - 1].partition(b"=")
        if key == b"path":
            name = value.decode("utf-8", "surrogateescape")
        elif key == b"size" and value.isdigit():
            size = int(value)
        elif key.startswith(b"GNU.sparse"):
            raise _bad(path, f"the member at byte {at} is sparse, which is not read")
        data = data[int(digits) :]
    return _Told(name, size)


def _bad(path: Path, problem: str) -> UserError:
    return UserError(f"{path}: {problem}.")
