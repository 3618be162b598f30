"""How good a trained network is on pictures that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.data import DataSet, Part, open_data, read_split
from striate.data.finding import find, resolve
from striate.data.labelled import LabelledFolder, open_labelled
from striate.data.walking import quoted
from striate.errors import UserError
from striate.training.metrics import Metrics, measure
from striate.training.run import SPLIT, Run, open_run
from striate.training.tables import metrics_table

if TYPE_CHECKING:
    from striate.modules import Network

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TestResult:
    """The metrics of a run on one part of pictures."""

    run: str
    data: str
    """What it was tested on, in words."""
    metrics: Metrics
    notices: tuple[str, ...] = ()
    alone: tuple[tuple[str, float], ...] = ()
    """Of several runs together, each one's name and its accuracy alone."""

    __test__ = False  # not a test case, whatever its name

    @property
    def accuracy(self) -> float:
        """The share of pictures whose most probable class is the true one."""
        return self.metrics.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return self.metrics.interval

    @property
    def images(self) -> int:
        """Pictures tested."""
        return self.metrics.images

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        told = {"run": self.run, "data": self.data, "notices": list(self.notices)}
        alone = [{"run": run, "accuracy": accuracy} for run, accuracy in self.alone]
        return {**told, **({"alone": alone} if alone else {}), **self.metrics.to_json()}

    def table(self) -> str:
        """The result for the terminal, within 100 columns."""
        alone = "".join(f"{run} alone: {accuracy:.2%}\n" for run, accuracy in self.alone)
        return f"{self.run} on {self.data}\n{alone}\n{metrics_table(self.metrics)}"


def test(
    run: Run | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    allow_unreadable: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> TestResult:
    """Test a run on the pictures held out from its own data, or on other ones.

    `data` is a folder of class folders, taken whole or, if it is split, its test part; or a
    built-in set (below `root`), of which the test part is taken. Classes go by name and must be
    the run's. Its own data, named or not, are always tested on the part that its `split.csv`
    records. `progress(done, total)` is told of pictures, first as they are read, then as they are
    tested. Raises UserError, and StriateError when the outputs are not finite.
    """
    run = run if isinstance(run, Run) else open_run(run)
    part, words, notices = open_test(run, data, root, allow_unreadable, progress)
    result, _ = test_part(
        run, run.load_network(), part, data=words, device=device, notices=notices, progress=progress
    )
    return result


test.__test__ = False  # type: ignore[attr-defined]


def test_part(
    run: Run,
    network: Network,
    part: Part,
    *,
    data: str,
    device: str = "auto",
    notices: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[TestResult, NDArray[np.float32]]:
    """The result on pictures that are read already, and the probabilities N×K behind it."""
    from striate.training.device import choose_machine
    from striate.training.evaluate import Views, probabilities
    from striate.training.team import join

    machine, settings = choose_machine(device, "float32"), run.record.settings
    found = probabilities(
        network,
        part.images,
        run.record.normalise,
        device=machine.device,
        views=Views(settings.flip, settings.moves),
        progress=progress,
        team=join(),
    )
    metrics = measure(found, part.labels, run.record.classes)
    return TestResult(str(run.folder), data, metrics, tuple(notices)), found


test_part.__test__ = False  # type: ignore[attr-defined]


def open_test(
    run: Run,
    data: str | Path | None,
    root: str | Path | None,
    allow_unreadable: bool,
    progress: Progress | None,
) -> tuple[Part, str, tuple[str, ...]]:
    """The pictures to test on, what they are in words, and what there is to say about them.

    Arguments and errors as of `test`.
    """
    spec = None if data is None else str(data)
    part, words, notices = _open(run, spec, root, allow_unreadable, progress)
    if not len(part):
        raise UserError(
            f"{run.folder}: no pictures were held out for testing, as there were too few.\n"
            f"Fix: name others: striate test {run.folder} FOLDER."
        )
    return part, words, notices


def _open(
    run: Run,
    data: str | None,
    root: str | Path | None,
    allow_unreadable: bool,
    progress: Progress | None,
) -> tuple[Part, str, tuple[str, ...]]:
    record = run.record
    place = _own_place(run, data)
    if place is not None:
        opened = open_data(
            place,
            record.preprocess,
            root=root or record.root,
            allow_unreadable=allow_unreadable,
            split_file=run.folder / SPLIT,
            splits=("test",),
            progress=progress,
        )
        part, notices = _in_classes_of(run, opened)
        return part, f"the held-out test pictures of {record.data}", notices
    assert data is not None
    if resolve(data)[0]:
        opened = open_data(data, record.preprocess, root=root, splits=("test",), progress=progress)
        part, notices = _in_classes_of(run, opened)
        return part, f"the test pictures of {data}", notices
    folder = open_labelled(
        Path(data),
        record.classes,
        record.preprocess,
        allow_unreadable=allow_unreadable,
        progress=progress,
    )
    return folder.part, data, (*_learned(run, folder), *folder.notices)


def _own_place(run: Run, data: str | None) -> str | None:
    """Where the run's own data are, if they are to be tested: as recorded, or moved to `data`."""
    record = run.record
    if record.folder is None:
        return record.data if data is None or (data == record.data and resolve(data)[0]) else None
    if data is None:
        if not Path(record.folder).exists():
            raise UserError(
                f"{record.folder}: the pictures that the run was trained on are no longer here.\n"
                f"Fix: say where they are now: striate test {run.folder} FOLDER."
            )
        return record.folder
    if resolve(data)[0]:
        return None
    if Path(data).resolve() == Path(record.folder):
        return record.folder
    with suppress(UserError):  # of a folder that is no training set, and so not the run's own
        if find(data, Path(), download=False).fingerprint(record.preprocess) == record.fingerprint:
            return data
    return None


def _in_classes_of(run: Run, opened: DataSet) -> tuple[Part, tuple[str, ...]]:
    """The test part with labels as the run numbers its classes."""
    classes, part = run.record.classes, opened.test
    if opened.classes == classes:
        return part, opened.notices
    there = sorted({opened.classes[label] for label in part.labels.tolist()})
    if unknown := [name for name in there if name not in classes]:
        raise UserError(
            f"{opened.name}: '{unknown[0]}' is not a class of this run.\n"
            f"Its classes are {quoted(classes)}."
        )
    numbers = np.array([classes.index(c) if c in classes else -1 for c in opened.classes], np.int64)
    absent = [name for name in classes if name not in there]
    notices = (f"no pictures of {quoted(absent)}",) if absent else ()
    return replace(part, labels=numbers[part.labels]), (*notices, *opened.notices)


def _learned(run: Run, folder: LabelledFolder) -> tuple[str, ...]:
    """A notice if some of the pictures are those that the run has learned from."""
    if run.record.folder is None:
        return ()
    own = Path(run.record.folder)
    if not (folder.root.is_relative_to(own) or own.is_relative_to(folder.root)):
        return ()
    recorded = read_split(run.folder / SPLIT, run.record.classes)
    learned = {str(own / name) for part in (recorded.train, recorded.val) for name, _ in part}
    known = sum(str(folder.root / name) in learned for name in folder.part.files)
    if not known:
        return ()
    return (
        f"{known} of these {len(folder.part)} pictures served to train the run: "
        "the result is better than it would be on new ones",
    )
