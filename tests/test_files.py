"""Files are written whole or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from striate.files import write_whole


def test_content_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "ä")
    write_whole(tmp_path / "a.txt", b"new")
    assert (tmp_path / "a.txt").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_missing_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a.txt", "x")


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    """A process that may write 64 KiB tries to write 1 MiB over a good file."""
    path = tmp_path / "weights"
    path.write_bytes(b"good")
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from striate.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (65536, {resource.RLIM_INFINITY}))\n"
        "try:\n    write_whole(Path(sys.argv[1]), bytes(1 << 20))\n"
        "except OSError as error:\n    print('failed', error.errno)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("failed")
    assert path.read_bytes() == b"good"
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]


def test_bytes_of_names_that_are_no_text_are_written_as_they_were(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", "caf\udce9")
    assert (tmp_path / "x").read_bytes() == b"caf\xe9"


def test_an_interrupt_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "x", "y")
    assert list(tmp_path.iterdir()) == []
