"""Several runs together: the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate.data import Part, read_split
from striate.errors import UserError
from striate.training.metrics import measure
from striate.training.run import SPLIT, Run, open_run
from striate.training.testing import Progress, TestResult, open_test, test_part


def test_together(
    runs: Sequence[Run | str | Path],
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    allow_unreadable: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> TestResult:
    """Test the mean of several runs' probabilities (Krizhevsky et al. 2012, section 6).

    The pictures are those that the first run would be tested on; each run reads them in its own
    way. Arguments and errors as of `test`; UserError for runs of other classes too.
    """
    opened = [run if isinstance(run, Run) else open_run(run) for run in runs]
    first, *others = opened
    for run in others:
        if set(run.record.classes) != set(first.record.classes):
            raise UserError(
                f"{run.folder}: its classes are not those of {first.folder}, so that the two "
                "cannot be asked together. Give runs of the same classes"
            )
    part, words, notices = open_test(first, data, root, allow_unreadable, progress)
    told = [*notices, *(learned for run in others for learned in _learned(run, first, part))]
    total = np.zeros((len(part), len(first.record.classes)), np.float64)
    alone = []
    for run in opened:
        own = part
        if run.record.preprocess != first.record.preprocess:
            record = replace(first.record, preprocess=run.record.preprocess)
            own, _, _ = open_test(replace(first, record=record), data, root, allow_unreadable, None)
        order = [run.record.classes.index(name) for name in first.record.classes]
        labels = np.array([run.record.classes.index(name) for name in first.record.classes])
        asked = replace(own, labels=labels[own.labels])
        result, found = test_part(run, run.load_network(), asked, data=words, device=device)
        total += found[:, order]
        alone.append((str(run.folder), result.accuracy))
    mean = (total / len(opened)).astype(np.float32)
    metrics = measure(mean, part.labels, first.record.classes)
    names = " + ".join(str(run.folder) for run in opened)
    return TestResult(names, words, metrics, tuple(dict.fromkeys(told)), tuple(alone))


test_together.__test__ = False  # type: ignore[attr-defined]


def _learned(run: Run, first: Run, part: Part) -> list[str]:
    """A notice where a run has learned from pictures that the first one held out."""
    if run.record.folder != first.record.folder or run.record.data != first.record.data:
        return []
    recorded = read_split(run.folder / SPLIT, run.record.classes)
    learned = {name for each in (recorded.train, recorded.val) for name, _ in each}
    known = sum(name in learned for name in part.files)
    if not known:
        return []
    return [
        f"{known} of these {len(part)} pictures served to train {run.folder}: the result is better "
        "than it would be on new ones. Runs of --ensemble hold the same pictures out"
    ]
