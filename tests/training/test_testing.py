from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import DataSet, Preprocess, open_data, write_split
from striate.data.split import SplitAssignment
from striate.errors import UserError
from striate.modules import Network
from striate.training.evaluate import Views, probabilities
from striate.training.run import SPLIT, Run, write_record
from striate.training.testing import TestResult, test

from .conftest import NORMALISE, write_pictures, write_run


def said(trained: Network, images: np.ndarray) -> np.ndarray:
    return probabilities(trained, images, NORMALISE).argmax(1)


def test_without_data_the_recorded_test_part_is_tested(
    run: Run, trained: Network, digits: DataSet
) -> None:
    found = test(run)
    expected = said(trained, digits.test.images) == digits.test.labels
    assert (found.images, found.accuracy) == (len(expected), expected.mean())
    assert found.accuracy > 0.9
    assert found.interval[0] < found.accuracy < found.interval[1]
    assert found.data == "the held-out test pictures of digits"
    assert test(run.folder, "digits").to_json() == found.to_json()


def test_a_run_that_learned_mirrored_pictures_is_asked_about_both_sides(
    run: Run, trained: Network, digits: DataSet
) -> None:
    settings = replace(run.record.settings, flip=True)
    write_record(run.folder, replace(run.record, settings=settings))
    images = digits.test.images
    both = probabilities(trained, images, NORMALISE, views=Views(flip=True))
    expected = both.argmax(1) == digits.test.labels
    assert (both.argmax(1) != said(trained, images)).any()
    assert test(run.folder).accuracy == expected.mean()


def test_the_split_file_alone_says_what_is_held_out(run: Run, digits: DataSet) -> None:
    given = digits.assignment
    write_split(
        run.folder / SPLIT,
        SplitAssignment(given.test, given.val, given.train[:77]),
        run.record.classes,
    )
    assert test(run).images == 77


def test_progress_is_told_of_all_pictures(run: Run) -> None:
    told: list[tuple[int, int]] = []
    found = test(run, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (found.images, found.images)


def test_a_folder_is_tested_whole_by_class_names(
    run: Run, pictures: Path, trained: Network, digits: DataSet
) -> None:
    found = test(run, str(pictures))
    right = (said(trained, digits.test.images[:60]) == digits.test.labels[:60]).sum()
    assert (found.images, found.metrics.right) == (60, right)
    assert found.data == str(pictures)
    assert found.notices == ()


def test_some_of_the_classes_are_enough_and_keep_their_numbers(
    run: Run, pictures: Path, digits: DataSet
) -> None:
    for folder in pictures.iterdir():
        if folder.name not in "37":
            shutil.rmtree(folder)
    found = test(run, str(pictures))
    support = [score.support for score in found.metrics.per_class]
    expected = np.bincount(digits.test.labels[:60], minlength=10) * np.isin(range(10), (3, 7))
    assert support == expected.tolist()
    assert found.notices == ("no pictures of '0', '1', '2', '4', '5', '6', '8', '9'",)
    assert found.accuracy > 0.8


def test_one_class_is_enough(run: Run, pictures: Path) -> None:
    for folder in pictures.iterdir():
        if folder.name != "3":
            shutil.rmtree(folder)
    assert test(run, str(pictures)).images == len(list(pictures.glob("3/*")))


def test_of_a_split_folder_the_test_part_is_tested(
    run: Run, tmp_path: Path, digits: DataSet
) -> None:
    write_pictures(tmp_path / "split/train", digits, range(40))
    write_pictures(tmp_path / "split/test", digits, range(40, 60))
    assert test(run, str(tmp_path / "split")).images == 20


def test_a_split_folder_without_test_is_asked_back(
    run: Run, tmp_path: Path, digits: DataSet
) -> None:
    folder = tmp_path / "split"
    write_pictures(folder / "train", digits, range(40))
    write_pictures(folder / "val", digits, range(40, 60))
    with pytest.raises(UserError) as caught:
        test(run, str(folder))
    assert str(caught.value) == (
        f"{folder}: found 'train', 'val' but no 'test' folder.\n"
        f"Fix: name the one to test on, such as {folder / 'val'}."
    )


def test_an_unknown_class_is_named_with_those_of_the_run(run: Run, pictures: Path) -> None:
    (pictures / "3").rename(pictures / "three")
    with pytest.raises(UserError) as caught:
        test(run, str(pictures))
    assert str(caught.value) == (
        f"{pictures / 'three'}: 'three' is not a class of this run.\n"
        "Its classes are '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'.\n"
        "Fix: rename the folder, or move it away."
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda folder: None, "no such folder."),
        (lambda folder: folder.write_text("x"), "this is a file, not a folder of class folders."),
    ],
)
def test_what_is_no_folder_is_refused(run: Run, tmp_path: Path, make, problem: str) -> None:
    folder = tmp_path / "elsewhere"
    make(folder)
    with pytest.raises(UserError) as caught:
        test(run, str(folder))
    assert str(caught.value) == f"{folder}: {problem}"


