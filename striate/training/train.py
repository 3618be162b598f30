"""From a network and data to a run folder: everything around the loop."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from striate.data import DataSet, open_data, write_split
from striate.files import write_whole
from striate.graph import find_source, load_graph
from striate.layers import Shape
from striate.modules import build
from striate.source import Source
from striate.training.device import choose_machine, keep_large_blocks
from striate.training.fitting import choose_input, fit_to_data, network_name, preprocess_for
from striate.training.loop import Row, Trained, Watcher, train_network
from striate.training.progress import Display
from striate.training.run import (
    METRICS,
    NETWORK,
    SPLIT,
    Normalise,
    Record,
    Run,
    create_folder,
    finish,
    open_run,
    write_record,
    write_weights,
)
from striate.training.settings import choose

_STATISTICS_PICTURES = 20_000


@dataclass(frozen=True)
class Outcome:
    """A finished training: its run, and what is at hand anyway to test it and show it."""

    run: Run
    data: DataSet
    trained: Trained


def fit(
    network: str | Path | Source,
    data: str,
    *,
    output: Path | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
    recipe: str = "default",
    batch: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    input: Shape | None = None,
    root: Path | None = None,
    download: bool = False,
    allow_unreadable: bool = False,
    device: str = "auto",
    precision: str = "auto",
    display: Display | None = None,
) -> Outcome:
    """Train a network on the pictures of a data set and write its run folder.

    Arguments as of `striate train`. Raises UserError for a network, data, settings or a folder
    that cannot be used, and StriateError when the training diverges; both before any file of the
    user is touched. A KeyboardInterrupt ends the training with the best weights written.
    """
    display = display or Display()
    keep_large_blocks()
    machine = choose_machine(device, precision)
    source = find_source(network)
    shape, resized = choose_input(source, data, input)
    pictures = open_data(
        data,
        preprocess_for(shape),
        root=root,
        download=download,
        seed=seed,
        allow_unreadable=allow_unreadable,
        progress=display.reading,
    )
    adapted, classes_changed = fit_to_data(source, shape, len(pictures.classes))
    settings = choose(
        len(pictures.train),
        shape[0],
        any(node.kind == "bn" for node in load_graph(adapted)),
        recipe=recipe,
        epochs=epochs,
        seconds=seconds,
        batch=batch,
        lr=lr,
        seed=seed,
        device=device,
        precision=precision,
    )
    display.epochs = settings.epochs
    notices = tuple(filter(None, (resized, classes_changed, *pictures.notices)))
    folder = create_folder(output, pictures.name, network_name(network))
    for notice in notices:
        display.say(f"note: {notice}")
    record = Record(
        network=network_name(network),
        data=data,
        folder=pictures.root,
        root=None if root is None else str(root.resolve()),
        fingerprint=pictures.fingerprint,
        classes=pictures.classes,
        preprocess=pictures.preprocess,
        normalise=statistics(pictures),
        settings=settings,
        environment=machine.describe(),
        notices=notices,
    )
    write_whole(folder / NETWORK, adapted.text.rstrip("\n") + "\n")
    write_split(folder / SPLIT, pictures.assignment, pictures.classes)
    write_record(folder, record)
    display.say(opening(folder, pictures))
    network_module = build(replace(adapted, name=str(folder / NETWORK)), seed=seed)
    rows: list[Row] = []

    def on_row(row: Row, weights: dict[str, Tensor] | None) -> None:
        rows.append(row)
        display.row(row)
        write_whole(folder / METRICS, metrics_csv(rows))
        if weights is not None:
            write_weights(folder, weights)

    watcher = Watcher(step=display.step, row=on_row)
    trained = train_network(network_module, pictures, record.normalise, settings, machine, watcher)
    finish(folder, record, summary(trained))
    return Outcome(open_run(folder), pictures, trained)


def statistics(data: DataSet) -> Normalise:
    """Mean and standard deviation of each channel over the training pictures, in 0…255.

    Of up to 20 000 of them, evenly spaced. A channel that never changes is divided by 1.
    """
    step = max(1, len(data.train) // _STATISTICS_PICTURES)
    images = data.train.images[::step]
    pixels = np.stack(
        [np.bincount(images[..., c].reshape(-1), minlength=256) for c in range(images.shape[3])]
    )
    values = np.arange(256)
    mean = (pixels * values).sum(1) / pixels.sum(1)
    variance = (pixels * (values - mean[:, None]) ** 2).sum(1) / pixels.sum(1)
    std = np.where(variance > 0, np.sqrt(variance), 1.0)
    return Normalise(tuple(float(m) for m in mean), tuple(float(s) for s in std))


def metrics_csv(rows: Sequence[Row]) -> str:
    """The text of `metrics.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    for row in rows:
        writer.writerow(round(v, 6) if isinstance(v, float) else v for v in astuple(row))
    return text.getvalue()


def summary(trained: Trained) -> dict[str, float | int | bool | None]:
    """What a record's results say of a training."""
    return {
        "seconds": round(trained.seconds, 3),
        "epochs": round(trained.epochs, 3),
        "steps": trained.steps,
        "best_step": trained.best.step,
        "val_accuracy": None if np.isnan(trained.best.val_accuracy) else trained.best.val_accuracy,
        "interrupted": trained.interrupted,
    }


def opening(folder: Path, data: DataSet) -> str:
    """The line that says what is trained on, and where it goes."""
    parts = f"{len(data.train):,} training, {len(data.val):,} validation, {len(data.test):,} test"
    return f"{folder}: {parts} pictures in {len(data.classes)} classes"
