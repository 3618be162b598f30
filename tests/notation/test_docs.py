"""What docs/notation.md shows is what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from striate.errors import NotationError
from striate.layers import KINDS
from striate.notation import parse, print_network
from striate.notation.table import table

PAGE = (Path(__file__).parents[2] / "docs" / "notation.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```striate\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_there_is_an_example_for_each_construct() -> None:
    assert len(EXAMPLES) >= 12


@pytest.mark.parametrize("text", EXAMPLES)
def test_example(text: str) -> None:
    network = parse(text)
    assert parse(print_network(network)) == network


def test_the_table_is_that_of_the_declarations() -> None:
    assert PAGE.endswith(f"## The layer words\n\n{table()}\n")
    command = [sys.executable, "-m", "striate.notation.table"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{table()}\n"


@pytest.mark.parametrize("word", [word for kind in KINDS for word in kind.words])
def test_the_table_has_every_word(word: str) -> None:
    assert re.search(rf"`[^`]*\b{word}[^`]*`", table())


def test_the_message_shown_is_the_real_one() -> None:
    (shown,) = re.findall(r"^```\n(<text>.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    with pytest.raises(NotationError) as caught:
        parse("input 3x32x32 -> cnov3-64 -> conv3-64 dd2")
    assert f"{caught.value}\n" == shown
