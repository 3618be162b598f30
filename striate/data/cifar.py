"""CIFAR-10 and CIFAR-100 as torchvision lays them out: pickles, checked before they are read.

The files are Python pickles, which could run anything. They are read only if their MD5 is the
published one, and even then by an unpickler that can build NumPy arrays and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.errors import UserError

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ADMITTED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
}


@dataclass(frozen=True)
class CifarLayout:
    """Where one CIFAR keeps what, and the published MD5 of every file."""

    folder: str
    files: Mapping[str, Mapping[str, str]]  # split -> file name -> MD5
    meta: tuple[str, str]  # file name, MD5
    label_key: str
    names_key: str


CIFAR10 = CifarLayout(
    folder="cifar-10-batches-py",
    files={
        "train": {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
    },
    meta=("batches.meta", "5ff9c542aee3614f3951f8cda6e48888"),
    label_key="labels",
    names_key="label_names",
)
CIFAR100 = CifarLayout(
    folder="cifar-100-python",
    files={
        "train": {"train": "16019d7e3df5f24257cddd939b257f8d"},
        "test": {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    },
    meta=("meta", "7973b15100ade9c7d40fb424638fde48"),
    label_key="fine_labels",
    names_key="fine_label_names",
)


def missing_cifar_files(folder: Path, layout: CifarLayout) -> list[str]:
    """Names of the files that `read_cifar` needs and `folder` lacks."""
    names = [name for files in layout.files.values() for name in files] + [layout.meta[0]]
    return [name for name in names if not (folder / name).is_file()]


def read_cifar(
    folder: Path, layout: CifarLayout
) -> tuple[tuple[str, ...], dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]]:
    """Class names, and images (N x 32 x 32 x 3) with labels of "train" and "test".

    Raises UserError if a file is not the published one.
    """
    names = _load(folder / layout.meta[0], layout.meta[1]).get(layout.names_key)
    if not isinstance(names, list) or not names:
        raise UserError(f"{folder / layout.meta[0]}: no list '{layout.names_key}' in it.")
    classes = tuple(str(name) for name in names)
    splits = {}
    for split, files in layout.files.items():
        batches = [
            _batch(folder / name, md5, layout.label_key, len(classes))
            for name, md5 in files.items()
        ]
        splits[split] = (
            np.concatenate([images for images, _ in batches]),
            np.concatenate([labels for _, labels in batches]),
        )
    return classes, splits


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _load(path: Path, md5: str) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        raise UserError(
            f"{path}: not the published file, so it is not opened "
            f"(MD5 {found}; expected {md5}).\n"
            "Fix: remove it and fetch it again with --download."
        )
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a hostile pickle ends in almost any exception
        raise UserError(f"{path}: refused, it holds more than arrays ({error}).") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds a {type(content).__name__}; expected a dictionary.")
    return content


def _batch(
    path: Path, md5: str, label_key: str, classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    content = _load(path, md5)
    data, labels = content.get("data"), content.get(label_key)
    if (
        not isinstance(data, np.ndarray)
        or not isinstance(labels, list)
        or data.dtype != np.uint8
        or data.shape != (len(labels), 3 * 32 * 32)
        or not all(isinstance(label, int) and 0 <= label < classes for label in labels)
    ):
        raise UserError(f"{path}: expected 'data' (N x 3072 bytes) and '{label_key}' (N numbers).")
    images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(labels, np.int64)
