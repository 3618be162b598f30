"""The training loop: from a network and pictures to weights that have learned.

It knows nothing of files: what happens is told to a `Watcher`, and what comes out is a `Trained`.
`Learner` makes the steps; here is what goes on around them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.data import DataSet
from striate.errors import StriateError
from striate.modules import Network
from striate.training.augment import Batches
from striate.training.best import Best
from striate.training.clock import Clock, Row, Tally
from striate.training.device import Machine, lower_precision, resident
from striate.training.distilling import Teacher
from striate.training.evaluate import probabilities
from striate.training.freezing import freeze_body, learning
from striate.training.heads import head_layers
from striate.training.learner import Diverged, Learner
from striate.training.lesson import Lesson, class_weights
from striate.training.memory import pieces_of, require_statistics
from striate.training.optimise import Optimizer, macs_of
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.schedule import Schedule
from striate.training.settings import Settings
from striate.training.state import Moving, State, capture, put_back
from striate.training.team import ALONE, Team
from striate.training.watching import Watcher
from striate.training.whiten import first_convolution, pictures_to_sample, whiten


@dataclass(frozen=True)
class Resume:
    """A state to go on from, and the file that it was read from."""

    state: State
    path: Path


@dataclass(frozen=True)
class Trained:
    """The weights that were best on the validation pictures, and how it went."""

    weights: dict[str, Tensor]
    rows: tuple[Row, ...]
    best: Row
    steps: int
    epochs: float
    seconds: float
    interrupted: bool
    pieces: int
    """The parts that a batch was learned from in the end: more than one where memory was short."""


def train_network(
    network: Network,
    data: DataSet,
    normalise: Normalise,
    settings: Settings,
    machine: Machine,
    watcher: Watcher,
    *,
    resume: Resume | None = None,
    save_first: bool = False,
    teacher: Teacher | None = None,
    team: Team = ALONE,
) -> Trained:
    """Train a classifier in place on `data.train`, choosing by `data.val`.

    The network's output is K scores for the K classes, or their softmax; taps that give as many
    add their losses to its, and so does the distance to the scores of a `teacher`.
    The processes of a `team` call this with the same arguments, and come to the same weights.
    With `resume` the training goes on from there. Its state is saved
    before the first look and every half minute, with `save_first` before the first step. A
    KeyboardInterrupt ends the training early, with its state saved and a last look at what it has
    come to; a second one leaves that look out.
    Raises StriateError when the loss stops being a finite number, and UserError for batches that
    are too large for the device or too small for batch normalisation, and for a state that is
    another training's.
    """
    moving = _begun(network, data, normalise, settings, machine, team)
    if resume is not None:
        put_back(moving, resume.state, resume.path)
        moving.pieces = min(moving.pieces, moving.batches.size // team.size)
    if not team.leads:
        torch.manual_seed(settings.seed + moving.clock.steps + team.rank)  # for its own dropout
    labels = moving.batches.labels
    weights = class_weights(labels, len(data.classes)) if settings.balance else None
    lesson = Lesson(network, normalise, settings, machine.dtype, weights, teacher)
    learner = Learner(moving, lesson, data.train.files, machine, watcher, team)
    team.meet()
    return _Training(learner, data, normalise, settings).run(save_first=save_first)


def _begun(
    network: Network,
    data: DataSet,
    normalise: Normalise,
    settings: Settings,
    machine: Machine,
    team: Team,
) -> Moving:
    """A network on its device with its first weights, and all else that a training changes."""
    generator = torch.Generator(machine.device).manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    images = resident(data.train.images, machine.device)
    labels = torch.tensor(data.train.labels, device=machine.device)
    network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    convolution = first_convolution(network) if settings.whiten else None
    if convolution is not None:
        order = torch.randperm(len(images), generator=generator, device=machine.device)
        sample = images[order[: pictures_to_sample(*images.shape[1:])].to(images.device)]
        whiten(
            convolution, to_input(sample.to(machine.device), normalise, torch.float32), generator
        )
    batches = Batches(images, labels, settings, generator, team)
    heads = head_layers(network.graph) if settings.body_rate < 1 else set()
    if settings.body_rate == 0:
        freeze_body(network, heads)
    team.begin_alike(network)
    optimizer = Optimizer(network, settings, macs_of(network.graph, batches.size), heads)
    lower_precision(network, machine.dtype)
    require_statistics(network.graph, batches.size // min(settings.accumulate, batches.size))
    clock, best, schedule = Clock(settings, batches), Best(len(data.val)), Schedule(settings)
    moving = Moving(network, optimizer, batches, clock, Tally(machine.device), best, schedule)
    moving.pieces = pieces_of(settings.accumulate, batches.size, team)
    return moving


class _Training:
    """Steps, and what goes on between them: looks at the validation pictures, and saving."""

    def __init__(
        self, learner: Learner, data: DataSet, normalise: Normalise, settings: Settings
    ) -> None:
        self.learner, self.moving, self.watcher = learner, learner.moving, learner.watcher
        self.data, self.normalise, self.settings = data, normalise, settings

    def run(self, *, save_first: bool) -> Trained:
        """Go on to the end, or until it is interrupted."""
        moving, interrupted = self.moving, False
        learning(moving.network)
        try:
            self._go_on(save_first)
        except KeyboardInterrupt:
            interrupted = True
            self._end_early()
        except Diverged as diverged:
            if moving.best.is_empty and moving.clock.steps and _are_finite(moving.optimizer):
                with suppress(StriateError):  # what the weights give may be infinite already
                    self._look(self._validated())
            message = _diverged(moving.clock.steps, self.settings, diverged.files)
            raise StriateError(message) from None
        return Trained(
            moving.best.weights,
            tuple(moving.rows),
            moving.best.row,
            moving.clock.steps,
            moving.clock.epoch,
            moving.clock.seconds,
            interrupted,
            moving.pieces,
        )

    def _go_on(self, save_first: bool) -> None:
        clock, watcher = self.moving.clock, self.watcher
        clock.start()
        while True:
            if clock.steps and clock.to_look() and not self._has_looked():
                self.learner.mean_loss()
                if not self.moving.rows:
                    self._save()
                self._look(self._validated())
                if stands_still(self.moving.rows, self.settings.stop_after):
                    watcher.notice(
                        f"stopped at epoch {clock.epoch:.1f}: the validation loss was not lower "
                        f"for {self.settings.stop_after} looks"
                    )
                    return
                clock.start()
            if clock.over:
                return
            if clock.to_save() or (save_first and not clock.steps):
                self._save()
                clock.start()
            with watcher.whole():
                self.learner.step(self._share())
            if clock.to_show():
                watcher.step(clock.moment(self.learner.mean_loss()))

    def _end_early(self) -> None:
        """Save, and look once more; a second interrupt leaves the look out."""
        try:
            self._save()
            if not self._has_looked():
                self.learner.mean_loss()
                self._look(self._validated())
        except KeyboardInterrupt:
            if self.moving.best.is_empty:
                self._look((math.nan, math.nan))

    def _validated(self) -> tuple[float, float]:
        """Log-loss and accuracy on the validation pictures."""
        with self.moving.optimizer.shown():
            seen = probabilities(
                self.moving.network,
                self.data.val.images,
                self.normalise,
                device=self.learner.machine.device,
                precision=self.learner.machine.dtype,
                team=self.learner.team,
            )
        learning(self.moving.network)
        return score(seen, self.data.val.labels)

    def _look(self, validation: tuple[float, float]) -> None:
        """Keep the weights if they are the best, and tell the watcher."""
        moving = self.moving
        row = moving.clock.row(self.settings.lr * self._share(), moving.tally, *validation)
        weights = moving.optimizer.state()
        with self.watcher.whole():
            moving.rows.append(row)
            moving.clock.looks += 1
            moving.schedule.looked(row.val_loss)
            kept = moving.best.take(row, weights)
            moving.tally = Tally(self.learner.machine.device)
            self.watcher.row(row, weights if kept else None)

    def _has_looked(self) -> bool:
        """Whether the validation pictures were looked at after the last step."""
        rows = self.moving.rows
        return bool(rows) and rows[-1].step == self.moving.clock.steps

    def _save(self) -> None:
        began = time.perf_counter()
        with self.watcher.whole():
            self.watcher.save(capture(self.moving))
        self.moving.clock.saved(time.perf_counter() - began)

    def _share(self) -> float:
        return self.moving.schedule.share(self.moving.clock.progress, self.moving.clock.epoch)


def _are_finite(optimizer: Optimizer) -> bool:
    return all(bool(torch.isfinite(weight.master).all()) for weight in optimizer.weights)


def stands_still(rows: Sequence[Row], looks: int) -> bool:
    """Whether the validation loss was not lower for so many looks; never for 0."""
    losses = [row.val_loss for row in rows]
    return bool(looks) and len(losses) > looks and min(losses[-looks:]) >= min(losses[:-looks])


def score(seen: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean log-loss and accuracy of probabilities N×K; nan for no pictures."""
    if not len(labels):
        return math.nan, math.nan
    given = seen[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(given, 1e-12)).mean())
    return loss, float((seen.argmax(1) == labels).mean())


_NAMED = 4
"""Pictures of a batch that are named at most."""


def _diverged(steps: int, settings: Settings, files: Sequence[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    batch = f"Its batch: {', '.join(files[:_NAMED])}{more}. " if files else ""
    return (
        "the training diverged: the loss is not a finite number at step "
        f"{steps + 1 if files else steps}. {batch}Try a smaller rate, such as --lr "
        f"{settings.lr / 4:g}"
    )
