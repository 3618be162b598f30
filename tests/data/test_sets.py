import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import cache, read_split, write_split
from striate.data.pictures import Preprocess, read_picture
from striate.data.sets import DataSet, Part, open_data
from striate.errors import UserError

Photos = Callable[..., Path]
SIZE = Preprocess(3, 6, 8)


@pytest.fixture
def pets(tmp_path: Path, photos: Photos) -> Path:
    """60 pictures of two classes without splits."""
    photos(tmp_path / "pets" / "cat", 40)
    photos(tmp_path / "pets" / "red panda 🐼", 20)
    return tmp_path / "pets"


def split_of(data: DataSet) -> dict[str, tuple[str, ...]]:
    return {"train": data.train.files, "val": data.val.files, "test": data.test.files}


def agrees_with_its_files(part: Part, data: DataSet) -> bool:
    assert data.root is not None
    root = Path(data.root)
    return all(
        (image == read_picture(root / name, data.preprocess)).all()
        and data.classes[label] in Path(name).parts
        for image, label, name in zip(part.images, part.labels, part.files, strict=True)
    )


class TestFolders:
    def test_a_folder_without_splits(self, pets: Path) -> None:
        data = open_data(str(pets), None)
        assert (data.name, data.root, data.classes) == ("pets", str(pets), ("cat", "red panda 🐼"))
        assert data.preprocess == SIZE
        assert [len(part) for part in (data.train, data.val, data.test)] == [44, 4, 12]
        for part in (data.train, data.val, data.test):
            assert part.images.shape[1:] == (6, 8, 3)
            assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)
            assert part.images.flags.writeable
            assert agrees_with_its_files(part, data)
        assert (data.notices, data.unreadable) == ((), ())

    def test_given_splits(self, tmp_path: Path, photos: Photos) -> None:
        for split, count in (("train", 20), ("valid", 3), ("test", 2)):
            for name in ("a", "b"):
                photos(tmp_path / split / name, count)
        data = open_data(str(tmp_path), SIZE)
        assert [len(part) for part in (data.train, data.val, data.test)] == [40, 6, 4]
        assert all(name.startswith("valid/") for name in data.val.files)
        assert agrees_with_its_files(data.test, data)

    def test_the_second_time_is_the_same(self, pets: Path) -> None:
        first, second = open_data(str(pets), None), open_data(str(pets), None)
        assert split_of(first) == split_of(second)
        assert (first.train.images == second.train.images).all()
        assert second.train.images.flags.writeable
        assert second.test.images.flags.writeable

    def test_whole_parts_are_writable_from_the_cache_too(
        self, tmp_path: Path, photos: Photos
    ) -> None:
        for split in ("train", "val", "test"):
            for name in ("a", "b"):
                photos(tmp_path / split / name, 2)
        open_data(str(tmp_path), SIZE)
        assert open_data(str(tmp_path), SIZE).test.images.flags.writeable

    def test_a_seed_draws_another_split_of_the_same_pixels(
        self, pets: Path, cache_dir: Path
    ) -> None:
        first, second = open_data(str(pets), None, seed=1), open_data(str(pets), None, seed=2)
        assert set(first.test.files) != set(second.test.files)
        assert first.fingerprint == second.fingerprint
        assert agrees_with_its_files(second.train, second)
        assert len(list(cache_dir.glob("*.npy"))) == 1

    def test_changed_pictures_are_read_again(self, pets: Path) -> None:
        before = open_data(str(pets), None)
        path = pets / before.train.files[0]
        Image.new("RGB", (8, 6), "red").save(path)
        after = open_data(str(pets), None)
        assert (after.train.images[0] == [255, 0, 0]).all()

    def test_a_twin_folder_is_another_set(self, pets: Path, tmp_path: Path) -> None:
        """Same names, sizes and times, other pixels: as files unpacked from two archives."""
        for name, colour in (("one", 0), ("two", 255)):
            for label in ("a", "b"):
                path = tmp_path / name / label / "x.bmp"
                path.parent.mkdir(parents=True)
                Image.new("RGB", (8, 6), (colour,) * 3).save(path)
                os.utime(path, (0, 0))
        for name, colour in (("one", 0), ("two", 255)):
            assert (open_data(str(tmp_path / name), None).train.images == colour).all()

    def test_only_the_splits_asked_for(self, pets: Path) -> None:
        everything, test = open_data(str(pets), None), open_data(str(pets), None, splits=("test",))
        assert test.test.files == everything.test.files
        assert (test.test.images == everything.test.images).all()
        assert test.train.images.shape == (0, 6, 8, 3)
        assert (len(test.train), test.train.labels.dtype, test.train.files) == (0, np.int64, ())
        assert test.fingerprint == everything.fingerprint

    def test_progress_runs_over_all_splits(self, tmp_path: Path, photos: Photos) -> None:
        for split, count in (("train", 20), ("test", 5)):
            for name in ("a", "b"):
                photos(tmp_path / split / name, count)
        seen: list[tuple[int, int]] = []
        open_data(str(tmp_path), SIZE, progress=lambda *step: seen.append(step))
        assert seen == [(40, 50), (50, 50)]

    def test_large_sets_are_mapped_part_by_part(
        self, pets: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small = open_data(str(pets), None)
        monkeypatch.setattr(cache, "IN_MEMORY_BYTES", 100)
        for _ in range(2):
            large = open_data(str(pets), None)
            assert split_of(large) == split_of(small)
            for split in ("train", "val", "test"):
                images = getattr(large, split).images
                assert isinstance(images, np.memmap)
                assert (images == getattr(small, split).images).all()
        (pets / small.train.files[3]).write_bytes(b"")
        (pets / small.test.files[0]).write_bytes(b"")
        large = open_data(str(pets), None, allow_unreadable=True)
        assert large.train.files == small.train.files[:3] + small.train.files[4:]
        assert large.test.files == small.test.files[1:]
        assert agrees_with_its_files(large.train, large)
        assert isinstance(large.train.images, np.memmap)

    def test_files_are_never_changed(self, pets: Path, tree_digest: Callable[[Path], str]) -> None:
        (pets / "cat" / "0.png").write_bytes(b"broken")
        before = tree_digest(pets)
        open_data(str(pets), Preprocess(1, 16, 16), allow_unreadable=True)
        assert tree_digest(pets) == before

    def test_colour_to_grey(self, pets: Path) -> None:
        data = open_data(str(pets), Preprocess(1, 6, 8))
        assert data.train.images.shape == (44, 6, 8, 1)
        assert agrees_with_its_files(data.train, data)

    def test_tiny_classes(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 1)
        photos(tmp_path / "b", 2)
        data = open_data(str(tmp_path), None)
        assert [len(part) for part in (data.train, data.val, data.test)] == [3, 0, 0]
        assert data.test.images.shape == (0, 6, 8, 3)
        assert data.notices == (
            "test and val have no pictures of 'a', 'b': "
            "a class of fewer than 3 is kept for training",
        )


class TestUnreadable:
    def test_few_are_left_out_with_a_notice(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 60)
        photos(tmp_path / "b", 60)
        (tmp_path / "b" / "7.png").write_bytes(b"")
        data = open_data(str(tmp_path), SIZE)
        assert data.unreadable == (("b/7.png", "the file is empty"),)
        assert data.notices == (
            "left out 1 of 120 pictures that cannot be read:\n  b/7.png: the file is empty",
        )
        assert sum(map(len, split_of(data).values())) == 119
        assert all(agrees_with_its_files(part, data) for part in (data.train, data.val, data.test))
        again = open_data(str(tmp_path), SIZE)
        assert (again.unreadable, again.notices) == (data.unreadable, data.notices)

    def test_many_stop(self, pets: Path) -> None:
        for number in range(12):
            (pets / "cat" / f"{number}.png").write_text("to do")
        reason = "not a picture (expected JPEG, PNG, BMP, GIF, WebP, TIFF, PPM or PGM)"
        names = sorted(f"cat/{number}.png" for number in range(12))
        with pytest.raises(UserError) as caught:
            open_data(str(pets), SIZE)
        head, *listed, more, fix = str(caught.value).splitlines()
        assert head == f"{pets}: 12 of 60 pictures (20.0 %) cannot be read."
        assert len(listed) == 10
        assert set(listed) <= {f"  {name}: {reason}" for name in names}
        assert more == "  and 2 more"
        assert fix == "Fix: repair or remove them, or leave them out with --allow-unreadable."

    def test_many_may_be_allowed(self, pets: Path) -> None:
        for number in range(12):
            (pets / "cat" / f"{number}.png").write_text("to do")
        data = open_data(str(pets), SIZE, allow_unreadable=True)
        assert len(data.unreadable) == 12
        assert sum(map(len, split_of(data).values())) == 48
        assert data.notices[0].startswith("left out 12 of 60 pictures that cannot be read:\n")

    def test_a_class_without_a_readable_picture(self, pets: Path) -> None:
        for path in (pets / "red panda 🐼").iterdir():
            path.write_bytes(b"")
        with pytest.raises(UserError) as caught:
            open_data(str(pets), SIZE, allow_unreadable=True)
        assert str(caught.value) == (
            f"{pets}: no readable training picture of 'red panda 🐼'.\n"
            "Fix: add pictures to the class, or remove its folder."
        )

    def test_unreadable_in_a_split_that_is_not_asked_for(self, pets: Path) -> None:
        test = open_data(str(pets), SIZE).test.files
        train = next(path for path in (pets / "cat").iterdir() if f"cat/{path.name}" not in test)
        train.write_bytes(b"")
        data = open_data(str(pets), SIZE, splits=("test",))
        assert (data.unreadable, data.notices) == ((), ())


class TestRecordedSplit:
    def test_is_taken_as_recorded(self, pets: Path, tmp_path: Path) -> None:
        drawn = open_data(str(pets), None, seed=5)
        path = tmp_path / "split.csv"
        write_split(path, drawn.assignment, drawn.classes)
        assert read_split(path, drawn.classes) == drawn.assignment
        again = open_data(str(pets), None, seed=6, split_file=path)
        assert split_of(again) == split_of(drawn)
        assert again.notices == ()

    def test_of_a_built_in_set(self, tmp_path: Path) -> None:
        drawn = open_data("digits", None, seed=5)
        path = tmp_path / "split.csv"
        write_split(path, drawn.assignment, drawn.classes)
        again = open_data("digits", None, split_file=path, splits=("test",))
        assert again.test.files == drawn.test.files
        assert (again.test.images == drawn.test.images).all()

    def test_pictures_that_came_and_went(self, pets: Path, tmp_path: Path, photos: Photos) -> None:
        drawn = open_data(str(pets), None)
        path = tmp_path / "split.csv"
        write_split(path, drawn.assignment, drawn.classes)
        (pets / drawn.test.files[0]).unlink()
        photos(pets / "cat" / "new", 2)
        data = open_data(str(pets), None, split_file=path, splits=("test",))
        assert data.test.files == drawn.test.files[1:]
        assert agrees_with_its_files(data.test, data)
        assert data.notices == (
            f"1 of 12 test pictures in {path} is gone",
            f"2 pictures are not in {path} and are left out",
        )

    def test_another_folder(self, pets: Path, tmp_path: Path, photos: Photos) -> None:
        drawn = open_data(str(pets), None)
        path = tmp_path / "split.csv"
        write_split(path, drawn.assignment, drawn.classes)
        for name in drawn.classes:
            photos(tmp_path / "other" / name / "deep", 3)
        with pytest.raises(UserError) as caught:
            open_data(str(tmp_path / "other"), None, split_file=path, splits=("test",))
        assert str(caught.value) == (
            f"{path}: none of the 12 test pictures recorded here is in {tmp_path / 'other'} "
            f"(such as '{drawn.test.files[0]}').\n"
            "Fix: name the folder that the run was trained on."
        )


class TestArrays:
    def test_digits(self) -> None:
        data = open_data("digits", None)
        assert (data.name, data.root, data.classes) == ("digits", None, tuple("0123456789"))
        assert sum(map(len, split_of(data).values())) == 1797
        assert 0.19 < len(data.test) / 1797 <= 0.2
        assert data.train.files[0].startswith("digits/")
        names = sum(split_of(data).values(), ())
        assert sorted(names)[0] == "digits/0001"
        assert len(set(names)) == 1797

    def test_at_another_size(self) -> None:
        native = open_data("digits", None)
        large = open_data("digits", Preprocess(3, 16, 20, "stretch"))
        assert large.train.images.shape == (len(native.train), 16, 20, 3)
        image = Image.fromarray(native.train.images[0][..., 0])
        expected = image.convert("RGB").resize((20, 16), Image.Resampling.BICUBIC)
        assert (large.train.images[0] == np.asarray(expected)).all()

    def test_missing_root(self, tmp_path: Path) -> None:
        with pytest.raises(UserError) as caught:
            open_data("cifar100", None, root=tmp_path)
        assert str(caught.value) == (
            f"cifar100: not found in {tmp_path / 'cifar-100-python'} (no train, test, meta).\n"
            f"Fix: --download fetches it into {tmp_path}; --root names another folder."
        )