def test_a_folder_without_pictures_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty/3").mkdir(parents=True)
    (tmp_path / "empty/3/notes.txt").write_text("x")
    with pytest.raises(UserError) as caught:
        test(run, str(tmp_path / "empty"))
    assert str(caught.value).startswith(f"{tmp_path / 'empty'}: no picture found (but 1 .txt).\n")


def test_loose_pictures_are_refused(run: Run, pictures: Path) -> None:
    next(pictures.glob("3/*")).rename(pictures / "loose.png")
    with pytest.raises(UserError) as caught:
        test(run, str(pictures))
    assert str(caught.value) == (
        f"{pictures}: found 1 picture outside of any class folder (such as 'loose.png').\n"
        "Fix: move each picture into the folder of its class."
    )


def test_unreadable_pictures_stop_the_test_unless_allowed(run: Run, pictures: Path) -> None:
    broken = sorted(pictures.glob("3/*"))[0]
    broken.write_text("no picture")
    with pytest.raises(UserError, match=r"1 of 60 pictures \(1\.7 %\) cannot be read"):
        test(run, str(pictures))
    found = test(run, str(pictures), allow_unreadable=True)
    assert found.images == 59
    assert found.notices[0].startswith("left out 1 of 60 pictures that cannot be read:\n  3/")


@pytest.fixture
def own_folder(tmp_path: Path, trained: Network, digits: DataSet) -> Run:
    """A run on a folder of pictures."""
    write_pictures(tmp_path / "photos", digits, range(200))
    data = open_data(str(tmp_path / "photos"), Preprocess(1, 8, 8))
    return write_run(tmp_path / "runs/photos", trained, data)


def test_the_own_folder_is_never_tested_beyond_what_was_held_out(
    own_folder: Run, tmp_path: Path
) -> None:
    held_out = test(own_folder)
    assert 20 < held_out.images < 60
    assert held_out.data == "the held-out test pictures of photos"
    for name in (str(tmp_path / "photos"), "photos", "./photos/../photos"):
        assert test(own_folder, name).to_json() == held_out.to_json()


def test_the_own_folder_is_known_where_it_was_moved_to(own_folder: Run, tmp_path: Path) -> None:
    expected = test(own_folder).to_json()
    (tmp_path / "photos").rename(tmp_path / "pictures")
    with pytest.raises(UserError) as caught:
        test(own_folder)
    assert str(caught.value) == (
        f"{tmp_path / 'photos'}: the pictures that the run was trained on are no longer here.\n"
        f"Fix: say where they are now: striate test {own_folder.folder} FOLDER."
    )
    assert test(own_folder, "pictures").to_json() == expected


def test_pictures_that_are_gone_are_told(own_folder: Run, tmp_path: Path, digits: DataSet) -> None:
    data = open_data(str(tmp_path / "photos"), Preprocess(1, 8, 8))
    count = len(data.test)
    (tmp_path / "photos" / data.test.files[0]).unlink()
    found = test(own_folder)
    assert found.images == count - 1
    assert found.notices[0] == f"1 of {count} test pictures in {own_folder.folder / SPLIT} is gone"


