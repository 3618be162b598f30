"""Which picture serves for training, validation or test: drawn once, recorded, read back."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from striate.errors import UserError

SPLITS = ("train", "val", "test")
TEST_FRACTION = 0.2
VAL_FRACTION = 0.1
LARGEST_VAL = 5_000

_COLUMNS = ["split", "class", "file"]


class Labelled(NamedTuple):
    """A picture's name, unique within its data set, and its class index."""

    name: str
    label: int


class Fold(NamedTuple):
    """One of several equal parts of the pictures, which is tested on while the others train."""

    number: int
    """From 0 on."""
    of: int


@dataclass(frozen=True)
class SplitAssignment:
    """The pictures of each split, in the order of their names."""

    train: tuple[Labelled, ...]
    val: tuple[Labelled, ...]
    test: tuple[Labelled, ...]

    def part(self, split: str) -> tuple[Labelled, ...]:
        """The pictures of "train", "val" or "test"."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


def assign(
    given: Mapping[str, Sequence[Labelled]],
    *,
    seed: int,
    fold: Fold | None = None,
    val_fraction: float = VAL_FRACTION,
) -> SplitAssignment:
    """Complete the splits that the data have ("train" at least) by holding out what lacks.

    Without "test", 20 % of each class of train is held out for it; without "val", `val_fraction` of
    what is left (at most 5 000 pictures in all when the test split was given), both rounded down. A
    class of three or more gives at least one picture to each, but for a fraction of 0; smaller ones
    stay whole in train. The draw depends on the seed and the names alone: pictures are ranked by a
    hash of both, so that an added picture moves few others. With a `fold` every `of`-th of these
    ranks is the test, from its number on: over all folds each picture is tested once.
    """
    draw_test, draw_val = "test" not in given, "val" not in given
    if not draw_test:
        val_fraction = min(val_fraction, LARGEST_VAL / max(1, len(given["train"])))
    drawn: dict[str, str] = {}
    for names in _by_class(given["train"]).values():
        ranked = sorted((_rank(seed, name), name) for name in names)
        small = len(ranked) < 3
        tests = 0 if small or not draw_test else max(1, int(len(ranked) * TEST_FRACTION))
        held, rest = ranked[:tests], ranked[tests:]
        if fold is not None and not small:
            held = ranked[fold.number :: fold.of]
            rest = [each for number, each in enumerate(ranked) if number % fold.of != fold.number]
        few = small or len(rest) < 2
        vals = (
            0 if few or not draw_val or not val_fraction else max(1, int(len(rest) * val_fraction))
        )
        drawn |= {name: "test" for _, name in held}
        drawn |= {name: "val" for _, name in rest[:vals]}
    parts = {split: list(given.get(split, ())) for split in ("val", "test")} | {"train": []}
    for picture in given["train"]:
        parts[drawn.get(picture.name, "train")].append(picture)
    return SplitAssignment(*(tuple(sorted(parts[split])) for split in SPLITS))


def write_split(path: Path, assignment: SplitAssignment, classes: Sequence[str]) -> None:
    """Record an assignment as CSV with the columns split, class, file."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for split in SPLITS:
            writer.writerows(
                (split, classes[label], name) for name, label in assignment.part(split)
            )


def read_split(path: Path, classes: Sequence[str]) -> SplitAssignment:
    """Read what `write_split` wrote; raises UserError, with the line, on anything else."""
    numbers = {name: number for number, name in enumerate(classes)}
    parts: dict[str, list[Labelled]] = {split: [] for split in SPLITS}
    seen: set[str] = set()
    for line, (split, label, name) in _rows(path):
        if split not in parts:
            raise _bad_line(path, line, f"split '{split}'", "train, val or test")
        if label not in numbers:
            raise _bad_line(path, line, f"class '{label}'", f"one of {', '.join(classes)}")
        if name in seen:
            raise _bad_line(path, line, f"'{name}' a second time", "each file once")
        seen.add(name)
        parts[split].append(Labelled(name, numbers[label]))
    return SplitAssignment(*(tuple(sorted(parts[split])) for split in SPLITS))


def _by_class(pictures: Iterable[Labelled]) -> dict[int, list[str]]:
    names: defaultdict[int, list[str]] = defaultdict(list)
    for name, label in pictures:
        names[label].append(name)
    return names


def _rank(seed: int, name: str) -> bytes:
    text = f"{seed}\0{name}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=8).digest()


def _rows(path: Path) -> Iterable[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            if header != _COLUMNS:
                raise _bad_line(path, 1, f"'{','.join(header)}'", "'split,class,file'")
            for row in reader:
                if len(row) != len(_COLUMNS):
                    raise _bad_line(path, reader.line_num, f"{len(row)} values", "3")
                yield reader.line_num, row
    except OSError as error:
        raise UserError(
            f"{path}: the recorded split cannot be read ({error.strerror}).\n"
            "Fix: copy the whole run again, or name other pictures to test on: "
            f"striate test {path.parent} FOLDER."
        ) from None
    except csv.Error as error:
        raise UserError(f"{path}: the recorded split is damaged ({error}).") from None


def _bad_line(path: Path, line: int, found: str, expected: str) -> UserError:
    return UserError(f"{path}, line {line}: found {found}; expected {expected}.")
