"""Where the pictures of a data set lie: in files, or in arrays that were read whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from striate.data.cache import Decoded, content_key, decode
from striate.data.decoding import Progress, Source
from striate.data.folders import PictureFile
from striate.data.pictures import Pixels, Preprocess, UnreadablePicture, fit, read_picture
from striate.data.split import Labelled

_THREADS_PAY_BYTES = 8_192  # below this mean file size, threads wait for the interpreter


@dataclass(frozen=True)
class FilePool:
    """Picture files below one root, or in archives there, in name order."""

    root: Path
    files: tuple[PictureFile, ...]

    @cached_property
    def pictures(self) -> tuple[Labelled, ...]:
        """Name and class of every picture."""
        return tuple(Labelled(name, label) for name, label, *_ in self.files)

    @cached_property
    def stamp(self) -> str:
        """Changes with any picture's name, class or size."""
        return digest(f"{file.name}\0{file.label}\0{file.size}" for file in self.files)

    def contents(self, file: PictureFile) -> str | bytes:
        """What to read a picture from: its path, or its bytes if it lies in an archive.

        Raises UnreadablePicture for an archive that is gone.
        """
        if file.place is None:
            return f"{self.root}/{file.name}"
        try:
            with (self.root / file.place.shard).open("rb", buffering=0) as archive:
                archive.seek(file.place.offset)
                return archive.read(file.size)
        except OSError as error:
            reason = f"its archive cannot be read ({error.strerror})"
            raise UnreadablePicture(file.name, reason) from None

    def read(
        self, indices: Sequence[int] | None, preprocess: Preprocess, progress: Progress | None
    ) -> Decoded:
        """Decode these pictures (all for None), from the cache if it has them."""
        files = self.files if indices is None else [self.files[index] for index in indices]
        root = str(self.root.resolve())
        parts = (f"{file.name}\0{file.size}\0{file.mtime_ns}" for file in files)
        small = sum(file.size for file in files) < _THREADS_PAY_BYTES * len(files)
        source = Source(
            count=len(files),
            preprocess=preprocess,
            read=lambda index: read_picture(self.contents(files[index]), preprocess),
            key=content_key(preprocess, (root, *parts)),
            threads=1 if small else os.cpu_count() or 1,
        )
        return decode(source, progress)


@dataclass(frozen=True)
class ArrayPool:
    """Pictures of a built-in set: N x H x W x C; `prefix` and a number make their names."""

    prefix: str
    images: Pixels
    labels: NDArray[np.int64]

    @cached_property
    def pictures(self) -> tuple[Labelled, ...]:
        """Name and class of every picture."""
        digits = max(4, len(str(len(self.labels))))
        form = f"{self.prefix}%0{digits}d"
        names = [form % number for number in range(1, len(self.labels) + 1)]
        return tuple(map(Labelled, names, self.labels.tolist()))

    @cached_property
    def stamp(self) -> str:
        """Changes with any pixel or label."""
        return digest(
            hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
            for array in (self.images, self.labels)
        )

    def read(
        self, indices: Sequence[int] | None, preprocess: Preprocess, progress: Progress | None
    ) -> Decoded:
        """These pictures (all for None) at the size asked for."""
        images = self.images if indices is None else self.images[np.asarray(indices, np.int64)]
        if images.shape[1:] == (preprocess.height, preprocess.width, preprocess.channels):
            return Decoded(images, ())
        flat = images[..., 0] if images.shape[3] == 1 else images
        source = Source(
            count=len(images),
            preprocess=preprocess,
            read=lambda index: fit(Image.fromarray(flat[index]), preprocess),
            key=content_key(preprocess, (self.stamp, indices)),
            threads=1,
        )
        return decode(source, progress)


Pool = FilePool | ArrayPool


def digest(parts: Iterable[str]) -> str:
    """32 hexadecimal digits that stand for these texts."""
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()
