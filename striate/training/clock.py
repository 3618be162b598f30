"""How far a training is: steps, seconds, the rate's share, what is due, and what was seen."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.training.augment import Batches
from striate.training.settings import Settings

LOOKS = 12
"""How often a training looks at the validation pictures, at most."""
SAVE_EVERY = 30.0
"""Seconds from one saving of a training's state to the next, at least."""
SAVE_SHARE = 20
"""How many times as long as saving takes passes until the next, at least."""


@dataclass(frozen=True)
class Moment:
    """Where a training stands, for the eye."""

    progress: float
    """Share of the training that is done, 0 to 1."""
    epoch: float
    step: int
    seconds: float
    """Spent in training steps alone."""
    rate: float
    """Images a second, of late."""
    loss: float


@dataclass(frozen=True)
class Row:
    """One row of `metrics.csv`: averages since the row before, and a look at the validation."""

    step: int
    epoch: float
    seconds: float
    images_per_second: float
    lr: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


class Clock:
    """Counts steps and the seconds spent in them; knows how far the training is.

    Its seconds are those that pass from `start`, which follows each look, to the last `stop`: work
    that a GPU still has in its queue is in the seconds of the steps that wait for it.
    """

    def __init__(self, settings: Settings, batches: Batches) -> None:
        self.settings = settings
        self.batch = batches.size
        self.steps_per_epoch = batches.steps_per_epoch
        self.steps = 0
        self.seconds = 0.0
        self._started = 0.0
        self.recent: deque[float] = deque(maxlen=32)
        """The seconds of the last steps."""
        self.looks = 0
        """How often the validation pictures were looked at."""
        self._shown = 0.0
        self._saved, self._saving = time.perf_counter(), 0.0
        looks = (settings.seconds or 0) / 2 if settings.epochs is None else settings.epochs
        self._looks_wanted = min(LOOKS, max(2, math.ceil(looks)))
        self._total = (
            None
            if settings.epochs is None
            else max(1, round(settings.epochs * batches.steps_per_epoch))
        )

    def start(self) -> None:
        """Steps begin, or go on after something else."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """A step has ended."""
        now = time.perf_counter()
        spent = now - self._started
        self._started = now
        self.seconds += spent
        self.recent.append(spent)
        self.steps += 1

    def agree(self, spent: float) -> None:
        """The last step took so long on the clock that counts, which may be another's."""
        self.seconds += spent - self.recent[-1]
        self.recent[-1] = spent

    @property
    def progress(self) -> float:
        """The share of the training that is done, 0 to 1."""
        if self._total is not None:
            return min(1.0, self.steps / self._total)
        assert self.settings.seconds is not None
        return min(1.0, self.seconds / self.settings.seconds)

    @property
    def over(self) -> bool:
        """Whether there is no time for another step."""
        if self._total is not None:
            return self.steps >= self._total
        assert self.settings.seconds is not None
        return self.seconds + self._step_seconds() / 2 > self.settings.seconds

    @property
    def epoch(self) -> float:
        """Epochs done."""
        return self.steps / self.steps_per_epoch

    def to_show(self) -> bool:
        """Whether the eye wants news: ten times a second."""
        now = time.perf_counter()
        if now - self._shown < 0.1:
            return False
        self._shown = now
        return True

    def to_look(self) -> bool:
        """Whether a look at the validation pictures is due."""
        return self.over or self.progress >= (self.looks + 1) / self._looks_wanted

    def to_save(self) -> bool:
        """Whether what a training needs to go on is to be written again.

        That is every half minute, or less often where writing takes long.
        """
        since = time.perf_counter() - self._saved
        return since >= max(SAVE_EVERY, SAVE_SHARE * self._saving)

    def saved(self, spent: float) -> None:
        """It was written, which took so many seconds."""
        self._saved, self._saving = time.perf_counter(), spent

    def moment(self, loss: float) -> Moment:
        """Where the training stands."""
        return Moment(
            self.progress, self.epoch, self.steps, self.seconds, self._images_per_second(), loss
        )

    def row(self, lr: float, tally: Tally, val_loss: float, val_accuracy: float) -> Row:
        """A row of the metrics, with what the tally holds."""
        return Row(
            step=self.steps,
            epoch=self.epoch,
            seconds=self.seconds,
            images_per_second=self._images_per_second(),
            lr=lr,
            train_loss=tally.mean_loss(),
            train_accuracy=tally.accuracy(),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
        )

    def _step_seconds(self) -> float:
        return sum(self.recent) / len(self.recent) if self.recent else 0.0

    def _images_per_second(self) -> float:
        spent = self._step_seconds()
        return self.batch / spent if spent else 0.0


class Tally:
    """Sums of loss and right answers, kept on the device so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.right = torch.zeros((), device=device)
        self.images = 0

    def add(self, loss: Tensor, scores: Tensor, answers: Tensor) -> None:
        """Count one batch."""
        self.loss += loss * len(answers)
        self.right += (scores.argmax(1) == answers).sum()
        self.images += len(answers)

    def add_sums(self, loss: float, right: float, images: float) -> None:
        """Count what several processes have summed up."""
        self.loss += loss
        self.right += right
        self.images += int(images)

    def mean_loss(self) -> float:
        """Mean loss of an image; nan before the first."""
        return float(self.loss) / self.images if self.images else math.nan

    def accuracy(self) -> float:
        """Share of right answers; nan before the first."""
        return float(self.right) / self.images if self.images else math.nan
