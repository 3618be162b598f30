import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from torchvision import datasets

from striate.data.built_in import NATIVE_SHAPES, read_built_in
from striate.errors import UserError


def test_digits_are_scikit_learns(tmp_path: Path) -> None:
    ours, theirs = read_built_in("digits", tmp_path, download=False), load_digits()
    images, labels = ours.splits["train"]
    assert (images[..., 0] == np.round(theirs.images * 255 / 16)).all()
    assert (labels == theirs.target).all()
    assert ours.classes == tuple(map(str, theirs.target_names))
    assert images.shape[1:] == (8, 8, 1)


def test_digits_import_no_heavy_package() -> None:
    program = (
        "import sys, pathlib\n"
        "from striate.data import open_data\n"
        "open_data('digits', None)\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_fashion_names_are_torchvisions(tmp_path: Path) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (1, 28, 28))
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + bytes(28 * 28))
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x01\x09")
    ours = read_built_in("fashion-mnist", tmp_path, download=True)
    assert list(ours.classes) == datasets.FashionMNIST.classes
    images, labels = ours.splits["test"]
    assert (images.shape, labels.tolist()) == ((1, 28, 28, 1), [9])


@pytest.mark.parametrize(
    ("name", "folder", "files"),
    [
        (
            "mnist",
            "MNIST/raw",
            "train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte",
        ),
        (
            "fashion-mnist",
            "FashionMNIST/raw",
            "train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte",
        ),
        (
            "cifar10",
            "cifar-10-batches-py",
            "data_batch_1, data_batch_2, data_batch_3, data_batch_4, data_batch_5, "
            "test_batch, batches.meta",
        ),
        ("cifar100", "cifar-100-python", "train, test, meta"),
    ],
)
def test_missing(tmp_path: Path, name: str, folder: str, files: str) -> None:
    with pytest.raises(UserError) as caught:
        read_built_in(name, tmp_path, download=False)
    assert str(caught.value) == (
        f"{name}: not found in {tmp_path / folder} (no {files}).\n"
        f"Fix: --download fetches it into {tmp_path}; --root names another folder."
    )


@pytest.mark.parametrize("name", [name for name in NATIVE_SHAPES if name != "digits"])
def test_a_download_that_fails(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "data"
    with pytest.raises(UserError) as caught:
        read_built_in(name, root, download=True)
    message = str(caught.value)
    assert message.startswith(f"{name}: the download into {root} failed (")
    assert "\n" not in message
