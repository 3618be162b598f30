"""From a network and data to a run folder: everything around the loop."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from torch import Tensor

from striate.data import DataSet, write_split
from striate.errors import StriateError, UserError
from striate.files import write_whole
from striate.layers import Shape
from striate.modules import Network
from striate.programs import Subject
from striate.source import Source
from striate.training.choosing import NO_WISHES, Wishes
from striate.training.clock import Moment, Row
from striate.training.device import Machine
from striate.training.distilling import teacher_of
from striate.training.events import Events, writer_of
from striate.training.folder import alone, create_folder, taken
from striate.training.interrupts import interruptible
from striate.training.loop import Resume, Trained, train_network
from striate.training.preparing import prepare
from striate.training.progress import Display
from striate.training.run import (
    MEAN,
    METRICS,
    NETWORK,
    PROGRAM,
    RECORD,
    SPLIT,
    STATE,
    WEIGHTS,
    Record,
    Run,
    finish,
    network_file,
    open_run,
    write_mean,
    write_record,
    write_weights,
)
from striate.training.state import State
from striate.training.team import ALONE, Team, join
from striate.training.watching import Watcher


@dataclass(frozen=True)
class Outcome:
    """A finished training: its run, and what is at hand anyway to test it and show it."""

    run: Run
    data: DataSet
    trained: Trained


def fit(
    network: str | Path | Source | Subject,
    data: str,
    wishes: Wishes = NO_WISHES,
    *,
    weights: Mapping[str, Tensor] | None = None,
    whose: str = "the network's own weights",
    output: Path | None = None,
    input: Shape | None = None,
    root: Path | None = None,
    download: bool = False,
    allow_unreadable: bool = False,
    log: str | None = None,
    display: Display | None = None,
) -> Outcome:
    """Train a network on the pictures of a data set and write its run folder.

    Arguments as of `striate train`; `log` may be "tensorboard"; `weights` are those to start from,
    and `whose` they are in words. Raises UserError for a network, data, settings or a folder that
    cannot be used, before the folder is made; StriateError when the training diverges. Ctrl-C and
    SIGTERM end the training with the best weights written. A folder without weights is removed.
    """
    team = join()
    if log is not None:
        writer_of()  # what is missing is told before data are read
    display = (display or Display()) if team.leads else Display.silent()
    with team.first():
        if team.leads and output is not None and output.exists():
            raise taken(output)
        ready = prepare(
            network,
            data,
            wishes,
            weights=weights,
            whose=whose,
            input=input,
            root=root,
            download=download,
            allow_unreadable=allow_unreadable,
            display=display,
        )
    pictures, settings, source = ready.pictures, ready.chosen.settings, ready.source
    record = Record(
        network=source.stem,
        data=data,
        folder=pictures.root,
        root=None if root is None else str(root.resolve()),
        fingerprint=pictures.fingerprint,
        classes=pictures.classes,
        preprocess=pictures.preprocess,
        normalise=ready.normalise,
        settings=settings,
        origins=ready.chosen.origins,
        environment=environment(ready.machine, team),
        notices=ready.notices,
    )
    if not team.leads:
        trained = train_beside(ready.network, pictures, record, ready.machine, team)
        return Outcome(open_run(team.word("")), pictures, trained)
    folder = create_folder(output, pictures.name, source.stem)
    with removed_without_weights(folder), alone(folder):
        display.epochs = settings.epochs
        for notice in ready.notices:
            display.say(f"note: {notice}")
        display.say(opening(folder, pictures))
        write_whole(folder / network_file(ready.text), ready.text.text.rstrip("\n") + "\n")
        write_split(folder / SPLIT, pictures.assignment, pictures.classes)
        write_mean(folder, record.normalise)
        write_record(folder, record)
        trained = train_into(
            folder,
            ready.network,
            pictures,
            record,
            ready.machine,
            display,
            save_first=bool(weights) or isinstance(network, Subject),
            log=log,
            team=team,
        )
        team.word(str(folder))
    return Outcome(open_run(folder), pictures, trained)


def environment(machine: Machine, team: Team) -> dict[str, str | int]:
    """What a run records about where it was trained."""
    return machine.describe() | ({"processes": team.size} if team.size > 1 else {})


def train_beside(
    network: Network,
    data: DataSet,
    record: Record,
    machine: Machine,
    team: Team,
    *,
    resume: Resume | None = None,
) -> Trained:
    """Train as `train_into` does, in a process that writes and says nothing."""
    teacher = teacher_of(record.settings, record.classes, record.preprocess, machine)
    with interruptible(raises=False) as interrupts:
        return train_network(
            network,
            data,
            record.normalise,
            record.settings,
            machine,
            Watcher(whole=interrupts.whole, wanted=lambda: interrupts.wanted),
            resume=resume,
            teacher=teacher,
            team=team,
        )


def train_into(
    folder: Path,
    network: Network,
    data: DataSet,
    record: Record,
    machine: Machine,
    display: Display,
    *,
    resume: Resume | None = None,
    save_first: bool = False,
    log: str | None = None,
    team: Team = ALONE,
) -> Trained:
    """Train, writing the metrics at each look and the weights whenever they are the best.

    A state to go on from is written before the first weights and then now and then, with
    `save_first` before the first step too; it is taken away when the training is over.
    """
    rows = [] if resume is None else [Row(*values) for values in resume.state.numbers["rows"]]

    def write(weights: dict[str, Tensor], best: Row, interrupted: bool) -> None:
        write_weights(folder, weights)
        finish(folder, record, results(best, rows[-1], interrupted))

    def on_row(row: Row, weights: dict[str, Tensor] | None) -> None:
        rows.append(row)
        display.row(row)
        if events is not None:
            events.row(row)
        write_whole(folder / METRICS, metrics_csv(rows))
        if weights is not None:
            write(weights, row, interrupted=True)

    def save(state: State) -> None:
        write_whole(folder / STATE, state.encode())

    def notice(text: str) -> None:
        nonlocal record
        record = replace(record, notices=(*record.notices, text))
        display.say(f"note: {text}")

    def on_step(moment: Moment) -> None:
        display.step(moment)
        if events is not None:
            events.step(moment)

    teacher = teacher_of(record.settings, record.classes, record.preprocess, machine)
    events = Events(folder) if log is not None else None
    with interruptible(raises=team.size == 1) as interrupts:
        watcher = Watcher(
            on_step, on_row, save, notice, interrupts.whole, lambda: interrupts.wanted
        )
        try:
            trained = train_network(
                network,
                data,
                record.normalise,
                record.settings,
                machine,
                watcher,
                resume=resume,
                save_first=save_first,
                teacher=teacher,
                team=team,
            )
        except OSError as error:
            raise _unwritten(folder, error) from error
        except StriateError as error:
            if not (folder / WEIGHTS).exists():
                raise
            raise StriateError(f"{error}\nThe best weights before that are in {folder}") from None
        finally:
            interrupts.ignore()
            display.end()
            if events is not None:
                events.close()
        rows = list(trained.rows)
        write_whole(folder / METRICS, metrics_csv(rows))
        write(trained.weights, trained.best, trained.interrupted)
        if not trained.interrupted:
            (folder / STATE).unlink(missing_ok=True)
    return trained


def _unwritten(folder: Path, error: OSError) -> StriateError:
    """What to tell when a file of a run cannot be written: what there is, and how to go on."""
    told = f"{error.filename or folder}: {error.strerror or error}"
    if not any((folder / name).exists() for name in (STATE, WEIGHTS)):
        return UserError(
            f"{told}. Nothing of the training was written. Make room there, and begin again"
        )
    if (folder / STATE).exists():
        return UserError(
            f"{told}. What was written before is whole. Make room there, then go on: striate "
            f"train --resume {folder}"
        )
    return UserError(
        f"{told}. The best weights before that are in {folder}. Make room there, and begin again"
    )


@contextmanager
def removed_without_weights(folder: Path) -> Iterator[None]:
    """Take a new run's folder away when it comes to nothing, and with it only what we wrote."""
    try:
        yield
    except BaseException:
        if not any((folder / name).exists() for name in (WEIGHTS, STATE)):
            with suppress(OSError):
                for name in (NETWORK, PROGRAM, RECORD, SPLIT, METRICS, MEAN):
                    (folder / name).unlink(missing_ok=True)
                folder.rmdir()
        raise


def metrics_csv(rows: Sequence[Row]) -> str:
    """The text of `metrics.csv`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    for row in rows:
        writer.writerow(round(v, 6) if isinstance(v, float) else v for v in astuple(row))
    return text.getvalue()


def results(best: Row, last: Row, interrupted: bool) -> dict[str, float | int | bool | None]:
    """What a record says of a training: how far it went, and which row's weights are kept."""
    return {
        "seconds": round(last.seconds, 3),
        "epochs": round(last.epoch, 3),
        "steps": last.step,
        "best_step": best.step,
        "val_accuracy": None if math.isnan(best.val_accuracy) else best.val_accuracy,
        "interrupted": interrupted,
    }


def opening(folder: Path, data: DataSet) -> str:
    """The line that says what is trained on, and where it goes."""
    parts = f"{len(data.train):,} training, {len(data.val):,} validation, {len(data.test):,} test"
    return f"{folder}: {parts} pictures in {len(data.classes)} classes"
