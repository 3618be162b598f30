import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from striate.data.folders import find_pictures, scan
from striate.errors import UserError

Photos = Callable[..., Path]


def layout(root: Path | str) -> str:
    return (
        "Expected one folder for each class:\n"
        f"  {root}/\n"
        "    cat/  1.jpg  2.jpg  ...\n"
        "    dog/  1.jpg  2.jpg  ..."
    )


KINDS = "Pictures are files that end in bmp, gif, jpeg, jpg, pgm, png, ppm, tif, tiff, webp."


def message(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        scan(root)
    return str(caught.value)


class TestLayouts:
    def test_class_folders(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "dog", 2)
        photos(tmp_path / "cat", 1)
        listing = scan(tmp_path)
        assert listing.classes == ("cat", "dog")
        assert list(listing.files) == ["train"]
        assert [file[:2] for file in listing.files["train"]] == [
            ("cat/0.png", 0),
            ("dog/0.png", 1),
            ("dog/1.png", 1),
        ]
        status = (tmp_path / "cat/0.png").stat()
        assert listing.files["train"][0][2:4] == (status.st_size, status.st_mtime_ns)
        assert listing.notices == ()

    @pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
    def test_split_folders(self, tmp_path: Path, photos: Photos, val: str) -> None:
        for split in ("train", val, "test"):
            for name in ("a", "b"):
                photos(tmp_path / split / name, 1)
        listing = scan(tmp_path)
        assert {split: [file.name for file in files] for split, files in listing.files.items()} == {
            "train": ["train/a/0.png", "train/b/0.png"],
            "val": [f"{val}/a/0.png", f"{val}/b/0.png"],
            "test": ["test/a/0.png", "test/b/0.png"],
        }

    def test_nested_files_count(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a" / "monday" / "noon", 2)
        photos(tmp_path / "b", 1)
        names = [file.name for file in scan(tmp_path).files["train"]]
        assert names == ["a/monday/noon/0.png", "a/monday/noon/1.png", "b/0.png"]

    def test_train_may_be_a_class(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("bus", "test", "train"):
            photos(tmp_path / name, 1)
        assert scan(tmp_path).classes == ("bus", "test", "train")

    def test_folders_beside_the_splits_are_mentioned(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/a", "train/b", "extra"):
            photos(tmp_path / name, 1)
        photos(tmp_path, 1)
        listing = scan(tmp_path)
        assert listing.classes == ("a", "b")
        assert listing.notices == (
            "not used, since they are beside the splits: 'extra'",
            "not used, since they are beside the splits: 1 picture",
        )

    def test_every_extension_in_any_case(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "b", 1)
        (tmp_path / "a").mkdir()
        suffixes = ["jpg", "JPEG", "Png", "bmp", "gif", "webp", "tif", "TIFF", "ppm", "pgm"]
        names = [f"x.{suffix}" for suffix in suffixes]
        for name in names:
            (tmp_path / "a" / name).touch()
        found = [file.name for file in scan(tmp_path).files["train"] if file.label == 0]
        assert sorted(found) == sorted(f"a/{name}" for name in names)

    def test_clutter_is_skipped_and_counted(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("a", "b", "__MACOSX", ".hidden"):
            photos(tmp_path / name, 1)
        for name in ("._0.png", "Thumbs.db", "notes.txt", "more.TXT", "labels.csv", "README"):
            (tmp_path / "a" / name).touch()
        listing = scan(tmp_path)
        assert listing.classes == ("a", "b")
        assert len(listing.files["train"]) == 2
        assert listing.skipped == {"hidden": 4, ".txt": 2, ".csv": 1, "without extension": 1}

    def test_names_with_spaces_emoji_and_accents(self, tmp_path: Path, photos: Photos) -> None:
        decomposed = unicodedata.normalize("NFD", "café")
        for name in ("red panda 🐼", decomposed):
            photos(tmp_path / name, 1)
        listing = scan(tmp_path)
        assert listing.classes == (unicodedata.normalize("NFC", "café"), "red panda 🐼")
        assert all((tmp_path / file.name).is_file() for file in listing.files["train"])

    def test_one_name_in_two_encodings_joins_splits(self, tmp_path: Path, photos: Photos) -> None:
        for split, form in (("train", "NFC"), ("test", "NFD")):
            photos(tmp_path / split / unicodedata.normalize(form, "é"), 1)
            photos(tmp_path / split / "b", 1)
        assert [file.label for file in scan(tmp_path).files["test"]] == [0, 1]

    def test_undecodable_name(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 1)
        photos(tmp_path / os.fsdecode(b"b\xff"), 1)
        assert scan(tmp_path).classes == ("a", "b\N{REPLACEMENT CHARACTER}")

    def test_link_loops_end(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a" / "inner", 1)
        photos(tmp_path / "b", 1)
        (tmp_path / "a" / "inner" / "up").symlink_to(tmp_path / "a")
        (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
        (tmp_path / "b" / "other").symlink_to(tmp_path / "a" / "inner")
        names = [file.name for file in scan(tmp_path).files["train"]]
        assert names == ["a/inner/0.png", "b/0.png", "b/other/0.png"]

    def test_broken_link_is_listed(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 1)
        photos(tmp_path / "b", 1)
        (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
        assert scan(tmp_path).files["train"][1] == ("a/gone.png", 0, -1, -1, None)

    def test_class_absent_from_test_is_a_notice(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/a", "train/b", "test/a"):
            photos(tmp_path / name, 1)
        assert scan(tmp_path).notices == ("test has no pictures of 'b'",)


class TestErrors:
    def test_missing(self, tmp_path: Path) -> None:
        root = tmp_path / "photos"
        assert message(root) == f"{root}: no such folder.\n{layout(root)}"

    def test_file(self, tmp_path: Path) -> None:
        root = tmp_path / "photos"
        root.touch()
        assert message(root) == f"{root}: this is a file, not a folder.\n{layout('photos')}"

    def test_no_picture(self, tmp_path: Path) -> None:
        for name in ("a/1.heic", "a/2.heic", "b/1.txt", "b/.hidden"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        assert message(tmp_path) == (
            f"{tmp_path}: no picture found (but 2 .heic, 1 .txt).\n{KINDS}\n{layout(tmp_path)}"
        )

    def test_empty(self, tmp_path: Path) -> None:
        assert message(tmp_path) == f"{tmp_path}: no picture found.\n{KINDS}\n{layout(tmp_path)}"

    def test_no_class_folders(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path, 1)
        assert message(tmp_path) == (
            f"{tmp_path}: found 1 picture outside of any class folder (such as '0.png').\n"
            f"{layout(tmp_path)}\nFix: move each picture into the folder of its class."
        )

    def test_pictures_beside_class_folders(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "train", 1)
        photos(tmp_path / "train" / "a", 1)
        photos(tmp_path / "train" / "b", 1)
        here = tmp_path / "train"
        assert message(tmp_path) == (
            f"{here}: found 1 picture outside of any class folder (such as '0.png') "
            f"beside the folders 'a', 'b'.\n"
            f"{layout(here)}\nFix: move each picture into the folder of its class."
        )

    def test_unsorted_test_pictures(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/a", "train/b", "test"):
            photos(tmp_path / name, 2)
        here = tmp_path / "test"
        assert message(tmp_path) == (
            f"{here}: found 2 pictures outside of any class folder (such as '0.png').\n"
            f"{layout(here)}\nFix: move each picture into the folder of its class, "
            "or the whole folder elsewhere."
        )

    def test_closed_folder(self, tmp_path: Path) -> None:
        tmp_path.chmod(0)
        user = os.geteuid()
        if user == 0:  # the superuser may read everything
            os.seteuid(65534)
        try:
            assert message(tmp_path) == f"{tmp_path}: cannot be looked into (Permission denied)."
        finally:
            os.seteuid(user)
            tmp_path.chmod(0o700)

    def test_one_class(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "cat", 2)
        assert message(tmp_path) == (
            f"{tmp_path}: only one class found ('cat'); telling apart takes two or more.\n"
            f"{layout(tmp_path)}"
        )

    def test_one_folder_too_high(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "photos" / "cat", 2)
        photos(tmp_path / "photos" / "dog", 2)
        assert message(tmp_path) == (
            f"{tmp_path}: only one class found ('photos'); telling apart takes two or more.\n"
            f"Did you mean {tmp_path / 'photos'}?"
        )

    def test_empty_classes(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "a", 1)
        (tmp_path / "b").mkdir()
        assert message(tmp_path) == (
            f"{tmp_path}: no picture in class folder 'b'.\nFix: fill or remove the folder."
        )
        (tmp_path / "c").mkdir()
        assert message(tmp_path) == (
            f"{tmp_path}: no picture in class folders 'b', 'c'.\nFix: fill or remove the folder."
        )

    def test_empty_split(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "train" / "a", 1)
        photos(tmp_path / "train" / "b", 1)
        (tmp_path / "test").mkdir()
        assert message(tmp_path) == (
            f"{tmp_path / 'test'}: this split is empty.\nFix: fill or remove the folder."
        )

    def test_case(self, tmp_path: Path, photos: Photos) -> None:
        photos(tmp_path / "Cat", 1)
        photos(tmp_path / "cat", 1)
        assert message(tmp_path) == (
            f"{tmp_path}: the class folders 'Cat' and 'cat' differ in case only.\n"
            "Fix: merge them, or rename one."
        )

    def test_encoding(self, tmp_path: Path, photos: Photos) -> None:
        for form in ("NFC", "NFD"):
            photos(tmp_path / unicodedata.normalize(form, "é"), 1)
        assert message(tmp_path) == (
            f"{tmp_path}: the class folders 'é' and 'é' are one name in two encodings.\n"
            "Fix: merge them, or rename one."
        )

    def test_class_that_train_lacks(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/a", "train/b", "val/c"):
            photos(tmp_path / name, 1)
        train, val = tmp_path / "train", tmp_path / "val"
        assert message(tmp_path) == (
            f"{val}: class 'c' has no folder in {train}.\n"
            f"Fix: add {train / 'c'} with pictures to learn from, or remove the class from val."
        )

    def test_class_that_train_spells_otherwise(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/cat", "train/dog", "test/Cat"):
            photos(tmp_path / name, 1)
        assert message(tmp_path) == (
            f"{tmp_path / 'test'}: class 'Cat' has no folder in {tmp_path / 'train'}.\n"
            "Fix: it is spelt 'cat' there; rename one of the two."
        )

    def test_two_val_folders(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("train/a", "train/b", "val/a", "valid/a"):
            photos(tmp_path / name, 1)
        assert message(tmp_path) == (
            f"{tmp_path}: both 'val' and 'valid' look like the val split.\nFix: keep one of them."
        )

    def test_no_train(self, tmp_path: Path, photos: Photos) -> None:
        for name in ("val/a", "test/a"):
            photos(tmp_path / name, 1)
        assert message(tmp_path) == (
            f"{tmp_path}: found 'test', 'val' but no 'train' folder.\n"
            f"Expected {tmp_path}/train/<class>/ beside it."
        )

    def test_name_too_long(self) -> None:
        assert message(Path("x" * 300)) == (
            f"{'x' * 300}: cannot be looked into (File name too long)."
        )


class TestFindPictures:
    def test_files_as_given_and_folders_in_natural_order(
        self, tmp_path: Path, photos: Photos
    ) -> None:
        photos(tmp_path / "in", 11)
        photos(tmp_path / "in" / "deep", 1)
        odd = tmp_path / "odd.name"
        odd.touch()
        found = find_pictures([odd, str(tmp_path / "in")])
        names = [f"{number}.png" for number in range(11)] + ["deep/0.png"]
        assert found == [odd] + [tmp_path / "in" / name for name in names]

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(UserError) as caught:
            find_pictures([tmp_path / "x.jpg"])
        assert str(caught.value) == f"{tmp_path / 'x.jpg'}: no such file or folder."

    def test_nothing_in_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").touch()
        with pytest.raises(UserError) as caught:
            find_pictures([tmp_path])
        assert str(caught.value) == f"{tmp_path}: no picture in this folder (but 1 .txt).\n{KINDS}"

    def test_nothing_named(self) -> None:
        with pytest.raises(UserError) as caught:
            find_pictures([])
        assert str(caught.value) == "no picture was named. Give one or more files or folders."
