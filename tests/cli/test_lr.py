"""`striate lr`."""

from __future__ import annotations

import json
from pathlib import Path

NET = "input 1x8x8 -> conv3-16 nobias -> bn -> relu -> pool2 -> fc-10"


def test_a_table_and_a_plot(run, tmp_path: Path) -> None:
    path = tmp_path / "rates.png"
    status, out, err = run("lr", NET, "digits", "--recipe", "sgd", "-o", path)
    assert (status, err) == (0, f"{path} written\n")
    assert out.splitlines()[-1].endswith("for sgd; the recipe takes 0.1")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_as_json(run) -> None:
    found = json.loads(run("lr", NET, "digits", "--json", "--set", "optimizer=adamw").out)
    assert found["optimizer"] == "adamw"


def test_mistakes(run) -> None:
    status, out, err = run("lr", NET, "nowhere")
    assert (status, out) == (2, "")
    assert err.startswith("striate: nowhere: no such folder")
    status, out, err = run("lr", NET, "digits", "--recipe", "nothing")
    assert (status, out) == (2, "")
    assert err.startswith("striate: there is no recipe 'nothing'.")