def test_a_class_that_came_later_does_not_shift_the_others(own_folder: Run, tmp_path: Path) -> None:
    expected = test(own_folder).metrics.confusion
    (tmp_path / "photos/00").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "photos/00/new.png")
    found = test(own_folder)
    assert np.array_equal(found.metrics.confusion, expected)


def test_pictures_that_were_learned_from_are_counted(
    tmp_path: Path, trained: Network, digits: DataSet
) -> None:
    write_pictures(tmp_path / "photos/train", digits, range(50))
    write_pictures(tmp_path / "photos/test", digits, range(50, 60))
    data = open_data(str(tmp_path / "photos"), Preprocess(1, 8, 8))
    run = write_run(tmp_path / "runs/photos", trained, data)
    Image.new("L", (8, 8)).save(tmp_path / "photos/train/3/new.png")
    found = test(run, "photos/train")
    assert found.images == 51
    assert found.notices[0] == (
        "50 of these 51 pictures served to train the run: "
        "the result is better than it would be on new ones"
    )
    assert test(run, "photos/test").images == 10


def test_a_name_that_climbs_out_of_the_folder_is_not_followed(
    own_folder: Run, tmp_path: Path
) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "secret.png")
    split = own_folder.folder / SPLIT
    expected = test(own_folder).images
    split.write_text(split.read_text() + "test,3,../secret.png\n")
    found = test(own_folder)
    assert found.images == expected
    assert found.notices[0] == f"1 of {expected + 1} test pictures in {split} is gone"


def test_a_run_without_a_test_part_asks_for_pictures(run: Run) -> None:
    write_split(run.folder / SPLIT, SplitAssignment((), (), ()), run.record.classes)
    with pytest.raises(UserError) as caught:
        test(run)
    assert str(caught.value) == (
        f"{run.folder}: no pictures were held out for testing, as there were too few.\n"
        f"Fix: name others: striate test {run.folder} FOLDER."
    )


def test_a_missing_split_is_told(run: Run) -> None:
    (run.folder / SPLIT).unlink()
    with pytest.raises(UserError) as caught:
        test(run)
    assert str(caught.value) == (
        f"{run.folder / SPLIT}: the recorded split cannot be read (No such file or directory).\n"
        "Fix: copy the whole run again, or name other pictures to test on: "
        f"striate test {run.folder} FOLDER."
    )


def test_a_built_in_set_of_other_classes_is_refused(own_folder: Run) -> None:
    classes = tuple("abcdefghij")
    write_record(own_folder.folder, replace(own_folder.record, classes=classes))
    with pytest.raises(UserError) as caught:
        test(own_folder.folder, "digits")
    assert str(caught.value) == (
        "digits: '0' is not a class of this run.\n"
        "Its classes are 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'."
    )


def test_the_json_has_what_programs_read(run: Run) -> None:
    content = json.loads(json.dumps(test(run).to_json(), allow_nan=False))
    assert content["accuracy"] > 0.9
    assert len(content["interval"]) == 2 and content["images"] == 355
    assert content["run"] == str(run.folder)


def many_classes() -> TestResult:
    from striate.training.metrics import measure

    draw = np.random.default_rng(0)
    names = [f"a class with quite a long name that has number {i} and 🐈" for i in range(100)]
    scores = draw.random((500, 100)).astype(np.float32)
    labels = draw.integers(0, 100, 500)
    scores[np.arange(500), labels] += 0.3
    return TestResult("runs/x", "y", measure(scores / 2, labels, names))


def test_the_table_fits_a_terminal_and_shows_the_worst_of_many_classes() -> None:
    table = many_classes().table()
    lines = table.splitlines()
    assert max(map(len, lines)) <= 100
    assert "the 30 classes of the lowest F1, of 100; --json has all" in table
    assert "top-5 accuracy" in table
    assert len(lines) < 60


def test_the_table_of_few_classes(run: Run) -> None:
    table = test(run).table()
    lines = table.splitlines()
    assert lines[0] == f"{run.folder} on the held-out test pictures of digits"
    assert lines[2].startswith("accuracy           9")
    assert "class  pictures  precision   recall       F1" in table
    assert "most frequent confusions" in table
