"""The verbs that join several packages: `train` is a training, its test and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate.data.split import Fold
from striate.drawing import render_scene
from striate.drawing.output import format_of, write_picture
from striate.errors import InterruptedRunError, UserError
from striate.files import write_whole
from striate.layers import Shape
from striate.networks import beginning
from striate.seeing import write_report
from striate.source import Source
from striate.training import rates
from striate.training.choosing import Wishes
from striate.training.preparing import prepare
from striate.training.progress import Display
from striate.training.rates import Rates
from striate.training.resuming import go_on
from striate.training.run import Run, finish
from striate.training.starting import weights_from
from striate.training.team import join
from striate.training.testing import TestResult, test_part
from striate.training.train import Outcome, fit

if TYPE_CHECKING:
    from torch import nn

TEST = "test.json"


@dataclass(frozen=True)
class TrainResult:
    """A finished training: its run, and how it did on the pictures held out for the test."""

    run: Run
    test: TestResult | None
    """None when there were too few pictures to hold any out."""
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        return {
            "run": str(self.run.folder),
            "interrupted": self.interrupted,
            "training": dict(self.run.record.results),
            "test": None if self.test is None else self.test.to_json(),
        }


def train(
    network: str | Path | Source | nn.Module,
    data: str | Path,
    *,
    output: str | Path | None = None,
    epochs: float | None = None,
    seconds: float | None = None,
    start: str | Path | None = None,
    recipe: str = "default",
    settings: Mapping[str, Any] | None = None,
    batch: int | str | None = None,
    lr: float | None = None,
    seed: int = 0,
    split: int | None = None,
    fold: tuple[int, int] | None = None,
    input: Shape | None = None,
    root: str | Path | None = None,
    download: bool = False,
    allow_unreadable: bool = False,
    device: str = "auto",
    precision: str = "auto",
    log: str | None = None,
    display: Display | None = None,
) -> TrainResult:
    """Train a network on pictures, test it once on those held out, and write the run's report.

    `network` is a name of the zoo, a file, a text, or any other that `load_graph` takes; a live
    torch network and one in an ONNX file start from the weights that they have, any network from
    those of `start`: a run's folder, or a checkpoint. `data` is a folder
    of class folders or a built-in set. The network's input and number of classes follow the data.
    Exactly one of `epochs` and `seconds` (of training time alone) may say how long. `recipe` is a
    name that `striate recipes` lists, or a file of one's own; `settings` stand above it, by the
    names of docs/training.md. A `batch` of "auto" is learned in as many parts as the memory that
    is free asks for. Which pictures are held out is drawn from `split`, or from `seed`; a `fold` of
    (0, 5) tests on the first of five parts (`striate.Folds` has the results of all). `input` is
    C×H×W. A `log` of "tensorboard" writes the curves for it too. What is written is described in
    docs/runs.md.

    Raises UserError for a mistake in any of these, before training; StriateError when the training
    diverges. A KeyboardInterrupt ends it early with the best weights kept; one during the test or
    the report raises InterruptedRunError.
    """
    begun = beginning(network, input=input, seed=seed)
    weights, whose = begun.weights, "the network's own weights"
    if start is not None:
        weights, whose = weights_from(start, begun), f"those of {start}"
    outcome = fit(
        begun.network,
        str(data),
        Wishes(
            recipe,
            epochs,
            seconds,
            batch,
            lr,
            seed,
            device,
            precision,
            settings or {},
            split,
            None if fold is None else Fold(*fold),
        ),
        weights=weights,
        whose=whose,
        output=_path(output),
        input=input,
        root=_path(root),
        download=download,
        allow_unreadable=allow_unreadable,
        log=log,
        display=display,
    )
    return _finished(outcome, device)


def find_rate(
    network: str | Path | Source | nn.Module,
    data: str | Path,
    *,
    output: str | Path | None = None,
    recipe: str = "default",
    settings: Mapping[str, Any] | None = None,
    batch: int | None = None,
    seed: int = 0,
    input: Shape | None = None,
    root: str | Path | None = None,
    allow_unreadable: bool = False,
    display: Display | None = None,
) -> Rates:
    """The loss of a network on pictures while the learning rate rises, and a rate to train at.

    Arguments are those of `train`; `output` is a picture's file, .svg or .png, and nothing else is
    written. A live network stays as it is. Raises UserError as `train` does, and StriateError when
    the loss falls at no rate.
    """
    picture = _path(output)
    if picture is not None and format_of(picture) == "txt":
        raise UserError(
            f"{picture} ends in .txt, but a plot is written as .svg or .png. For example "
            f"{picture.with_suffix('.svg')}"
        )
    display = display or Display()
    begun = beginning(network, input=input, seed=seed)
    ready = prepare(
        begun.network,
        str(data),
        Wishes(recipe, batch=batch, seed=seed, settings=settings or {}),
        weights=begun.weights,
        whose="the network's own weights",
        input=input,
        root=_path(root),
        download=False,
        allow_unreadable=allow_unreadable,
        display=display,
    )
    found = rates.find_rate(ready, display.measuring)
    if picture is not None:
        write_picture(picture, render_scene(found.scene(), format_of(picture)))
    return found


def resume(
    run: str | Path,
    *,
    root: str | Path | None = None,
    allow_unreadable: bool = False,
    log: str | None = None,
    display: Display | None = None,
) -> TrainResult:
    """Go on with a training that was interrupted or killed; the rest is as in `train`.

    `run` is its folder. It goes on from the state that was saved last, with the settings that it
    was begun with: on a CPU, with as many threads, to the same weights bit for bit as if it had
    never stopped. `root`, `allow_unreadable` and `log` are those of
    `train`.

    Raises UserError for a folder that is no run, for a training that is over, and where its
    pictures are no longer the same; else as `train` does.
    """
    outcome = go_on(
        Path(run), root=_path(root), allow_unreadable=allow_unreadable, log=log, display=display
    )
    return _finished(outcome, outcome.run.record.settings.device)


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)


def _finished(outcome: Outcome, device: str) -> TrainResult:
    folder = outcome.run.folder
    try:
        return _tested_and_shown(outcome, device)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted after the training: {folder} holds the weights, but not all of the test "
            f"and the report. striate test {folder} tests it"
        ) from None
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: {error.strerror or error}. The training is whole, and "
            f"{folder} holds its weights; what comes after it could not be written. Make room "
            f"there, then run striate test {folder}"
        ) from error


def _tested_and_shown(outcome: Outcome, device: str) -> TrainResult:
    """Test a training once, write the record of it and the report, where this process does."""
    run, part, leads = outcome.run, outcome.data.test, join().leads
    trained = run.load_network()
    result = found = None
    if len(part):
        words = f"the held-out test pictures of {run.record.data}"
        result, found = test_part(run, trained, part, data=words, device=device)
    if not leads:
        return TrainResult(run, result, outcome.trained.interrupted)
    if result is not None:
        text = json.dumps(result.to_json(), indent=2, ensure_ascii=False)
        write_whole(run.folder / TEST, text + "\n")
        record = finish(run.folder, run.record, {"test_accuracy": result.accuracy})
        run = Run(run.folder, run.source, record)
    write_report(run, trained, result, part, found, outcome.trained.rows)
    return TrainResult(run, result, outcome.trained.interrupted)
