"""Stepped drawings as files, and every figure of the page on arithmetic."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import striate
from striate.drawing.steps import steps_of
from striate.drawing.steps_output import evenly, headed, render_steps, sheet
from striate.errors import UserError
from striate.graph import load_graph

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "arithmetic.md").read_text("utf-8")
COMMANDS = dict(
    re.findall(
        r"^    striate draw '(.+)' --steps -o docs/pictures/arithmetic/(\w+)\.svg$", PAGE, re.M
    )
)

# name: size of the input, size of the output, padding, kernel size, stride, as in arXiv 1603.07285
CONVOLUTIONS = {
    "no_padding_no_strides": (4, 2, 0, 3, 1),
    "arbitrary_padding_no_strides": (5, 6, 2, 4, 1),
    "same_padding_no_strides": (5, 5, 1, 3, 1),
    "full_padding_no_strides": (5, 7, 2, 3, 1),
    "no_padding_strides": (5, 2, 0, 3, 2),
    "padding_strides": (5, 3, 1, 3, 2),
    "padding_strides_odd": (6, 3, 1, 3, 2),
    "numerical_no_padding_no_strides": (5, 3, 0, 3, 1),
    "numerical_average_pooling": (5, 3, 0, 3, 1),
    "numerical_max_pooling": (5, 3, 0, 3, 1),
    "dilation": (7, 3, 0, 3, 1),
}
TRANSPOSED = {
    f"{name}_transposed": CONVOLUTIONS[name]
    for name in CONVOLUTIONS
    if not name.startswith("numerical") and name != "dilation"
}


def test_the_page_has_every_figure_of_the_guide() -> None:
    assert set(COMMANDS.values()) == {*CONVOLUTIONS, *TRANSPOSED}
    pictures = {path.stem for path in (DOCS / "pictures" / "arithmetic").iterdir()}
    assert pictures == set(COMMANDS.values())


@pytest.mark.parametrize(("text", "name"), COMMANDS.items(), ids=COMMANDS.values())
def test_a_figure_of_the_guide(text: str, name: str) -> None:
    """After a change that is meant, run the page's commands again and look at each picture."""
    steps = steps_of(load_graph(text))
    rows = steps.rows
    if name in TRANSPOSED:
        made, given, padding, kernel_size, stride = TRANSPOSED[name]
        assert steps.node.kind == "tconv"
        assert (rows.before, rows.spread) == (kernel_size - 1 - padding, stride)
    else:
        given, made, padding, kernel_size, stride = CONVOLUTIONS[name]
        assert (rows.before, rows.stride) == (padding, stride)
    assert (rows.size, rows.positions, rows.kernel_size) == (given, made, kernel_size)
    assert rows.dilation == (2 if name == "dilation" else 1)
    drawn = DOCS / "pictures" / "arithmetic" / f"{name}.svg"
    assert render_steps(steps, "svg") == drawn.read_bytes()
    assert f"](pictures/arithmetic/{name}.svg)" in PAGE


def test_both_formats(tmp_path: Path) -> None:
    text = "input 1x5x5 -> conv3-1/2 p1"
    for suffix in ("svg", "png"):
        path = tmp_path / f"steps.{suffix}"
        assert striate.draw_steps(text, path) == "conv1"
        assert path.read_bytes() == render_steps(steps_of(load_graph(text)), suffix)
    with Image.open(tmp_path / "steps.png") as picture:
        assert picture.format == "PNG" and picture.width > picture.height


def test_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        striate.draw_steps("lenet5", tmp_path / "steps.txt")
    assert str(caught.value) == (
        f"{tmp_path}/steps.txt ends in .txt, but steps are drawn as .svg, which moves, or .png, "
        f"all on one sheet. For example {tmp_path}/steps.svg"
    )
    assert not list(tmp_path.iterdir())


def test_a_sheet_has_every_step(texts) -> None:
    found = texts(sheet(steps_of(load_graph("input 1x5x5 -> conv3-1"))))
    told = [text for text in found if text.startswith("step ")]
    assert told == [f"step {i + 1} of 25: row {i // 5 + 1}, column {i % 5 + 1}" for i in range(25)]
    assert not any(text.endswith("of 25 steps") for text in found)


def test_a_sheet_of_many_steps_says_how_many_it_shows(texts) -> None:
    found = texts(sheet(steps_of(load_graph("lenet5"))))
    told = [text for text in found if text.startswith("step ")]
    assert len(told) == 36
    assert "36 of 784 steps" in found
    assert (told[0], told[-1]) == (
        "step 1 of 784: row 1, column 1",
        "step 784 of 784: row 28, column 28",
    )


def test_the_heading(texts) -> None:
    steps = steps_of(load_graph("input 3x6x5 -> conv3-8/2 p1"))
    assert texts(headed(steps).frame(0))[:4] == [
        "conv3-8/2: 6×5 to 3×3",
        "filter 3×3 · padding 1 · stride 2",
        "rows: floor((6 + 2·1 − 3) / 2) + 1 = 3",
        "columns: floor((5 + 2·1 − 3) / 2) + 1 = 3",
    ]


@pytest.mark.parametrize(("side", "seconds"), [(5, 11), (30, 60.15)])
def test_a_film_shows_a_step_a_second_or_lasts_a_minute(side: int, seconds: float) -> None:
    film = render_steps(steps_of(load_graph(f"input 1x{side}x{side} -> conv3-1 valid")), "svg")
    (lasts,) = set(re.findall(rb'dur="([0-9.]+)s"', film))
    assert float(lasts) == pytest.approx(seconds, abs=0.01)


def test_even_choices() -> None:
    assert evenly(4, 36) == [0, 1, 2, 3]
    assert evenly(100, 4) == [0, 33, 66, 99]
    chosen = evenly(784, 36)
    assert (len(set(chosen)), chosen[0], chosen[-1]) == (36, 0, 783)


def test_a_sheet_opens_at_its_size() -> None:
    steps = steps_of(load_graph("input 1x5x5 -> avgpool3/1"))
    scene = sheet(steps)
    with Image.open(BytesIO(render_steps(steps, "png"))) as picture:
        assert picture.size == (round(scene.width * 2), round(scene.height * 2))
