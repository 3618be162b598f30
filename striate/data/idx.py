"""MNIST and Fashion-MNIST as torchvision lays them out: IDX files, read with NumPy."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from striate.errors import UserError

_UNSIGNED_BYTE = 0x08
_LARGEST_BYTES = 1 << 30

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def missing_idx_files(folder: Path) -> list[str]:
    """Names of the files that `read_idx_splits` needs and `folder` lacks (plain or .gz)."""
    names = [name for pair in _FILES.values() for name in pair]
    return [name for name in names if _stored(folder, name) is None]


def read_idx_splits(
    folder: Path, classes: int
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images (N x H x W, uint8) and labels of "train" and "test"; raises UserError."""
    return {split: _read_pair(folder, pair, classes) for split, pair in _FILES.items()}


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """One IDX file of unsigned bytes, plain or gzipped (http://yann.lecun.com/exdb/mnist).

    The header holds two zero bytes, the type, the number of dimensions, and each size as a
    big-endian 32-bit number. Raises UserError if the file does not match its header.
    """
    data = _content(path)
    header = 4 + 4 * dimensions
    magic = data[:4].tobytes()
    if len(data) < header or magic != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise UserError(
            f"{path}: not an IDX file of bytes in {dimensions} dimensions "
            f"(it starts with {magic.hex(' ') or 'nothing'}; "
            f"expected 00 00 08 {dimensions:02x})."
        )
    shape = struct.unpack(f">{dimensions}I", data[4:header].tobytes())
    expected = header + int(np.prod(shape, dtype=object))
    if len(data) != expected:
        raise UserError(
            f"{path}: {len(data)} bytes; its header announces {expected} "
            f"({' x '.join(map(str, shape))}). The file is damaged: fetch it again."
        )
    return data[header:].reshape(shape)


def _read_pair(
    folder: Path, names: tuple[str, str], classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    image_path, label_path = (_stored(folder, name) or folder / name for name in names)
    images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
    if len(images) != len(labels):
        raise UserError(f"{folder}: {len(images)} images in {names[0]}, {len(labels)} labels.")
    if len(labels) and int(labels.max()) >= classes:
        raise UserError(f"{label_path}: found label {labels.max()}; expected 0 to {classes - 1}.")
    return images, labels.astype(np.int64)


def _stored(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _content(path: Path) -> NDArray[np.uint8]:
    try:
        if path.suffix != ".gz":
            return np.fromfile(path, np.uint8)
        with gzip.open(path) as stream:
            return np.frombuffer(bytearray(stream.read(_LARGEST_BYTES)), np.uint8)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "the file is damaged"
        raise UserError(f"{path}: cannot be read ({reason}).") from None
