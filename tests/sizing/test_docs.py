from __future__ import annotations

import doctest
import subprocess
import sys
import textwrap
from pathlib import Path

from striate.sizing import Row, size

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"
MACS = DOCS.with_name("macs.md")
ANY = DOCS.with_name("any-network.md")
MEMORY = DOCS.with_name("memory.md")


def test_the_examples_of_the_page() -> None:
    failures, tried = doctest.testfile(str(DOCS), module_relative=False)
    assert failures == 0
    assert tried >= 8


def test_the_examples_of_the_page_on_any_network() -> None:
    failures, tried = doctest.testfile(str(ANY), module_relative=False)
    assert failures == 0
    assert tried >= 6


def test_the_examples_of_the_page_on_macs() -> None:
    failures, tried = doctest.testfile(str(MACS), module_relative=False)
    assert failures == 0
    assert tried >= 8


def test_the_examples_of_the_page_on_memory() -> None:
    failures, tried = doctest.testfile(str(MEMORY), module_relative=False)
    assert failures == 0
    assert tried >= 12


def test_the_command_of_the_page() -> None:
    """Its Python, fed with what `--json` prints."""
    text = MEMORY.read_text(encoding="utf-8")
    program = textwrap.dedent(text.split('| python -c "\n')[1].split('"\n')[0])
    answer = subprocess.run(
        [sys.executable, "-c", program],
        input=size("vgg16").to_json(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == "15237608\n"


def test_the_page_names_every_field_of_the_json() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for field in Row.__dataclass_fields__:
        assert f'"{field}"' in text
