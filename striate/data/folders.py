"""A folder of class folders: which pictures it holds, in which class and split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from striate.data.split import SPLITS
from striate.data.walking import (
    FoundFile,
    counted,
    instead,
    kind_of,
    kinds_line,
    list_folder,
    natural_key,
    quoted,
    readable_name,
    walk,
)
from striate.errors import UserError

SPLIT_OF_FOLDER = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_LAYOUT = """\
Expected one folder for each class:
  {root}/
    cat/  1.jpg  2.jpg  ...
    dog/  1.jpg  2.jpg  ..."""


class Place(NamedTuple):
    """Where a picture's bytes lie in an archive, which is named relative to the root."""

    shard: str
    offset: int


class PictureFile(NamedTuple):
    """One file: its name relative to the root (with "/"), class index, bytes and mtime in ns.

    One in an archive has the time of that, and a `place` in it.
    """

    name: str
    label: int
    size: int
    mtime_ns: int
    place: Place | None = None


@dataclass(frozen=True)
class Listing:
    """What `scan` found. `files` maps "train", "val", "test" to files sorted by name.

    `files` has only the splits that the folder has; a folder without splits has "train" alone.
    `skipped` counts what was passed over, by extension ("hidden" for hidden files and clutter).
    """

    root: Path
    classes: tuple[str, ...]
    files: Mapping[str, tuple[PictureFile, ...]]
    skipped: Mapping[str, int]
    notices: tuple[str, ...]


