"""Class folders opened for a test; other errors are in tests/training/test_testing.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Preprocess
from striate.data.labelled import open_labelled
from striate.errors import UserError

GREY = Preprocess(1, 4, 4)


def save(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(path)


def test_labels_are_places_in_the_given_classes_and_go_with_their_pictures(tmp_path: Path) -> None:
    for value, name in enumerate(("cat/1.png", "cat/deep/er/2.png", "ant/3.png", "cat/4.png")):
        save(tmp_path / "set" / name, value)
    found = open_labelled(tmp_path / "set", ("dog", "cat", "ant"), GREY)
    told = dict(zip(found.part.files, found.part.labels.tolist(), strict=True))
    assert told == {"ant/3.png": 2, "cat/1.png": 1, "cat/4.png": 1, "cat/deep/er/2.png": 1}
    shown = dict(zip(found.part.files, found.part.images[:, 0, 0, 0].tolist(), strict=True))
    assert shown == {"cat/1.png": 0, "cat/deep/er/2.png": 1, "ant/3.png": 2, "cat/4.png": 3}
    assert found.root == (tmp_path / "set").resolve()
    assert found.notices == ("no pictures of 'dog'",)


@pytest.mark.parametrize("name", ["test", "Test", "TEST"])
def test_a_test_split_is_taken_alone(tmp_path: Path, name: str) -> None:
    save(tmp_path / "set/train/cat/1.png", 1)
    save(tmp_path / "set" / name / "cat/2.png", 2)
    found = open_labelled(tmp_path / "set", ("cat", "dog"), GREY)
    assert found.part.files == ("cat/2.png",)
    assert found.root == (tmp_path / "set" / name).resolve()


def test_classes_may_be_called_like_splits(tmp_path: Path) -> None:
    save(tmp_path / "set/train/1.png", 1)
    save(tmp_path / "set/test/2.png", 2)
    found = open_labelled(tmp_path / "set", ("bus", "test", "train"), GREY)
    assert found.part.labels.tolist() == [1, 2]


def test_a_single_split_is_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "set/train/cat/1.png", 1)
    with pytest.raises(UserError, match="found 'train' but no 'test' folder"):
        open_labelled(tmp_path / "set", ("cat", "dog"), GREY)


def test_unreadable_pictures_take_their_labels_with_them(tmp_path: Path) -> None:
    for value in range(6):
        save(tmp_path / f"set/{'ab'[value % 2]}/{value}.png", value)
    (tmp_path / "set/a/2.png").write_text("text")
    found = open_labelled(tmp_path / "set", ("a", "b"), GREY, allow_unreadable=True)
    assert found.part.files == ("a/0.png", "a/4.png", "b/1.png", "b/3.png", "b/5.png")
    assert found.part.images[:, 0, 0, 0].tolist() == [0, 4, 1, 3, 5]
    assert np.array_equal(found.part.labels, [0, 0, 1, 1, 1])
    assert found.notices[0].startswith("left out 1 of 6 pictures that cannot be read:\n  a/2.png: ")


def test_nothing_readable_is_an_error_even_when_allowed(tmp_path: Path) -> None:
    (tmp_path / "set/a").mkdir(parents=True)
    (tmp_path / "set/a/1.png").write_text("text")
    with pytest.raises(UserError) as caught:
        open_labelled(tmp_path / "set", ("a", "b"), GREY, allow_unreadable=True)
    assert str(caught.value) == f"{tmp_path / 'set'}: none of the 1 pictures can be read."


def test_a_misspelt_class_gets_the_nearest_name(tmp_path: Path) -> None:
    save(tmp_path / "set/Cats/1.png", 1)
    with pytest.raises(UserError) as caught:
        open_labelled(tmp_path / "set", ("cat", "dog"), GREY)
    assert str(caught.value) == (
        f"{tmp_path / 'set/Cats'}: 'Cats' is not a class of this run. Did you mean 'cat'?\n"
        "Its classes are 'cat', 'dog'.\nFix: rename the folder, or move it away."
    )
