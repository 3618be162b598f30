"""Pictures to test a trained network on: class folders whose classes are known beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from striate.data.decoding import Progress
from striate.data.folders import PictureFile
from striate.data.parts import Opened, Part, judge_unreadable
from striate.data.pictures import Preprocess
from striate.data.pools import FilePool
from striate.data.shards import files_of, is_sharded, samples_to_test
from striate.data.walking import (
    counted,
    instead,
    kind_of,
    kinds_line,
    list_folder,
    quoted,
    readable_name,
    walk,
)
from striate.errors import UserError

_SPLITS = frozenset({"train", "val", "valid", "validation", "test"})


@dataclass(frozen=True)
class LabelledFolder:
    """The pictures of a folder as one part; `root` is what `part.files` are relative to."""

    root: Path
    part: Part
    notices: tuple[str, ...]


def open_labelled(
    folder: Path,
    classes: Sequence[str],
    preprocess: Preprocess,
    *,
    allow_unreadable: bool = False,
    progress: Progress | None = None,
) -> LabelledFolder:
    """Open `folder/<class>/` whole, or `folder/test/<class>/` if it is split; archives likewise.

    Labels are places in `classes`, some of which may have no folder. Raises UserError for a folder
    that is none of the classes, and as `open_data` does.
    """
    if is_sharded(folder):
        skipped: Counter[str] = Counter()
        root = folder.resolve()
        found = files_of(root, samples_to_test(root, skipped), classes)
        if not found:
            raise UserError(f"{root}: no picture found in its archives{instead(skipped)}.")
        return _decode(root, found, classes, preprocess, allow_unreadable, progress)
    kind = kind_of(folder)
    if kind != "folder":
        what = "no such folder" if kind is None else "this is a file, not a folder of class folders"
        raise UserError(f"{folder}: {what}.")
    skipped = Counter()
    root = _tested(folder, classes, skipped).resolve()
    folders, loose = list_folder(root, "", skipped)
    if loose:
        raise UserError(
            f"{root}: found {counted(len(loose), 'picture')} outside of any class folder (such as "
            f"'{loose[0].name}').\nFix: move each picture into the folder of its class."
        )
    numbers = {name: number for number, name in enumerate(classes)}
    files: list[PictureFile] = []
    for name in folders:
        label = numbers.get(readable_name(name))
        if label is None:
            raise UserError(_unknown_class(root, readable_name(name), classes))
        files += [
            PictureFile(file.name, label, *file[1:]) for file in walk(root, f"{name}/", skipped)
        ]
    if not files:
        raise UserError(f"{root}: no picture found{instead(skipped)}.\n{kinds_line()}")
    return _decode(root, tuple(sorted(files)), classes, preprocess, allow_unreadable, progress)


def _tested(folder: Path, classes: Sequence[str], skipped: Counter[str]) -> Path:
    """The folder itself, or its test split if its folders are splits rather than classes."""
    names = list_folder(folder, "", skipped)[0]
    splits = [name for name in names if name.casefold() in _SPLITS and name not in classes]
    for name in splits:
        if name.casefold() == "test":
            return folder / name
    if splits and len(splits) == len(names):
        raise UserError(
            f"{folder}: found {quoted(splits)} but no 'test' folder.\n"
            f"Fix: name the one to test on, such as {folder / splits[-1]}."
        )
    return folder


def _unknown_class(root: Path, name: str, classes: Sequence[str]) -> str:
    near = get_close_matches(name.casefold(), [known.casefold() for known in classes], n=1)
    meant = [known for known in classes if known.casefold() in near]
    hint = f" Did you mean '{meant[0]}'?" if meant else ""
    return (
        f"{root / name}: '{name}' is not a class of this run.{hint}\n"
        f"Its classes are {quoted(classes)}.\n"
        "Fix: rename the folder, or move it away."
    )


def _decode(
    root: Path,
    files: tuple[PictureFile, ...],
    classes: Sequence[str],
    preprocess: Preprocess,
    allow_unreadable: bool,
    progress: Progress | None,
) -> LabelledFolder:
    decoded = FilePool(root, files).read(None, preprocess, progress)
    reasons = dict(decoded.unreadable)
    readable = [file for index, file in enumerate(files) if index not in reasons]
    unreadable = tuple((files[index].name, reason) for index, reason in decoded.unreadable)
    left_out = judge_unreadable(Opened({}, len(files), unreadable, ()), str(root), allow_unreadable)
    if not readable:
        raise UserError(f"{root}: none of the {len(files)} pictures can be read.")
    labels = np.array([file.label for file in readable], np.int64)
    part = Part(decoded.images, labels, tuple(file.name for file in readable))
    absent = [name for number, name in enumerate(classes) if number not in set(labels.tolist())]
    notices = [f"no pictures of {quoted(absent)}"] if absent else []
    return LabelledFolder(root, part, (*notices, *left_out, *decoded.notices))
