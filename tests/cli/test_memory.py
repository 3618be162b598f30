"""`striate memory` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_memory_as_a_table_json_and_plot(run, tmp_path: Path) -> None:
    plot = tmp_path / "step.svg"
    status, out, err = run("memory", "lenet5", "--batch", "8", "--plot", str(plot))
    assert (status, err) == (0, f"{plot} written\n") and plot.exists()
    assert out.startswith("lenet5 · input 1×32×32 · batch of 8 · momentum, float32\n")
    status, out, _ = run("memory", "lenet5", "--optimizer", "adam", "--json")
    data = json.loads(out)
    assert status == 0 and data["batch"] == 1 and data["settings"]["optimizer"] == "adam"


def test_fits(run) -> None:
    status, out, _ = run("memory", "lenet5", "--fits", "5MB", "--json")
    data = json.loads(out)
    assert status == 0 and data["peak"] <= data["limit"] == 5_000_000 < data["next_peak"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--fits 3",
            "striate: '3' is not an amount of memory. Give a number and a unit, as in 8GB",
        ),
        ("--checkpoint x", "striate: checkpoint: no module is named x. The network has conv1, "),
        ("--fits 1GB --batch 2", "striate: --fits finds the batch: leave --batch out."),
        ("--plot step.txt", "striate: step.txt: a plot is written as .svg or .png"),
    ],
)
def test_a_mistake_is_one_message(run, arguments: str, message: str) -> None:
    status, _, err = run("memory", "lenet5", *arguments.split())
    assert status == 2 and err.startswith(message)
