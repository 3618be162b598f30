import hashlib
import io
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from torchvision import datasets

from striate.data.cifar import CIFAR10, CIFAR100, CifarLayout, missing_cifar_files, read_cifar
from striate.errors import UserError

RNG = np.random.default_rng(0)


class Python2Pickler(pickle._Pickler):
    """Writes strings as Python 2 did, which the published files come from."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        data = value.encode() if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_string


def python2(content: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, 2).dump(content)
    return stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_root(root: Path, layout: CifarLayout, contents: dict[str, Any]) -> CifarLayout:
    """Write these files, and give the layout their MD5s."""
    folder = root / layout.folder
    folder.mkdir(parents=True, exist_ok=True)
    sums = {}
    for name, content in contents.items():
        data = content if isinstance(content, bytes) else python2(content)
        (folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()
    files = {
        split: {name: sums.get(name, md5) for name, md5 in names.items()}
        for split, names in layout.files.items()
    }
    return replace(layout, files=files, meta=(layout.meta[0], sums[layout.meta[0]]))


def batch(label_key: str, count: int, classes: int) -> dict[str, Any]:
    return {
        "data": RNG.integers(0, 256, (count, 3072), np.uint8),
        label_key: [int(label) for label in RNG.integers(0, classes, count)],
        "batch_label": "one of some",
    }


def good_contents(layout: CifarLayout) -> dict[str, Any]:
    classes = [f"class {number}" for number in range(5)]
    contents: dict[str, Any] = {
        name: batch(layout.label_key, 4, len(classes))
        for names in layout.files.values()
        for name in names
    }
    return contents | {layout.meta[0]: {layout.names_key: classes}}


LAYOUTS = [(CIFAR10, datasets.CIFAR10), (CIFAR100, datasets.CIFAR100)]


@pytest.mark.parametrize(("layout", "theirs"), LAYOUTS, ids=["cifar10", "cifar100"])
def test_the_published_sums_are_torchvisions(layout: CifarLayout, theirs: Any) -> None:
    assert layout.folder == theirs.base_folder
    assert list(layout.files["train"].items()) == [tuple(row) for row in theirs.train_list]
    assert list(layout.files["test"].items()) == [tuple(row) for row in theirs.test_list]
    assert layout.meta == (theirs.meta["filename"], theirs.meta["md5"])
    assert layout.names_key == theirs.meta["key"]


@pytest.mark.parametrize(("layout", "theirs"), LAYOUTS, ids=["cifar10", "cifar100"])
def test_reads_what_torchvision_reads(tmp_path: Path, layout: CifarLayout, theirs: Any) -> None:
    layout = write_root(tmp_path, layout, good_contents(layout))

    class Miniature(theirs):  # type: ignore[misc]
        train_list = [list(row) for row in layout.files["train"].items()]  # noqa: RUF012
        test_list = [list(row) for row in layout.files["test"].items()]  # noqa: RUF012
        meta = dict(theirs.meta, md5=layout.meta[1])  # noqa: RUF012

    assert missing_cifar_files(tmp_path / layout.folder, layout) == []
    classes, splits = read_cifar(tmp_path / layout.folder, layout)
    for split in ("train", "test"):
        expected = Miniature(tmp_path, train=split == "train")
        images, labels = splits[split]
        assert list(classes) == expected.classes
        assert (images == expected.data).all()
        assert labels.tolist() == expected.targets
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


def test_a_file_that_is_not_the_published_one_is_not_opened(tmp_path: Path) -> None:
    write_root(tmp_path, CIFAR10, good_contents(CIFAR10))
    path = tmp_path / CIFAR10.folder / "batches.meta"
    found = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(UserError) as caught:
        read_cifar(path.parent, CIFAR10)
    assert str(caught.value) == (
        f"{path}: not the published file, so it is not opened "
        f"(MD5 {found}; expected 5ff9c542aee3614f3951f8cda6e48888).\n"
        "Fix: remove it and fetch it again with --download."
    )


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class TestHostilePickles:
    """Even with a matching sum, nothing but arrays is built."""

    def message(self, tmp_path: Path, content: object, name: str = "batches.meta") -> str:
        contents = good_contents(CIFAR10) | {name: content}
        layout = write_root(tmp_path, CIFAR10, contents)
        with pytest.raises(UserError) as caught:
            read_cifar(tmp_path / CIFAR10.folder, layout)
        path = tmp_path / CIFAR10.folder / name
        text = str(caught.value)
        assert text.startswith(f"{path}: ")
        return text.removeprefix(f"{path}: ")

    def test_code_is_refused_and_not_run(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        message = self.message(tmp_path, pickle.dumps({"label_names": Hostile(victim)}))
        assert message == "refused, it holds more than arrays (it asks for pathlib.Path.touch)."
        assert not victim.exists()

    @pytest.mark.parametrize(
        ("content", "asks"),
        [
            (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
            (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
            (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        ],
    )
    def test_functions_are_refused(self, tmp_path: Path, content: bytes, asks: str) -> None:
        assert self.message(tmp_path, content) == (
            f"refused, it holds more than arrays (it asks for {asks})."
        )

    def test_noise_is_refused(self, tmp_path: Path) -> None:
        assert self.message(tmp_path, b"\x80").startswith("refused, it holds more than arrays (")

    def test_other_content(self, tmp_path: Path) -> None:
        assert self.message(tmp_path, [1]) == "holds a list; expected a dictionary."
        assert self.message(tmp_path, {"x": 1}) == "no list 'label_names' in it."

    @pytest.mark.parametrize(
        "change",
        [
            {"data": "x"},
            {"data": np.zeros((4, 3072))},
            {"data": np.zeros((4, 100), np.uint8)},
            {"labels": [0, 1, 2]},
            {"labels": [0, 1, 2, 5]},
            {"labels": [0, 1, 2, "3"]},
        ],
    )
    def test_wrong_batches(self, tmp_path: Path, change: dict[str, Any]) -> None:
        content = batch("labels", 4, 5) | change
        assert self.message(tmp_path, content, "data_batch_3") == (
            "expected 'data' (N x 3072 bytes) and 'labels' (N numbers)."
        )


def test_says_what_is_missing(tmp_path: Path) -> None:
    write_root(tmp_path, CIFAR100, good_contents(CIFAR100))
    (tmp_path / CIFAR100.folder / "test").unlink()
    assert missing_cifar_files(tmp_path / CIFAR100.folder, CIFAR100) == ["test"]
    assert missing_cifar_files(tmp_path, CIFAR100) == ["train", "test", "meta"]
