"""Going on with a training that was interrupted or killed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path

from striate.data import DataSet, open_data
from striate.errors import UserError
from striate.training.device import choose_machine, keep_large_blocks
from striate.training.events import writer_of
from striate.training.folder import alone
from striate.training.loop import Resume
from striate.training.preparing import first_network
from striate.training.progress import Display
from striate.training.run import SPLIT, STATE, WEIGHTS, Record, Run, open_run, open_started
from striate.training.state import read_state
from striate.training.team import join
from striate.training.train import Outcome, environment, train_beside, train_into


def go_on(
    folder: Path,
    *,
    root: Path | None = None,
    allow_unreadable: bool = False,
    log: str | None = None,
    display: Display | None = None,
) -> Outcome:
    """Go on with a training that was interrupted or killed, from the state that it saved last.

    One that was killed before its first look at the validation pictures may begin again. On a CPU,
    with as many threads, the weights become those of a training that was never interrupted, bit
    for bit. Raises UserError for a folder that is no run, for a run that is over, and where
    the pictures are no longer the same; StriateError when the training diverges.
    """
    team = join()
    if log is not None:
        writer_of()
    display = (display or Display()) if team.leads else Display.silent()
    keep_large_blocks()
    run = open_started(folder)
    with alone(folder) if team.leads else nullcontext():
        state = folder / STATE
        record = run.record
        if not state.exists() and (folder / WEIGHTS).exists():
            raise UserError(_over(run))
        resume = Resume(read_state(state), state) if state.exists() else None
        with team.first():
            pictures = _pictures_of(run, root, allow_unreadable, display)
        machine = choose_machine(record.settings.device, str(record.environment["precision"]))
        module = first_network(run.source, record.settings)
        display.epochs = record.settings.epochs
        from_where = f"from step {resume.state.step:,}" if resume else "from the beginning"
        display.say(f"{folder}: going on {from_where}")
        for notice in _otherwise(record, environment(machine, team)):
            display.say(f"note: {notice}")
        if team.leads:
            trained = train_into(
                folder,
                module,
                pictures,
                record,
                machine,
                display,
                resume=resume,
                log=log,
                team=team,
            )
        else:
            trained = train_beside(module, pictures, record, machine, team, resume=resume)
        team.meet()
    return Outcome(open_run(folder), pictures, trained)


def _over(run: Run) -> str:
    cut_off = run.record.results.get("interrupted")
    end = f"was cut off, and its {STATE} is gone" if cut_off else "is over"
    return (
        f"{run.folder}: this training {end}, so there is nothing to go on from. striate test "
        f"{run.folder} tests it, and striate train NET DATA begins a new one"
    )


def _pictures_of(run: Run, root: Path | None, allow_unreadable: bool, display: Display) -> DataSet:
    """The pictures that a run is trained on. Raises UserError when they are no longer the same."""
    record = run.record
    pictures = open_data(
        record.folder or record.data,
        record.preprocess,
        root=root or record.root,
        split_file=run.folder / SPLIT,
        allow_unreadable=allow_unreadable,
        progress=display.reading,
    )
    if pictures.fingerprint != record.fingerprint:
        raise UserError(
            f"{record.folder or record.data}: the pictures are no longer those that {run.folder} "
            "was begun with: some were added, removed or changed. Put them back, or train anew"
        )
    return pictures


def _otherwise(record: Record, now: Mapping[str, str | int]) -> Iterator[str]:
    """What is no longer as when the training began, and lets it end elsewhere by a hair."""
    for name in ("device", "threads", "torch", "processes"):
        before, after = (each.get(name, 1) for each in (record.environment, now))
        if before != after:
            yield (
                f"{name} {after} in place of {before}: the weights will "
                "not be bit for bit those of a training that was never interrupted"
            )
