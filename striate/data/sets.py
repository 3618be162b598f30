"""The one entry point to classification data: a name or a folder becomes arrays of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate.data.decoding import Progress
from striate.data.finding import Found, find
from striate.data.parts import Part, judge_unreadable, open_parts
from striate.data.pictures import Preprocess
from striate.data.split import (
    SPLITS,
    VAL_FRACTION,
    Fold,
    Labelled,
    SplitAssignment,
    assign,
    read_split,
)
from striate.data.walking import counted
from striate.errors import UserError

DEFAULT_ROOT = Path("data")


@dataclass(frozen=True)
class DataSet:
    """Pictures ready to train on; `fingerprint` stands for the pictures, classes and preprocess.

    `root` is the folder that `Part.files` are relative to (None for built-in sets, whose pictures
    are named such as "digits/0001"). `unreadable` lists (file, reason) for what was left out.
    """

    name: str
    root: str | None
    classes: tuple[str, ...]
    preprocess: Preprocess
    train: Part
    val: Part
    test: Part
    notices: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]
    fingerprint: str

    @property
    def assignment(self) -> SplitAssignment:
        """Which picture is in which part, for `write_split`."""
        parts = (self.train, self.val, self.test)
        return SplitAssignment(
            *(tuple(map(Labelled, part.files, part.labels.tolist())) for part in parts)
        )


def open_data(
    spec: str,
    preprocess: Preprocess | None,
    *,
    root: str | Path | None = None,
    download: bool = False,
    seed: int = 0,
    fold: Fold | None = None,
    val_fraction: float = VAL_FRACTION,
    allow_unreadable: bool = False,
    split_file: Path | None = None,
    splits: Sequence[str] = SPLITS,
    progress: Progress | None = None,
) -> DataSet:
    """Open a data set by built-in name or folder, every picture at the size of `preprocess`.

    Without `preprocess` the pictures keep the size they share. Built-in sets are looked for in
    `root` (./data), and fetched there if `download` says so. Missing splits are drawn from `seed`,
    with the test part of a `fold` and `val_fraction` of the rest to validate, or taken from
    `split_file`. Only `splits` are decoded; the others come empty. `progress(done, total)` is told
    of decoded pictures. Raises UserError.
    """
    found = find(spec, DEFAULT_ROOT if root is None else Path(root), download=download)
    preprocess = preprocess or found.native_preprocess()
    if split_file is None:
        given = {split: pool.pictures for split, pool in found.pools.items()}
        _require_folds(spec, given, fold)
        assignment = assign(given, seed=seed, fold=fold, val_fraction=val_fraction)
        notices = _drawn_without(found, given, splits)
    else:
        recorded = read_split(split_file, found.classes)
        assignment, notices = _still_there(found, recorded, split_file, splits)
    opened = open_parts(found, assignment, splits, preprocess, progress)
    left_out = judge_unreadable(opened, spec, allow_unreadable)
    if "train" in splits:
        _require_every_class(found, spec, opened.parts["train"])
    return DataSet(
        name=found.name,
        root=found.root,
        classes=found.classes,
        preprocess=preprocess,
        train=opened.parts["train"],
        val=opened.parts["val"],
        test=opened.parts["test"],
        notices=found.notices + notices + left_out + opened.notices,
        unreadable=opened.unreadable,
        fingerprint=found.fingerprint(preprocess),
    )


def _require_folds(spec: str, given: Mapping[str, Sequence[Labelled]], fold: Fold | None) -> None:
    """Raise UserError where there is nothing to hold out in turns."""
    if fold is None:
        return
    if "test" in given:
        raise UserError(
            f"{spec}: these data have test pictures of their own, so none are held out in turns. "
            "Leave --folds out, or name a folder of classes alone"
        )
    labels = np.array([label for _, label in given["train"]])
    most = int(np.bincount(labels).max()) if len(labels) else 0
    if most < fold.of:
        raise UserError(
            f"{spec}: {fold.of} folds take that many pictures of a class, and the largest class "
            f"has {counted(most, 'picture')}. Give fewer folds"
        )


def _drawn_without(
    found: Found, given: Mapping[str, Sequence[Labelled]], splits: Sequence[str]
) -> tuple[str, ...]:
    """A notice for classes that are too small for anything to be held out."""
    drawn = [split for split in ("test", "val") if split in splits and split not in given]
    counts = np.bincount([label for _, label in given["train"]], minlength=len(found.classes))
    small = [name for name, count in zip(found.classes, counts, strict=True) if count < 3]
    if not drawn or not small:
        return ()
    listed = ", ".join(f"'{name}'" for name in small)
    return (
        f"{' and '.join(drawn)} have no pictures of {listed}: "
        "a class of fewer than 3 is kept for training",
    )


def _still_there(
    found: Found, recorded: SplitAssignment, path: Path, splits: Sequence[str]
) -> tuple[SplitAssignment, tuple[str, ...]]:
    """The recorded split without files that are gone; raises UserError if none is left."""
    kept: dict[str, tuple[Labelled, ...]] = dict.fromkeys(SPLITS, ())
    notices: list[str] = []
    listed = {name for split in SPLITS for name, _ in recorded.part(split)}
    known: set[str] = set()
    for split in splits:
        there = {name for name, _ in found.pools[found.owner(split)].pictures}
        known |= there
        pictures = recorded.part(split)
        kept[split] = tuple(picture for picture in pictures if picture.name in there)
        gone = len(pictures) - len(kept[split])
        if gone and not kept[split]:
            raise UserError(
                f"{path}: none of the {gone} {split} pictures recorded here is in "
                f"{found.root or found.name} (such as '{pictures[0].name}').\n"
                "Fix: name the folder that the run was trained on."
            )
        if gone:
            verb = "is" if gone == 1 else "are"
            notices.append(f"{gone} of {len(pictures)} {split} pictures in {path} {verb} gone")
    if new := len(known - listed):
        verb = "is" if new == 1 else "are"
        notices.append(f"{counted(new, 'picture')} {verb} not in {path} and {verb} left out")
    return SplitAssignment(*(kept[split] for split in SPLITS)), tuple(notices)


def _require_every_class(found: Found, spec: str, train: Part) -> None:
    counts = np.bincount(train.labels, minlength=len(found.classes))
    absent = [name for name, count in zip(found.classes, counts, strict=True) if not count]
    if absent:
        listed = ", ".join(f"'{name}'" for name in absent)
        raise UserError(
            f"{spec}: no readable training picture of {listed}.\n"
            "Fix: add pictures to the class, or remove its folder."
        )