def scan(root: str | Path) -> Listing:
    """List the pictures under `root/<class>/` or `root/{train,val,test}/<class>/`.

    Class folders are searched to any depth; classes are sorted by code point. Raises UserError
    when the layout is not one of these, or cannot give a classification task.
    """
    root = Path(root)
    _require_folder(root)
    skipped: Counter[str] = Counter()
    top = _Level.read(root, skipped)
    split_folders = _split_folders(root, top)
    if split_folders is None:
        found = {"train": _ClassFolders.read(root, "", top, skipped, may_go=False)}
        notices: list[str] = []
    else:
        found = {}
        for split in SPLITS:
            if name := split_folders.get(split):
                level = _Level.read(root / name, skipped)
                found[split] = _ClassFolders.read(
                    root, f"{name}/", level, skipped, may_go=split != "train"
                )
        notices = _ignored_folders(top, split_folders.values())
    _refuse_empty(root, found, skipped)
    classes = _common_classes(root, found)
    notices += _absent_classes(classes, found)
    numbers = {name: number for number, name in enumerate(classes)}
    files = {split: folders.files(numbers) for split, folders in found.items()}
    return Listing(root, classes, files, dict(skipped), tuple(notices))


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """Pictures to predict: files as given, folders searched to any depth in natural order.

    Raises UserError for a path that does not exist and for folders without a picture.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        kind = kind_of(path)
        if kind is None:
            raise UserError(f"{path}: no such file or folder.")
        if kind == "file":
            found.append(path)
            continue
        skipped: Counter[str] = Counter()
        names = [entry.name for entry in walk(path, "", skipped)]
        if not names:
            raise UserError(f"{path}: no picture in this folder{instead(skipped)}.\n{kinds_line()}")
        found += [path / name for name in sorted(names, key=natural_key)]
    if not found:
        raise UserError("no picture was named. Give one or more files or folders.")
    return found


@dataclass(frozen=True)
class _Level:
    """The subfolders and the pictures that lie directly in one folder."""

    folders: tuple[str, ...]
    pictures: tuple[FoundFile, ...]

    @classmethod
    def read(cls, folder: Path, skipped: Counter[str]) -> _Level:
        folders, pictures = list_folder(folder, "", skipped)
        return cls(tuple(folders), tuple(pictures))


@dataclass(frozen=True)
class _ClassFolders:
    """The class folders of one split: display name -> its pictures."""

    prefix: str
    pictures: Mapping[str, tuple[FoundFile, ...]]

    @classmethod
    def read(
        cls, root: Path, prefix: str, level: _Level, skipped: Counter[str], *, may_go: bool
    ) -> _ClassFolders:
        folder = root / prefix
        if level.pictures:
            raise UserError(_loose_pictures(folder, level, may_go=may_go))
        _refuse_lookalikes(folder, level.folders)
        return cls(
            prefix,
            {
                readable_name(name): tuple(walk(root, f"{prefix}{name}/", skipped))
                for name in level.folders
            },
        )

    def files(self, numbers: Mapping[str, int]) -> tuple[PictureFile, ...]:
        return tuple(
            sorted(
                PictureFile(name, numbers[label], size, mtime_ns)
                for label, pictures in self.pictures.items()
                for name, size, mtime_ns in pictures
            )
        )


def _require_folder(root: Path) -> None:
    kind = kind_of(root)
    if kind is None:
        raise UserError(f"{root}: no such folder.\n{_LAYOUT.format(root=root)}")
    if kind == "file":
        raise UserError(f"{root}: this is a file, not a folder.\n{_LAYOUT.format(root='photos')}")


def _split_folders(root: Path, top: _Level) -> dict[str, str] | None:
    """Split -> folder name when the top folders are splits, None when they are classes.

    "train" may be a class (beside "bus" and "car"): it is a split if it holds folders only, or
    if every folder beside it has the name of a split.
    """
    named = [name for name in top.folders if name.casefold() in SPLIT_OF_FOLDER]
    if not named:
        return None
    all_named = len(named) == len(top.folders)
    splits: dict[str, str] = {}
    for name in named:
        split = SPLIT_OF_FOLDER[name.casefold()]
        if split in splits and (all_named or "train" in splits):
            raise UserError(
                f"{root}: both '{splits[split]}' and '{name}' look like the {split} split.\n"
                "Fix: keep one of them."
            )
        splits[split] = name
    if "train" not in splits:
        if all_named:
            raise UserError(
                f"{root}: found {quoted(named)} but no 'train' folder.\n"
                f"Expected {root}/train/<class>/ beside it."
            )
        return None
    if all_named:
        return splits
    train = _Level.read(root / splits["train"], Counter())
    return splits if train.folders and not train.pictures else None


def _ignored_folders(top: _Level, used: Iterable[str]) -> list[str]:
    extra = sorted(set(top.folders) - set(used))
    notices = []
    if extra:
        notices.append(f"not used, since they are beside the splits: {quoted(extra)}")
    if top.pictures:
        loose = counted(len(top.pictures), "picture")
        notices.append(f"not used, since they are beside the splits: {loose}")
    return notices


def _loose_pictures(folder: Path, level: _Level, *, may_go: bool) -> str:
    example = level.pictures[0].name
    found = counted(len(level.pictures), "picture")
    beside = f" beside the folders {quoted(level.folders)}" if level.folders else ""
    elsewhere = ", or the whole folder elsewhere" if may_go else ""
    return (
        f"{folder}: found {found} outside of any class folder (such as '{example}'){beside}.\n"
        f"{_LAYOUT.format(root=folder)}\n"
        f"Fix: move each picture into the folder of its class{elsewhere}."
    )


def _refuse_lookalikes(folder: Path, names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        key = readable_name(name).casefold()
        if key in seen:
            one, other = readable_name(seen[key]), readable_name(name)
            problem = "are one name in two encodings" if one == other else "differ in case only"
            raise UserError(
                f"{folder}: the class folders '{one}' and '{other}' {problem}.\n"
                "Fix: merge them, or rename one."
            )
        seen[key] = name


def _refuse_empty(
    root: Path, found: Mapping[str, _ClassFolders], skipped: Mapping[str, int]
) -> None:
    if not any(pictures for folders in found.values() for pictures in folders.pictures.values()):
        raise UserError(
            f"{root}: no picture found{instead(skipped)}.\n"
            f"{kinds_line()}\n{_LAYOUT.format(root=root)}"
        )
    for folders in found.values():
        here = root / folders.prefix
        empty = sorted(name for name, pictures in folders.pictures.items() if not pictures)
        if empty:
            raise UserError(
                f"{here}: no picture in {'class folder' if len(empty) == 1 else 'class folders'} "
                f"{quoted(empty)}.\nFix: fill or remove the folder."
            )
        if not folders.pictures:
            raise UserError(f"{here}: this split is empty.\nFix: fill or remove the folder.")


def _common_classes(root: Path, found: Mapping[str, _ClassFolders]) -> tuple[str, ...]:
    train = found["train"]
    here = root / train.prefix
    classes = tuple(sorted(train.pictures))
    if len(classes) == 1:
        raise UserError(_one_class(here, classes[0]))
    by_case = {name.casefold(): name for name in classes}
    for split, folders in found.items():
        for name in sorted(set(folders.pictures) - set(classes)):
            near = by_case.get(name.casefold())
            raise UserError(
                f"{root / folders.prefix}: class '{name}' has no folder in {here}.\n"
                + (
                    f"Fix: it is spelt '{near}' there; rename one of the two."
                    if near
                    else f"Fix: add {here / name} with pictures to learn from, "
                    f"or remove the class from {split}."
                )
            )
    return classes


def _one_class(folder: Path, name: str) -> str:
    message = f"{folder}: only one class found ('{name}'); telling apart takes two or more."
    inner = _Level.read(folder / name, Counter()) if (folder / name).is_dir() else None
    if inner and len(inner.folders) > 1 and not inner.pictures:
        return f"{message}\nDid you mean {folder / name}?"
    return f"{message}\n{_LAYOUT.format(root=folder)}"


def _absent_classes(classes: tuple[str, ...], found: Mapping[str, _ClassFolders]) -> list[str]:
    return [
        f"{split} has no pictures of {quoted(absent)}"
        for split, folders in found.items()
        if (absent := sorted(set(classes) - set(folders.pictures)))
    ]
