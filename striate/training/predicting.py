"""What a trained network sees on pictures: any number of files, read as the run says."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.data import find_pictures, read_picture
from striate.data.decoding import Source, decoded_chunks
from striate.errors import UserError
from striate.training.run import Run, open_run
from striate.training.tables import COLUMNS, aligned, fitted, padded, percent, width

if TYPE_CHECKING:
    import torch

    from striate.modules import Network

_FILE, _CLASS, _BAR = 44, 24, 24
"""Most terminal cells of a file's name, of a class's name, of a bar."""


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, or why it could not be read."""

    file: str
    classes: tuple[tuple[str, float], ...]
    """(class, probability), the most probable first; empty when there is an error."""
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        if self.error is not None:
            return {"file": self.file, "error": self.error}
        found = [{"class": name, "probability": share} for name, share in self.classes]
        return {"file": self.file, "classes": found}


class Predictions(Iterator[Prediction]):
    """Predictions as they are made, in the order of `files`; memory does not grow with them.

    `failed` counts the pictures, up to now, that could not be read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        classes: tuple[str, ...],
        top: int,
        found: Iterator[Prediction],
    ) -> None:
        self.files = files
        self.classes = classes
        self.top = top
        self.done = 0
        self.failed = 0
        self._found = found

    def __next__(self) -> Prediction:
        prediction = next(self._found)
        self.done += 1
        self.failed += prediction.error is not None
        return prediction

    @property
    def exit_status(self) -> int:
        """For a program: 0 when all pictures so far were read, 1 when some, 2 when none was."""
        if not self.failed:
            return 0
        return 2 if self.failed == self.done else 1

    def lines(self, form: Literal["table", "json", "csv"]) -> Iterator[str]:
        """The lines of a table, of one JSON array, or of CSV, as the predictions come."""
        return {"table": _table, "json": _json, "csv": _csv}[form](self)


def predict(
    run: Run | str | Path,
    paths: str | Path | Iterable[str | Path],
    *,
    top: int = 5,
    device: str = "auto",
) -> Predictions:
    """Name what is on pictures: files as given, and those of folders searched to any depth.

    Each gets its `top` classes with their probabilities (all when there are fewer). A picture that
    cannot be read gets the reason instead, and the others go on. Raises UserError for paths
    without a picture and a run that cannot be read, StriateError when outputs are not finite.
    """
    if top < 1:
        raise UserError(f"top is {top}; expected a whole number, 1 or more")
    run = run if isinstance(run, Run) else open_run(run)
    files = find_pictures([paths] if isinstance(paths, str | Path) else paths)
    network = run.load_network()

    from striate.training.device import choose_machine

    machine = choose_machine(device, "float32")
    found = _predictions(run, network, files, top, machine.device)
    return Predictions(files, run.record.classes, top, found)


def _predictions(
    run: Run, network: Network, files: Sequence[Path], top: int, device: torch.device
) -> Iterator[Prediction]:
    from striate.training.evaluate import Views, probabilities

    preprocess, settings = run.record.preprocess, run.record.settings
    views = Views(settings.flip, settings.moves)
    source = Source(
        count=len(files),
        preprocess=preprocess,
        read=lambda index: read_picture(files[index], preprocess),
        key="",
        threads=os.cpu_count() or 1,
    )
    at = 0
    for chunk in decoded_chunks(source, None):
        found = probabilities(network, chunk.rows, run.record.normalise, device=device, views=views)
        reasons = dict(chunk.unreadable)
        rows = iter(found)
        for index in range(at, at + len(chunk.rows) + len(reasons)):
            file = str(files[index])
            if index in reasons:
                yield Prediction(file, (), reasons[index])
            else:
                yield Prediction(file, _top(next(rows), run.record.classes, top))
        at += len(chunk.rows) + len(reasons)


def _top(
    row: NDArray[np.float32], classes: Sequence[str], top: int
) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-row, kind="stable")[:top]
    return tuple((classes[index], float(row[index])) for index in order)


def _table(predictions: Predictions) -> Iterator[str]:
    """A picture alone gets a line for each class; several get one line each."""
    if len(predictions.files) == 1:
        for prediction in predictions:
            yield prediction.file
            rows = [
                (f"  {fitted(name, 48)}", percent(p), _bar(p)) for name, p in prediction.classes
            ]
            yield from aligned(rows, "<><") if rows else [f"  not read: {prediction.error}"]
        return
    files = min(_FILE, max(width(str(file)) for file in predictions.files))
    names = min(_CLASS, max(map(width, predictions.classes)))
    for prediction in predictions:
        line = padded(fitted(prediction.file, files), files)
        if prediction.error is not None:
            yield f"{line}  not read: {prediction.error}"
            continue
        for name, share in prediction.classes:
            cell = f"  {padded(fitted(name, names), names)} {percent(share):>7}"
            if width(line + cell) > COLUMNS:
                break
            line += cell
        yield line


def _bar(share: float) -> str:
    return "█" * round(_BAR * share)


def _json(predictions: Predictions) -> Iterator[str]:
    before = "["
    for prediction in predictions:
        yield before + json.dumps(prediction.to_json(), ensure_ascii=False)
        before = ","
    yield "]" if before == "," else "[]"


def _csv(predictions: Predictions) -> Iterator[str]:
    """Columns file, error, class 1, probability 1, class 2, …"""
    count = min(predictions.top, len(predictions.classes))
    pairs = (f"{what} {i}" for i in range(1, count + 1) for what in ("class", "probability"))
    yield _row(["file", "error", *pairs])
    for prediction in predictions:
        found = [cell for name, share in prediction.classes for cell in (name, f"{share:.6g}")]
        blank = [""] * (2 * (count - len(prediction.classes)))
        yield _row([prediction.file, prediction.error or "", *found, *blank])


def _row(cells: Sequence[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(cells)
    return stream.getvalue()
