"""What README.md shows is what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import striate
from striate.cli import VERBS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(command: str) -> str:
    """The lines that stand below a command in the page, up to the end of its block."""
    begin = README.index(f"$ {command}\n") + len(command) + 3
    return README[begin : README.index("```", begin)].strip()


def test_the_ledger_is_real(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"\$ (striate size 'INPUT.*)", README)
    assert command
    assert main(shlex.split(command[1])[1:]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed.startswith(shown(command[1]))


def test_the_error_is_real(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"\$ (striate size 'input.*)", README)
    assert command
    assert main(shlex.split(command[1])[1:]) == 2
    assert capsys.readouterr().err.strip() == shown(command[1])


def test_the_network_and_the_number_are_those_of_the_zoo() -> None:
    text = re.search(r"```\n(input 3x224x224\n.*?)```", README, re.DOTALL)
    assert text
    assert striate.size(text[1]).totals.parameters == striate.size("vgg16").totals.parameters
    told = re.search(r'size\("resnet50"\)\.totals\.macs +# ([0-9 ]+)', README)
    assert told
    assert striate.size("resnet50").totals.macs == int(told[1].replace(" ", ""))


def test_every_verb_link_and_picture_exists() -> None:
    block = README[README.index("## Five verbs") :].split("```")[1]
    assert set(re.findall(r"^striate (\w+)", block, re.MULTILINE)) < set(VERBS)
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
