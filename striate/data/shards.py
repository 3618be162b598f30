"""Pictures in tar archives ("shards"), as WebDataset and plain archives of class folders have them.

An archive is indexed once and never unpacked: a picture is read from its place within it.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from striate.data.folders import SPLIT_OF_FOLDER, Listing, Place
from striate.data.folders import PictureFile as File
from striate.data.split import SPLITS
from striate.data.tar import Member, members
from striate.data.walking import EXTENSIONS, cannot_list, instead, kind_of, quoted, readable_name
from striate.errors import UserError

CLASSES = "classes.txt"
"""Beside the archives: the names of classes 0, 1, …, a line each."""

_COMPRESSED = re.compile(r"\.(tgz|tar\.(gz|bz2|xz|zst))$", re.IGNORECASE)
_LABELLED = """\
Expected a class for each picture: a file beside it of the same name that ends in .cls and holds its
number or name (WebDataset), or a folder with the name of its class.\
"""


class Sample(NamedTuple):
    """A picture of an archive, and what it says of its class: a number or a name."""

    member: Member
    label: str


def is_sharded(path: Path) -> bool:
    """Whether the pictures there lie in archives: it is one, or a folder of nothing else."""
    kind = kind_of(path)
    if kind == "file":
        return path.suffix.lower() == ".tar" or bool(_COMPRESSED.search(path.name))
    return kind == "folder" and bool(_archives(path))


def scan_shards(path: Path) -> Listing:
    """List the pictures of an archive or a folder of archives, with their classes and splits.

    Archives belong to a split by their name (`train-0001.tar`) or folder (`train/0001.tar`), all to
    train where none says. Raises UserError for archives that cannot be read or give no classes.
    """
    skipped: Counter[str] = Counter()
    alone = kind_of(path) == "file"
    archives = [path] if alone else _archives(path)
    found: dict[str, list[tuple[str, Sample]]] = {}
    for archive in archives:
        shard = "" if alone else archive.relative_to(path).as_posix()
        split = "train" if alone else _split_of(shard)
        samples = found.setdefault(split or "", [])
        samples += ((shard, sample) for sample in _samples(archive, skipped))
    by_split = _splits(path, found)
    if not any(by_split.values()):
        raise UserError(f"{path}: no picture found in its archives{instead(skipped)}.\n{_LABELLED}")
    classes = _classes(path if not alone else path.parent, by_split["train"])
    if len(classes) == 1:
        raise UserError(
            f"{path}: only one class found ('{classes[0]}'); telling apart takes two or more."
        )
    learned = {_name_of(sample.label, classes) for _, sample in by_split["train"]}
    if absent := [name for name in classes if name not in learned]:
        raise UserError(
            f"{path}: no training picture of {quoted(absent)}, which {CLASSES} names.\n"
            "Fix: add the archives that hold them."
        )
    files = {
        split: files_of(path, samples, classes) for split, samples in by_split.items() if samples
    }
    notices = tuple(
        f"{split} has no pictures of {quoted(absent)}"
        for split, some in files.items()
        if (absent := _absent(classes, some))
    )
    return Listing(path, classes, files, dict(skipped), notices)


def samples_to_test(path: Path, skipped: Counter[str]) -> list[tuple[str, Sample]]:
    """The pictures of the archives there that are for testing: those of its test split, or all."""
    if kind_of(path) == "file":
        return [("", sample) for sample in _samples(path, skipped)]
    archives = {each.relative_to(path).as_posix(): each for each in _archives(path)}
    tests = {shard: archive for shard, archive in archives.items() if _split_of(shard) == "test"}
    return [
        (shard, sample)
        for shard, archive in (tests or archives).items()
        for sample in _samples(archive, skipped)
    ]


def files_of(
    path: Path, samples: Sequence[tuple[str, Sample]], classes: Sequence[str]
) -> tuple[File, ...]:
    """Samples as picture files, in the order of their names. Raises UserError for other classes."""
    numbers = {name: number for number, name in enumerate(classes)}
    times: dict[str, int] = {}
    named: dict[str, File] = {}
    for shard, (member, label) in samples:
        if shard not in times:
            times[shard] = (path / shard).stat().st_mtime_ns
        number = numbers.get(_name_of(label, classes))
        name = f"{shard}/{member.name}" if shard else member.name
        if number is None:
            raise UserError(
                f"{path / shard}: '{readable_name(member.name)}' is of the class '{label}', which "
                f"is none of those to learn: {quoted(classes)}."
            )
        place = Place(shard, member.offset)
        named[name] = File(name, number, member.size, times[shard], place)
    return tuple(sorted(named.values()))


def _archives(folder: Path) -> list[Path]:
    """The archives of a folder that has no other folders but runs, or of its folders of splits."""
    here = _entries(folder)
    inner = [Path(each) for each in here if each.is_dir()]
    if archives := _tars(here):
        return archives if all(map(_is_of_runs, inner)) else []
    if not inner or any(each.name.casefold() not in SPLIT_OF_FOLDER for each in inner):
        return []
    found: list[Path] = []
    for split in inner:
        within = _entries(split)
        if any(each.is_dir() for each in within):
            return []
        found += _tars(within)
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (each for each in entries if each.name[0] != "."), key=lambda each: each.name
            )
    except OSError as error:
        raise cannot_list(folder, error) from None


def _tars(entries: Sequence[os.DirEntry[str]]) -> list[Path]:
    return [Path(each) for each in entries if each.name.lower().endswith(".tar")]


def _is_of_runs(folder: Path) -> bool:
    """Whether it is a run's folder or holds such: what a training leaves beside its pictures."""
    inner = [Path(each) for each in _entries(folder) if each.is_dir()]
    return any((each / "run.json").is_file() for each in (folder, *inner))


