"""The edge filter, on pictures whose edges are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import convolve

from striate.equalities import edges
from striate.equalities.edges import EDGE, drawn_picture, grey_picture
from striate.errors import UserError


def test_the_drawn_picture() -> None:
    picture = drawn_picture()
    found = edges(picture)
    assert picture.shape == (160, 240) and found.equal
    expected = convolve(np.asarray(picture), np.array(EDGE), mode="nearest")
    np.testing.assert_array_equal(found.matrices["edges"], expected)


def test_random_pictures() -> None:
    for seed in range(5):
        noise = torch.rand(23, 31, generator=torch.Generator().manual_seed(seed)).double() * 255
        assert edges(noise).equal


def test_nothing_where_a_picture_is_even_or_rises_evenly() -> None:
    even = torch.full((8, 9), 77.0).double()
    slope = torch.arange(9.0).double().repeat(8, 1) * 10
    assert not edges(even).matrices["edges"].any()
    assert not edges(slope).matrices["edges"][:, 1:-1].any()


def test_a_step_shows_on_both_of_its_sides() -> None:
    picture = torch.zeros(5, 6).double()
    picture[:, 3:] = 10
    assert edges(picture).matrices["edges"][2].tolist() == [0, 0, -30, 30, 0, 0]


def test_a_photograph_is_read_as_a_person_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "tall.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (1000, 500), (200, 200, 200)).save(path, exif=exif)
    picture = grey_picture(path)
    assert picture.shape == (384, 192) and picture.dtype == torch.float64
    assert float(picture.mean()) == pytest.approx(200, abs=1)


def test_a_small_photograph_keeps_its_size(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.fromarray(np.arange(35, dtype=np.uint8).reshape(5, 7)).save(path)
    assert grey_picture(path).tolist() == np.arange(35.0).reshape(5, 7).tolist()


def test_what_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "text.png"
    path.write_text("not a picture")
    with pytest.raises(UserError, match=r"text\.png"):
        grey_picture(path)
