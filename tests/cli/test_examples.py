"""The examples of the page and of every verb's help are run as they stand, in a shell."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from striate.cli import VERBS
from striate.sizing.machine import Machine, store

ROOT = Path(__file__).parents[2]
SLOW = ("striate train", "striate lr", "striate test", "striate predict", "striate machine")


def of_the_page() -> list[str]:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def of_the_help() -> list[str]:
    epilogs = [import_module(f"striate.cli.{verb}").command.epilog for verb in VERBS]
    return [line.strip() for epilog in epilogs for line in epilog.splitlines()[2:]]


def in_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=os.environ | {"PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "line",
    sorted(line for line in {*of_the_page(), *of_the_help()} if not line.startswith(SLOW)),
)
def test_a_quick_example_works(
    line: str, tmp_path: Path, figures: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder of a user who has measured the machine, and without a word of warning."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    store([dataclasses.replace(figures, torch=torch.__version__)])
    (tmp_path / ".config/fish/completions").mkdir(parents=True)
    (tmp_path / "mine.net").write_text("input 1x8x8 -> conv3-4 -> relu -> fc-10", encoding="utf-8")
    result = in_shell(line, tmp_path)
    assert (result.returncode, re.sub(r".+ written(: .+)?\n", "", result.stderr)) == (0, "")


def test_there_are_examples_of_every_verb() -> None:
    for verb in VERBS:
        assert any(f"striate {verb}" in line for line in of_the_page())
        assert any(f"striate {verb}" in line for line in of_the_help())
