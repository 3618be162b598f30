"""The page on drawing shows what the program draws."""

from pathlib import Path

import pytest

from striate.drawing import render
from striate.graph import load_graph

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = DOCS / "pictures"


@pytest.mark.parametrize("name", ["lenet5", "vgg16", "resnet50", PICTURES / "inception.net"])
def test_pictures_are_what_the_commands_of_the_page_give(name):
    picture = PICTURES / f"{Path(name).stem}.svg"
    assert picture.read_bytes() == render(load_graph(name), "svg")
    given = name if isinstance(name, str) else f"docs/pictures/{name.name}"
    page = (DOCS / "drawing.md").read_text("utf-8")
    assert f"    striate draw {given} -o docs/pictures/{picture.name}\n" in page
    assert f"](pictures/{picture.name})" in page


def test_the_text_drawing_of_the_page():
    drawn = render(load_graph(PICTURES / "inception.net"), "txt").decode()
    assert f"```\n{drawn}```\n" in (DOCS / "drawing.md").read_text("utf-8")
