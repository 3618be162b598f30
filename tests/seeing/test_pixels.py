from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from striate.seeing.pixels import png, squared


def read(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)))


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_kept(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    assert np.array_equal(read(png(pixels)).reshape(5, 7, channels), pixels)


def test_large_pictures_are_made_smaller_in_proportion() -> None:
    pixels = np.zeros((400, 200, 3), np.uint8)
    assert read(png(pixels, 160)).shape == (160, 80, 3)
    assert read(png(pixels[:100, :50], 160)).shape == (100, 50, 3)


def test_a_square_has_white_beside_the_picture() -> None:
    data = png(np.full((4, 2, 1), 9, np.uint8))
    found = read(squared(data))
    assert found.shape == (4, 4, 3)
    assert (found[:, 1:3] == 9).all() and (found[:, [0, 3]] == 255).all()


def test_a_square_picture_stays_as_it_is() -> None:
    data = png(np.zeros((4, 4, 3), np.uint8))
    assert squared(data) is data
