import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("STRIATE_CACHE", str(folder))
    return folder


@pytest.fixture
def photos() -> Callable[..., Path]:
    """Write `count` noisy pictures of a class; each class and number gives its own pixels."""

    def write(
        folder: Path, count: int, *, size: tuple[int, int] = (8, 6), suffix: str = ".png"
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed = hashlib.sha256(os.fsencode(f"{folder.name}/{number}")).digest()
            pixels = np.random.default_rng(list(seed)).integers(0, 256, (*size[::-1], 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}{suffix}")
        return folder

    return write


@pytest.fixture
def tree_digest() -> Callable[[Path], str]:
    """A hash of every name, time and byte below a folder."""

    def digest(root: Path) -> str:
        total = hashlib.sha256()
        for path in sorted(root.rglob("*")):
            total.update(f"{path.relative_to(root)} {path.stat().st_mtime_ns}".encode())
            if path.is_file():
                total.update(path.read_bytes())
        return total.hexdigest()

    return digest
