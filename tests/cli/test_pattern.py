"""`striate pattern`: what it prints is what the public function gives."""

from __future__ import annotations

import json
from pathlib import Path

import striate

WISH = ("pattern", "--N", 1, "--M", 2, "--K", 1, "--input", "3x32x32", "--classes", 10)


def test_the_text(run) -> None:
    text = striate.pattern((3, 32, 32), 10, convolutions=1, blocks=2, hidden=1).text
    assert run(*WISH) == (0, text, "")


def test_what_it_prints_can_be_sized(run, tmp_path: Path) -> None:
    path = tmp_path / "small.net"
    assert run(*WISH, "-o", path) == (0, "", f"{path} written\n")
    assert json.loads(run("size", path, "--json").out)["layers"][-1]["output"] == [10]


def test_a_file_that_is_there_is_kept(run, tmp_path: Path) -> None:
    path = tmp_path / "mine.net"
    path.write_text("mine")
    assert run(*WISH, "-o", path) == (
        2,
        "",
        f"striate: {path} is there already. Give another name, or remove it first\n",
    )
    assert path.read_text() == "mine"


def test_the_json(run) -> None:
    data = json.loads(run(*WISH, "--bn", "--gap", "--width", 16, "--json").out)
    assert data["plan"] == {
        "input": [3, 32, 32],
        "classes": 10,
        "convolutions": 1,
        "blocks": 2,
        "hidden": 1,
        "width": 16,
        "bn": True,
        "gap": True,
        "channels": [16, 32],
    }
    assert striate.size(data["text"]).totals.parameters == data["totals"]["parameters"]
    assert (data["warnings"], data["notes"]) == ([], [])


def test_a_budget(run) -> None:
    wish = ("pattern", "--input", "1x28x28", "--classes", 10, "--params", 100_000, "--json")
    assert json.loads(run(*wish).out)["totals"]["parameters"] <= 100_000


def test_notes_go_to_stderr(run) -> None:
    status, out, err = run("pattern", "--input", "3x32x32", "--classes", 10, "--M", 5)
    assert status == 0
    assert out.startswith("# INPUT -> ")
    assert err.startswith("note: <pattern>:")


def test_a_wish_that_cannot_be_had(run) -> None:
    assert run("pattern", "--input", "3x32x32", "--classes", 10, "--M", 6) == (
        2,
        "",
        "striate: an image of 32×32 can be halved 5 times (32 = 2·2·2·2·2), not 6 times. "
        "Give --M 5, or an --input of 3x64x64\n",
    )
