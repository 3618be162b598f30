"""Pictures in tar archives: WebDataset's layout, and archives of class folders."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Preprocess, native_shape, open_data
from striate.data.labelled import open_labelled
from striate.data.shards import is_sharded, scan_shards
from striate.errors import UserError

GREY = Preprocess(1, 4, 4)


def picture(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4), value).save(stream, "PNG")
    return stream.getvalue()


def pack(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(values: range, classes: int = 3) -> dict[str, bytes]:
    """WebDataset's: a grey value for each key, of class value % classes."""
    files = {}
    for value in values:
        files[f"{value:06d}.png"] = picture(value)
        files[f"{value:06d}.cls"] = f"{value % classes}\n".encode()
        files[f"{value:06d}.json"] = b"{}"
    return files


def held(part: object) -> list[tuple[int, int]]:
    return sorted(
        zip(part.images[:, 0, 0, 0].tolist(), part.labels.tolist(), strict=True)  # type: ignore[attr-defined]
    )


def test_a_folder_of_webdataset_shards_is_a_set_of_pictures(tmp_path: Path) -> None:
    pack(tmp_path / "000000.tar", samples(range(30)))
    pack(tmp_path / "000001.tar", samples(range(30, 60)))
    data = open_data(str(tmp_path), GREY)
    assert data.classes == ("0", "1", "2")
    every = sorted(held(data.train) + held(data.val) + held(data.test))
    assert every == [(value, value % 3) for value in range(60)]
    assert (len(data.train), len(data.val), len(data.test)) == (45, 3, 12)
    assert "000001.tar/000042.png" in {*data.train.files, *data.val.files, *data.test.files}
    assert native_shape(str(tmp_path)) == (1, 4, 4)
    assert data.notices == ()


@pytest.mark.parametrize("form", ["imagenet-{}-000000.tar", "{}_0.tar", "{}/000.tar", "{}.tar"])
def test_names_and_folders_say_the_split(tmp_path: Path, form: str) -> None:
    for split, values in (("train", range(12)), ("val", range(12, 18)), ("test", range(18, 24))):
        pack(tmp_path / form.format(split), samples(values))
    data = open_data(str(tmp_path), GREY)
    assert held(data.train) == [(value, value % 3) for value in range(12)]
    assert held(data.val) == [(value, value % 3) for value in range(12, 18)]
    assert held(data.test) == [(value, value % 3) for value in range(18, 24)]


def test_classes_beside_the_archives_name_the_numbers(tmp_path: Path) -> None:
    pack(tmp_path / "train.tar", samples(range(12)))
    (tmp_path / "classes.txt").write_text("cat\ndog\nowl\n")
    data = open_data(str(tmp_path), GREY)
    assert data.classes == ("cat", "dog", "owl")
    assert all(label == value % 3 for value, label in held(data.train))


