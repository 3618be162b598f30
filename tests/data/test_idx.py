import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from striate.data.idx import missing_idx_files, read_idx, read_idx_splits
from striate.errors import UserError

RNG = np.random.default_rng(0)
NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def idx(values: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_root(folder: Path) -> None:
    folder.mkdir(parents=True)
    for split, count in (("train", 7), ("t10k", 3)):
        images = RNG.integers(0, 256, (count, 28, 28), np.uint8)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(idx(images))
        labels = RNG.integers(0, 10, count, np.uint8)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(idx(labels))


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_reads_what_torchvision_reads(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name / "raw"
    write_root(folder)
    assert missing_idx_files(folder) == []
    ours = read_idx_splits(folder, 10)
    for split in ("train", "test"):
        theirs = getattr(datasets, name)(tmp_path, train=split == "train")
        images, labels = ours[split]
        assert (images == theirs.data.numpy()).all()
        assert (labels == theirs.targets.numpy()).all()
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


def test_gzipped_files_serve_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_root(folder)
    plain = read_idx_splits(folder, 10)
    for name in NAMES:
        path = folder / name
        (folder / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for split, (images, labels) in read_idx_splits(folder, 10).items():
        assert (images == plain[split][0]).all()
        assert (labels == plain[split][1]).all()


def test_says_what_is_missing(tmp_path: Path) -> None:
    write_root(tmp_path / "raw")
    (tmp_path / "raw" / NAMES[2]).unlink()
    assert missing_idx_files(tmp_path / "raw") == [NAMES[2]]
    assert missing_idx_files(tmp_path) == NAMES


GOOD = idx(np.zeros((2, 3, 4)))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "x",
            b"",
            ": not an IDX file of bytes in 3 dimensions "
            "(it starts with nothing; expected 00 00 08 03).",
        ),
        (
            "x",
            idx(np.zeros(20)),
            ": not an IDX file of bytes in 3 dimensions "
            "(it starts with 00 00 08 01; expected 00 00 08 03).",
        ),
        (
            "x",
            GOOD[:-1],
            ": 39 bytes; its header announces 40 (2 x 3 x 4). The file is damaged: fetch it again.",
        ),
        (
            "x",
            GOOD + b"!",
            ": 41 bytes; its header announces 40 (2 x 3 x 4). The file is damaged: fetch it again.",
        ),
        (
            "x",
            GOOD[:4] + b"\xff" * 12 + GOOD[16:],
            ": 40 bytes; its header announces 79228162458924105385300197391 "
            "(4294967295 x 4294967295 x 4294967295). The file is damaged: fetch it again.",
        ),
        ("x.gz", b"no gzip at all", ": cannot be read (the file is damaged)."),
        ("x.gz", gzip.compress(GOOD, mtime=0)[:-9], ": cannot be read (the file is damaged)."),
    ],
)
def test_refuses_damage(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_idx(path, 3)
    assert str(caught.value) == f"{path}{problem}"


def test_refuses_what_does_not_fit_together(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    write_root(folder)
    labels = folder / NAMES[1]
    labels.write_bytes(idx(np.zeros(6)))
    with pytest.raises(UserError) as caught:
        read_idx_splits(folder, 10)
    assert str(caught.value) == f"{folder}: 7 images in {NAMES[0]}, 6 labels."
    labels.write_bytes(idx(np.full(7, 10)))
    with pytest.raises(UserError) as caught:
        read_idx_splits(folder, 10)
    assert str(caught.value) == f"{labels}: found label 10; expected 0 to 9."
