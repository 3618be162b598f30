"""The data sets known by name: digits, mnist, fashion-mnist, cifar10, cifar100."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.data.cifar import CIFAR10, CIFAR100, missing_cifar_files, read_cifar
from striate.data.idx import missing_idx_files, read_idx_splits
from striate.data.pictures import Pixels
from striate.errors import UserError

NATIVE_SHAPES = {
    "digits": (1, 8, 8),
    "mnist": (1, 28, 28),
    "fashion-mnist": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "cifar100": (3, 32, 32),
}

_TORCHVISION_NAMES = {
    "mnist": "MNIST",
    "fashion-mnist": "FashionMNIST",
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
}
_CIFAR_LAYOUTS = {"cifar10": CIFAR10, "cifar100": CIFAR100}
_TEN_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class ArraySet:
    """A data set that comes as arrays: images (N x H x W x C) and labels of each split it has."""

    classes: tuple[str, ...]
    splits: Mapping[str, tuple[Pixels, NDArray[np.int64]]]


def read_built_in(name: str, root: Path, *, download: bool) -> ArraySet:
    """Read a data set of NATIVE_SHAPES; raises UserError if it is not below `root`.

    With `download`, torchvision fetches what is missing into `root` first.
    """
    if name == "digits":
        return _digits()
    folder = _folder(name, root)
    missing = _missing(name, folder)
    if missing and download:
        _download(name, root)
        missing = _missing(name, folder)
    if missing:
        raise UserError(
            f"{name}: not found in {folder} (no {', '.join(missing)}).\n"
            f"Fix: --download fetches it into {root}; --root names another folder."
        )
    if name in _CIFAR_LAYOUTS:
        return ArraySet(*read_cifar(folder, _CIFAR_LAYOUTS[name]))
    classes = _CLOTHES if name == "fashion-mnist" else _TEN_DIGITS
    splits = read_idx_splits(folder, len(classes))
    return ArraySet(
        classes, {split: (images[..., None], labels) for split, (images, labels) in splits.items()}
    )


def _folder(name: str, root: Path) -> Path:
    if name in _CIFAR_LAYOUTS:
        return root / _CIFAR_LAYOUTS[name].folder
    return root / _TORCHVISION_NAMES[name] / "raw"


def _missing(name: str, folder: Path) -> list[str]:
    if name in _CIFAR_LAYOUTS:
        return missing_cifar_files(folder, _CIFAR_LAYOUTS[name])
    return missing_idx_files(folder)


def _download(name: str, root: Path) -> None:
    from torchvision import datasets

    try:
        getattr(datasets, _TORCHVISION_NAMES[name])(str(root), download=True)
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().splitlines()
        raise UserError(
            f"{name}: the download into {root} failed ({reason[-1] if reason else 'no reason'})."
        ) from None


def _digits() -> ArraySet:
    """scikit-learn's 1 797 handwritten digits, read from its package without importing it."""
    package = importlib.util.find_spec("sklearn")
    folders = (package.submodule_search_locations or []) if package else []
    paths = [Path(folder, "datasets", "data", "digits.csv.gz") for folder in folders]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise UserError(
            "digits: the data come with scikit-learn, which is not installed.\n"
            "Fix: pip install scikit-learn."
        )
    text = gzip.decompress(path.read_bytes()).decode("ascii")
    table = np.array([line.split(",") for line in text.split()], np.float64)
    grey = np.round(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    return ArraySet(_TEN_DIGITS, {"train": (grey, table[:, 64].astype(np.int64))})
