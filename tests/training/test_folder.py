"""The folder of a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from striate.errors import UserError
from striate.training.folder import create_folder
from striate.training.run import Run


def test_folders_are_named_after_data_and_network_and_numbered(tmp_path: Path) -> None:
    names = [create_folder(None, "photos", "resnet18") for _ in range(3)]
    assert [str(name) for name in names] == [
        "runs/photos-resnet18", "runs/photos-resnet18-2", "runs/photos-resnet18-3"
    ]  # fmt: skip
    assert all((tmp_path / name).is_dir() for name in names)


@pytest.mark.parametrize(
    ("data", "network", "expected"),
    [
        ("/home/me/my photos/", "a b", "my-photos-a-b"),
        ("..", "x", "run-x"),
        (".", "x", "run-x"),
        ("/", "..", "run-run"),
        ("été 🐈", "x", "été-x"),
        ("a" * 300, "b" * 300, "a" * 60 + "-" + "b" * 60),
    ],
)
def test_names_of_folders_are_plain(data: str, network: str, expected: str) -> None:
    assert create_folder(None, data, network) == Path("runs") / expected


def test_processes_at_once_get_different_folders(tmp_path: Path) -> None:
    code = (
        "from striate.training.folder import create_folder\nimport sys\nsys.stdin.read()\n"
        "for _ in range(20): print(create_folder(None, 'a', 'b'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    names = [name for process in started for name in process.communicate()[0].split()]
    assert len(names) == len(set(names)) == 40
    assert set(names) == {"runs/a-b", *(f"runs/a-b-{i}" for i in range(2, 41))}


def test_a_wished_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    wish = tmp_path / "deep" / "er" / "mine"
    assert create_folder(wish, "a", "b") == wish
    assert wish.is_dir()


@pytest.mark.parametrize("kind", ["run", "file", "empty"])
def test_a_wished_folder_that_is_taken(run: Run, tmp_path: Path, kind: str) -> None:
    wish = run.folder if kind == "run" else tmp_path / "mine"
    if kind == "file":
        wish.write_text("mine")
    if kind == "empty":
        wish.mkdir()
    with pytest.raises(UserError) as caught:
        create_folder(wish, "a", "b")
    assert str(caught.value) == (
        f"{wish}: a run of this name is there already. Give another one with -o, or leave -o "
        "out for a numbered one"
    )


def test_a_file_named_runs_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(OSError) as caught:
        create_folder(None, "a", "b")
    assert caught.value.filename == "runs"