def _split_of(shard: str) -> str | None:
    """What the name or the folder of an archive says that it is for."""
    words = re.split(r"[-_./]", shard.casefold())
    return next((SPLIT_OF_FOLDER[word] for word in words if word in SPLIT_OF_FOLDER), None)


def _splits(
    path: Path, found: Mapping[str, list[tuple[str, Sample]]]
) -> dict[str, list[tuple[str, Sample]]]:
    """Samples by split; what says none is for training where nothing says one."""
    named = [split for split in SPLITS if split in found]
    if not named:
        return {"train": found.get("", [])}
    if "" in found:
        shard = found[""][0][0] if found[""] else "one"
        raise UserError(
            f"{path}: '{shard}' does not say which split it is for, and others do "
            f"({', '.join(named)}).\nFix: call it {named[0]}-{Path(shard).name}, or move it away."
        )
    if "train" not in found:
        raise UserError(f"{path}: found archives for {', '.join(named)} but none for train.")
    return {split: found[split] for split in named}


def _samples(path: Path, skipped: Counter[str]) -> tuple[Sample, ...]:
    """The pictures of an archive with their classes."""
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    samples, others = _indexed(path, status.st_size, status.st_mtime_ns)
    skipped.update(others)
    return samples


@lru_cache(maxsize=4096)
def _indexed(path: Path, size: int, mtime_ns: int) -> tuple[tuple[Sample, ...], Mapping[str, int]]:
    """The same, and what was passed over, by extension; read once while size and time stay."""
    found, samples, skipped = members(path), [], Counter[str]()
    labels = {_key(each.name): each for each in found if _ending(each.name) == "cls"}
    with path.open("rb") as stream:
        for member in found:
            folder, _, name = member.name.rpartition("/")
            ending = _ending(name)
            if name.startswith("."):
                skipped["hidden"] += 1
            elif ending.rpartition(".")[2] not in EXTENSIONS:
                skipped[f".{ending}" if ending else "without extension"] += 1
            elif beside := labels.get(_key(member.name)):
                stream.seek(beside.offset)
                label = stream.read(min(beside.size, 200)).decode("utf-8", "replace").strip()
                if not label:
                    raise UserError(f"{path}: '{readable_name(beside.name)}' holds no class.")
                samples.append(Sample(member, sys.intern(label)))
            elif folder.strip("./"):
                label = readable_name(folder.rpartition("/")[2])
                samples.append(Sample(member, sys.intern(label)))
            else:
                raise UserError(
                    f"{path}: '{readable_name(member.name)}' is of no class.\n{_LABELLED}"
                )
    return tuple(samples), skipped


def _key(name: str) -> str:
    """What the files of one sample share: their name up to its first full stop."""
    folder, _, file = name.rpartition("/")
    return f"{folder}/{file.partition('.')[0]}"


def _ending(name: str) -> str:
    """All behind the first full stop of a file's name."""
    return name.rpartition("/")[2].partition(".")[2].lower()


def _classes(folder: Path, samples: Sequence[tuple[str, Sample]]) -> tuple[str, ...]:
    """The classes in the order of their numbers, from a list beside the archives or from them."""
    listed = folder / CLASSES
    if listed.is_file():
        try:
            names = tuple(line.strip() for line in listed.read_text("utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{listed}: cannot be read as text ({error}).") from None
        if not all(names) or len(set(names)) < len(names):
            raise UserError(f"{listed}: expected a class in each line, each once.")
        return names
    found = {label for _, (_, label) in samples}
    if all(label.isascii() and label.isdigit() for label in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found))


def _name_of(label: str, classes: Sequence[str]) -> str:
    """A class's name where the label is one, or its number among `classes`."""
    if label in classes or not (label.isascii() and label.isdigit()) or int(label) >= len(classes):
        return label
    return label if all(name.isdigit() for name in classes) else classes[int(label)]


def _absent(classes: Sequence[str], files: Sequence[File]) -> list[str]:
    there = {file.label for file in files}
    return [name for number, name in enumerate(classes) if number not in there]