def test_numbers_are_sorted_as_numbers(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", samples(range(24), classes=12))
    assert open_data(str(tmp_path), GREY).classes == tuple(map(str, range(12)))


def test_an_archive_of_class_folders_needs_no_labels(tmp_path: Path) -> None:
    files = {f"./photos/{'ab'[value % 2]}/{value}.png": picture(value) for value in range(20)}
    files["./photos/a/._1.png"] = b"what macOS adds"
    data = open_data(str(pack(tmp_path / "photos.tar", files)), GREY)
    assert data.classes == ("a", "b")
    assert data.root == str(tmp_path / "photos.tar")
    every = sorted(held(data.train) + held(data.val) + held(data.test))
    assert every == [(value, value % 2) for value in range(20)]


def test_the_same_pictures_in_folders_and_archives_are_the_same_arrays(
    tmp_path: Path, photos: Callable[..., Path]
) -> None:
    files: dict[str, bytes] = {}
    for name in ("cat", "dog"):
        folder = photos(tmp_path / "folders" / name, 10)
        files |= {f"{name}/{each.name}": each.read_bytes() for each in sorted(folder.iterdir())}
    pack(tmp_path / "packed.tar", files)
    colour = Preprocess(3, 12, 12)
    one = open_data(str(tmp_path / "folders"), colour)
    other = open_data(str(tmp_path / "packed.tar"), colour)
    assert one.train.files == other.train.files
    assert np.array_equal(one.train.images, other.train.images)
    assert one.train.labels.tolist() == other.train.labels.tolist()


def test_an_archive_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", samples(range(30)))
    before = open_data(str(tmp_path), GREY)
    pack(path, {**samples(range(30)), "000000.png": picture(200)})
    os.utime(path, ns=(1, 1))
    after = open_data(str(tmp_path), GREY)
    shown = [*after.train.images, *after.val.images, *after.test.images]
    assert max(int(image.max()) for image in shown) == 200
    assert before.train.images.max() < 30


def test_a_picture_that_cannot_be_read_is_named_with_its_archive(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", {**samples(range(30)), "000007.png": b"no picture"})
    with pytest.raises(UserError) as caught:
        open_data(str(tmp_path), GREY)
    assert str(caught.value) == (
        f"{tmp_path}: 1 of 30 pictures (3.3 %) cannot be read.\n"
        "  a.tar/000007.png: not a picture (expected JPEG, PNG, BMP, GIF, WebP, TIFF, PPM or PGM)\n"
        "Fix: repair or remove them, or leave them out with --allow-unreadable."
    )


def test_archives_beside_class_folders_are_not_taken(tmp_path: Path) -> None:
    pack(tmp_path / "all.tar", samples(range(3)))
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(picture(1))
    assert not is_sharded(tmp_path)
    assert open_data(str(tmp_path), GREY).classes == ("cat", "dog")


def test_runs_beside_archives_are_not_taken_for_classes(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", samples(range(30)))
    for folder in ("here", "runs/quick"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "run.json").write_text("{}")
        (tmp_path / folder / "errors.png").write_bytes(picture(1))
    assert open_data(str(tmp_path), GREY).classes == ("0", "1", "2")


def test_class_folders_without_archives_are_not_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    looked: list[Path] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (looked.append(Path(path)), scandir(path))[1])
    assert not is_sharded(tmp_path)
    assert looked == [tmp_path]


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        scan_shards(path)
    return str(caught.value).replace(str(path), "PATH")


LAYOUT = (
    "Expected a class for each picture: a file beside it of the same name that ends in .cls and "
    "holds its\nnumber or name (WebDataset), or a folder with the name of its class."
)


@pytest.mark.parametrize(
    ("archives", "message"),
    [
        (
            {"a.tar": {"1.txt": b"", "2.cls": b"1"}},
            f"PATH: no picture found in its archives (but 1 .txt, 1 .cls).\n{LAYOUT}",
        ),
        ({"a.tar": {"1.png": b""}}, f"PATH/a.tar: '1.png' is of no class.\n{LAYOUT}"),
        (
            {"a.tar": {"1.png": b"", "1.cls": b" \n"}},
            "PATH/a.tar: '1.cls' holds no class.",
        ),
        (
            {"a.tar": {"1.png": b"", "1.cls": b"7"}},
            "PATH: only one class found ('7'); telling apart takes two or more.",
        ),
        (
            {"test.tar": {"a/1.png": b""}, "val.tar": {"b/1.png": b""}},
            "PATH: found archives for val, test but none for train.",
        ),
        (
            {"train.tar": {"a/1.png": b""}, "more.tar": {"b/1.png": b""}},
            "PATH: 'more.tar' does not say which split it is for, and others do (train).\n"
            "Fix: call it train-more.tar, or move it away.",
        ),
        (
            {"train.tar": {"a/1.png": b"", "b/1.png": b""}, "val.tar": {"c/1.png": b""}},
            "PATH/val.tar: 'c/1.png' is of the class 'c', which is none of those to learn: "
            "'a', 'b'.",
        ),
    ],
)
def test_what_gives_no_classes_is_told(
    tmp_path: Path, archives: dict[str, dict[str, bytes]], message: str
) -> None:
    for name, files in archives.items():
        pack(tmp_path / name, files)
    assert refused(tmp_path) == message


def test_a_number_beyond_the_list_of_classes_is_told(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", samples(range(12), classes=4))
    (tmp_path / "classes.txt").write_text("cat\ndog\nowl\n")
    assert refused(tmp_path) == (
        "PATH/a.tar: '000003.png' is of the class '3', which is none of those to learn: "
        "'cat', 'dog', 'owl'."
    )
    (tmp_path / "classes.txt").write_text("cat\ndog\nowl\nbat\nyak\n")
    assert refused(tmp_path) == (
        "PATH: no training picture of 'yak', which classes.txt names.\n"
        "Fix: add the archives that hold them."
    )
    (tmp_path / "classes.txt").write_bytes(b"cat\xff")
    assert refused(tmp_path).startswith("PATH/classes.txt: cannot be read as text ('utf-8' codec")
    (tmp_path / "classes.txt").write_text("cat\n\nowl\n")
    assert refused(tmp_path) == "PATH/classes.txt: expected a class in each line, each once."


def test_an_archive_that_is_a_broken_link_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.tar").symlink_to(tmp_path / "gone.tar")
    assert refused(tmp_path) == "PATH/a.tar: cannot be read (No such file or directory)."


def test_a_compressed_archive_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "photos.tar.gz"
    with tarfile.open(path, "w:gz"):
        pass
    assert refused(path) == (
        "PATH: it is compressed (gzip), so that its pictures cannot be found without unpacking it. "
        "Fix: decompress it once to a plain .tar."
    )
    with pytest.raises(UserError, match=r"it is compressed \(gzip\)"):
        open_data(str(path), GREY)


def test_a_run_is_tested_on_archives(tmp_path: Path) -> None:
    pack(tmp_path / "train.tar", samples(range(12)))
    pack(tmp_path / "test.tar", samples(range(12, 18)))
    found = open_labelled(tmp_path, ("0", "1", "2"), GREY)
    assert held(found.part) == [(value, value % 3) for value in range(12, 18)]
    alone = open_labelled(tmp_path / "train.tar", ("0", "1", "2", "3"), GREY)
    assert held(alone.part) == [(value, value % 3) for value in range(12)]
    assert alone.notices == ("no pictures of '3'",)
    with pytest.raises(UserError, match=r"'000002\.png' is of the class '2', which is none of"):
        open_labelled(tmp_path / "train.tar", ("0", "1"), GREY)
