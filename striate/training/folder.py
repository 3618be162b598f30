"""The folder of a run: its name, and that one training alone is at work in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from striate.errors import UserError
from striate.files import remove_leftovers


def create_folder(wanted: Path | None, data: str, network: str) -> Path:
    """Make the folder of a new run, which nobody else gets.

    Without a wish it is `runs/<data>-<network>`, numbered when taken. Raises UserError when the
    wished folder holds something already.
    """
    if wanted is not None:
        try:
            wanted.mkdir(parents=True)
        except FileExistsError:
            raise taken(wanted) from None
        return wanted
    base = Path("runs") / f"{_plain(data)}-{_plain(network)}"
    base.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def taken(folder: Path) -> UserError:
    """The mistake of wishing for a folder that is there already."""
    return UserError(
        f"{folder}: a run of this name is there already. Give another one with -o, or leave -o "
        "out for a numbered one"
    )


def _plain(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "_." else "-" for c in Path(name).name or name)
    return kept.strip("-.")[:60] or "run"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only training in a run's folder, rid of what a killed one left half written.

    Raises UserError when another one is at work there. Where the system has no locks, nobody is
    kept out.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        if not _locked(opened, fcntl):
            raise UserError(
                f"{folder}: another training is at work in this folder. Wait until it has ended, "
                "or end it"
            )
        remove_leftovers(folder)
        yield
    finally:
        os.close(opened)


def _locked(opened: int, fcntl: ModuleType) -> bool:
    """Whether the folder is ours: not locked by another, or on a file system without locks."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
