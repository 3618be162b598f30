"""The page on equalities shows what the program computes and draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from striate.drawing import render_scene
from striate.equalities import EQUALITIES, prove

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "equalities.md").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in EQUALITIES if name != "edges"])
def test_pictures_are_what_the_commands_of_the_page_give(name: str) -> None:
    picture = DOCS / "pictures" / "equalities" / f"{name}.svg"
    assert picture.read_text("utf-8") == render_scene(prove(name).picture(), "svg").decode()
    assert f"    striate prove {name} -o docs/pictures/equalities/{name}.svg\n" in PAGE
    assert f"](pictures/equalities/{name}.svg)" in PAGE


def test_edges_are_drawn_but_for_how_a_picture_is_packed() -> None:
    """Other builds of the library for PNG give other bytes for the same pixels."""
    drawn = (DOCS / "pictures" / "equalities" / "edges.svg").read_text("utf-8")
    now = render_scene(prove("edges").picture(), "svg").decode()
    data = re.compile(r"base64,[^\"]+")
    assert data.sub("", drawn) == data.sub("", now)
    assert len(data.findall(drawn)) == 2


def test_the_printed_example() -> None:
    shown = re.search(r"\$ striate prove im2col\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    times = re.compile(r"\d+\.\d\d ms")
    assert times.sub("ms", shown[1]) == times.sub("ms", prove("im2col").table()) + "\n"


def test_the_python_of_the_page(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    exec(blocks[0], names)
    pairs = names["proof"].equality.pairs
    assert tuple(pairs[0].left.shape) == (2, 4, 4)
    assert tuple(names["proof"].equality.matrices["matrix"].shape) == (32, 192)
    assert (tmp_path / "toeplitz.png").exists()
    *lines, last = blocks[1].splitlines()
    exec("\n".join(lines), names)
    assert eval(last, names) is True
