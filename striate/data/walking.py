"""Walking folders: the pictures in them, what was passed over, and names as people read them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from striate.errors import UserError

EXTENSIONS = frozenset({"jpg", "jpeg", "png", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm"})
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


class FoundFile(NamedTuple):
    """A picture file: name relative to the root (with "/"), bytes and mtime in ns."""

    name: str
    size: int
    mtime_ns: int


def kind_of(path: Path) -> Literal["file", "folder"] | None:
    """What lies at a path, None for nothing; raises UserError if that cannot be told."""
    try:
        if path.is_dir():
            return "folder"
        return "file" if path.exists() else None
    except OSError as error:
        raise cannot_list(path, error) from None


def list_folder(
    root: Path, prefix: str, skipped: Counter[str]
) -> tuple[list[str], list[FoundFile]]:
    """Subfolder names and pictures directly in `root/prefix`, one stat a picture."""
    folders: list[str] = []
    pictures: list[FoundFile] = []
    folder = root / prefix
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or name.lower() in _CLUTTER:
                    skipped["hidden"] += 1
                elif _is_folder(entry):
                    folders.append(name)
                elif name.rpartition(".")[2].lower() in EXTENSIONS:
                    pictures.append(_measured(entry, prefix + name))
                else:
                    skipped[Path(name).suffix.lower() or "without extension"] += 1
    except OSError as error:
        raise cannot_list(folder, error) from None
    return sorted(folders), pictures


def cannot_list(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder}: cannot be looked into ({error.strerror}).")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _measured(entry: os.DirEntry[str], name: str) -> FoundFile:
    try:
        status = entry.stat()
    except OSError:  # a broken link: reading it will say so
        return FoundFile(name, -1, -1)
    return FoundFile(name, status.st_size, status.st_mtime_ns)


def walk(root: Path, prefix: str, skipped: Counter[str]) -> Iterator[FoundFile]:
    """All pictures below `root/prefix`; each real folder once, so that link loops end."""
    waiting = [prefix]
    seen: set[tuple[int, int]] = set()
    while waiting:
        here = waiting.pop()
        try:
            status = (root / here).stat()
        except OSError as error:
            raise cannot_list(root / here, error) from None
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders, pictures = list_folder(root, here, skipped)
        waiting += [f"{here}{name}/" for name in reversed(folders)]
        yield from pictures


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which "2.jpg" comes before "10.jpg"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple(
        (0, int(part), part) if part[0] in "0123456789" else (1, 0, part) for part in parts
    )


def readable_name(name: str) -> str:
    """A file name as text: composed characters (NFC), undecodable bytes replaced."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def instead(skipped: Mapping[str, int]) -> str:
    """ " (but 3 .txt, 1 .csv)": the commonest other files, to explain an empty result."""
    others = sorted(
        ((count, kind) for kind, count in skipped.items() if kind != "hidden"), reverse=True
    )
    listed = ", ".join(f"{count} {kind}" for count, kind in others[:3])
    return f" (but {listed})" if listed else ""


def counted(number: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def kinds_line() -> str:
    return f"Pictures are files that end in {', '.join(sorted(EXTENSIONS))}."


def quoted(names: Iterable[str]) -> str:
    names = list(names)
    listed = ", ".join(f"'{readable_name(name)}'" for name in names[:10])
    return listed + (f" and {len(names) - 10} more" if len(names) > 10 else "")
