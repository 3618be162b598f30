"""Grids of cells and how they are put beside each other."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch
from PIL import Image as Pictures

from striate.drawing.scene import Image, Line, Rect, Text, extent
from striate.equalities.cells import cells, photograph, row, shade, sign, slide, stacked


def texts(tile) -> list[str]:
    return [shape.text for shape in tile.shapes if isinstance(shape, Text)]


def test_numbers_under_a_name() -> None:
    tile = cells(torch.tensor([[1.0, -2.5], [0.0, 12345.0]]), "weights")
    assert texts(tile) == ["weights", "1", "−2.5", "0", "1.23e+04"]
    assert (tile.width, tile.height) == (44, 60)


def test_no_numbers_in_small_cells() -> None:
    assert texts(cells(torch.ones(3, 3), cell=8)) == []


def test_a_large_matrix_is_one_picture() -> None:
    matrix = torch.zeros(60, 70)
    matrix[5, 7], matrix[9, 3] = 4, -4
    tile = cells(matrix, cell=4)
    (image,) = (shape for shape in tile.shapes if isinstance(shape, Image))
    with Pictures.open(BytesIO(image.png)) as picture:
        assert picture.size == (70, 60)
        assert "#{:02x}{:02x}{:02x}".format(*picture.getpixel((7, 5))) == shade(1, 1)
        assert "#{:02x}{:02x}{:02x}".format(*picture.getpixel((3, 9))) == shade(-1, 1)
        assert picture.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("value", "largest", "colour"),
    [
        (0, 5, "#ffffff"),
        (0, 0, "#ffffff"),
        (5, 5, "#599ed7"),
        (9, 5, "#599ed7"),
        (-5, 5, "#e59c59"),
    ],
)
def test_shades(value: float, largest: float, colour: str) -> None:
    assert shade(value, largest) == colour


def test_marks_and_blocks() -> None:
    tile = cells(torch.zeros(4, 6), cell=10, marked=[(1, 2), (2, 3)], blocks=(2, 3))
    frame = tile.shapes[-1]
    assert isinstance(frame, Rect)
    assert (frame.x, frame.y, frame.width, frame.height) == (20, 10, 20, 20)
    lines = [shape.points for shape in tile.shapes if isinstance(shape, Line)]
    assert lines == [((0, 20), (60, 20)), ((30, 0), (30, 40))]


def test_a_photograph_keeps_its_proportions() -> None:
    tile = photograph(torch.full((10, 20), 300.0), "picture", 100)
    (image,) = (shape for shape in tile.shapes if isinstance(shape, Image))
    assert (image.width, image.height) == (100, 50)
    with Pictures.open(BytesIO(image.png)) as picture:
        assert picture.mode == "L" and picture.getextrema() == (255, 255)


def test_beside_and_under_each_other() -> None:
    small, large = cells(torch.ones(1, 1)), cells(torch.ones(3, 2))
    beside = row([small, sign("="), large], 10)
    assert beside.height == large.height
    assert beside.width == small.width + large.width + sign("=").width + 20
    under = stacked([small, large], 5)
    assert (under.width, under.height) == (large.width, small.height + large.height + 5)


def test_a_long_statement_is_wrapped() -> None:
    scene = slide("title", "word " * 60, [cells(torch.ones(2, 2))], "equal")
    assert all(extent(shape)[2] <= scene.width for shape in scene.shapes)
    assert sum("word" in text for text in texts(scene)) > 1
