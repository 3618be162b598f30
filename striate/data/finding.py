"""From what the user typed to the pictures it means: a built-in name, a folder, an archive."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from striate.data.built_in import NATIVE_SHAPES, read_built_in
from striate.data.folders import Listing, PictureFile, scan
from striate.data.pictures import Preprocess, UnreadablePicture, picture_shape
from striate.data.pools import ArrayPool, FilePool, Pool, digest
from striate.data.shards import is_sharded, scan_shards
from striate.data.walking import kind_of
from striate.errors import UserError

BUILT_IN = tuple(NATIVE_SHAPES)

_SAMPLED = 200

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """A data set before decoding: its classes, and a pool of pictures for each split it has."""

    name: str
    root: str | None
    classes: tuple[str, ...]
    pools: Mapping[str, Pool]
    notices: tuple[str, ...]

    def owner(self, split: str) -> str:
        """The pool that a split's pictures lie in: its own, or train's if they are drawn."""
        return split if split in self.pools else "train"

    def native_preprocess(self) -> Preprocess:
        """The size that all pictures share; raises UserError if they differ."""
        shape = NATIVE_SHAPES[self.name] if self.root is None else shared_shape(self.pools)
        if shape is None:
            raise UserError(
                f"{self.root}: the pictures differ in size, so there is no size to keep.\n"
                "Fix: name the size to bring them to, such as 'input 3x96x96' in the network."
            )
        return Preprocess(*shape)

    def fingerprint(self, preprocess: Preprocess) -> str:
        """Changes with any picture, class or split folder, and with the preprocessing."""
        stamps = [f"{split}\0{pool.stamp}" for split, pool in sorted(self.pools.items())]
        return digest([json.dumps(preprocess.to_json()), *self.classes, *stamps])


def find(spec: str, root: Path, *, download: bool) -> Found:
    """Look up a data set by built-in name (its files below `root`), or as a folder or archive."""
    is_built_in, notices = resolve(spec)
    if is_built_in:
        arrays = read_built_in(spec, root, download=download)
        pools: dict[str, Pool] = {
            split: ArrayPool(_prefix(spec, split, len(arrays.splits)), images, labels)
            for split, (images, labels) in arrays.splits.items()
        }
        return Found(spec, None, arrays.classes, pools, notices)
    listing = _scan(spec, notices)
    folder = listing.root.resolve()
    pools = {split: FilePool(folder, files) for split, files in listing.files.items()}
    return Found(
        folder.name or spec, str(folder), listing.classes, pools, notices + listing.notices
    )


def native_shape(spec: str) -> Shape | None:
    """Channels, height and width that all pictures share, or None if they differ.

    Of a folder, the headers of up to 200 pictures are read. Raises UserError for a bad folder.
    """
    is_built_in, notices = resolve(spec)
    if is_built_in:
        return NATIVE_SHAPES[spec]
    listing = _scan(spec, notices)
    root = listing.root.resolve()
    return shared_shape({split: FilePool(root, files) for split, files in listing.files.items()})


def resolve(spec: str) -> tuple[bool, tuple[str, ...]]:
    """Whether `spec` means a built-in set, and a notice if a folder of that name is taken."""
    if spec in BUILT_IN:
        here = Path(spec)
        if kind_of(here) != "folder" or here.name not in (path.name for path in Path().iterdir()):
            return True, ()  # the names are compared since some file systems ignore case
        return False, (
            f"'{spec}' is read from the folder ./{spec}; "
            "the built-in set of that name is used where there is no such folder",
        )
    is_bare = Path(spec).name == spec
    if is_bare and kind_of(Path(spec)) is None:
        near = difflib.get_close_matches(spec.lower(), BUILT_IN, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UserError(
            f"{spec}: no such folder, and no built-in data set of that name.{hint}\n"
            f"Built-in: {', '.join(BUILT_IN)}."
        )
    return False, ()


def shared_shape(pools: Mapping[str, Pool]) -> Shape | None:
    """The shape of pictures that have one size, colour if any has; None if sizes differ."""
    files = [
        (pool, file) for pool in pools.values() if isinstance(pool, FilePool) for file in pool.files
    ]
    shapes = [shape for pool, file in _sample(files) if (shape := _shape(pool, file))]
    if len({shape[1:] for shape in shapes}) != 1:
        return None
    return max(shapes)


def _scan(spec: str, notices: tuple[str, ...]) -> Listing:
    try:
        return scan_shards(Path(spec)) if is_sharded(Path(spec)) else scan(spec)
    except UserError as error:
        raise UserError("\n".join([str(error), *(f"({notice}.)" for notice in notices)])) from None


def _sample(files: Sequence[tuple[FilePool, PictureFile]]) -> list[tuple[FilePool, PictureFile]]:
    """Up to 200 of them, evenly spaced."""
    count = min(_SAMPLED, len(files))
    return [files[number * len(files) // count] for number in range(count)]


def _shape(pool: FilePool, file: PictureFile) -> Shape | None:
    try:
        return picture_shape(pool.contents(file))
    except UnreadablePicture:
        return None


def _prefix(name: str, split: str, splits: int) -> str:
    return f"{name}/{split}/" if splits > 1 else f"{name}/"
