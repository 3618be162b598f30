"""The training loop: from a network and pictures to weights that have learned.

One function, read from top to bottom. It knows nothing of files: what happens is told to a
`Watcher`, and what comes out is a `Trained`.
"""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from striate.data import DataSet
from striate.data.pictures import Pixels
from striate.errors import StriateError, UserError
from striate.graph import Graph
from striate.modules import Network
from striate.training.augment import Batches
from striate.training.average import Average
from striate.training.device import Machine
from striate.training.evaluate import probabilities
from striate.training.optimise import Optimizer
from striate.training.prepare import ends_in_softmax, to_input
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.whiten import first_convolution, pictures_to_sample, whiten

LOOKS = 12
"""How often a training looks at the validation pictures, at most."""

SHARE_FOR_PICTURES = 0.5
"""The share of a GPU's free memory that a training set may take; a larger one stays outside."""


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


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens: at each step, and at each look at the validation pictures."""

    step: Callable[[Moment], None] = lambda moment: None
    row: Callable[[Row, dict[str, Tensor] | None], None] = lambda row, weights: None
    """With the weights, as state_dict in float32, when they are the best so far."""


def train_network(
    network: Network,
    data: DataSet,
    normalise: Normalise,
    settings: Settings,
    machine: Machine,
    watcher: Watcher,
) -> Trained:
    """Train a classifier in place on `data.train`, choosing by `data.val`.

    The network's output is K scores for the K classes, or their softmax. A KeyboardInterrupt ends
    the training early, with a last look at what it has come to; a second one leaves that out.
    Raises StriateError when the loss stops being a finite number, and UserError for batches that
    are too large for the device or too small for batch normalisation.
    """
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
    optimizer = Optimizer(network, settings)
    lower_precision(network, machine.dtype)
    batches = Batches(images, labels, settings, generator)
    require_statistics(network.graph, batches.size)
    scores_of = to_train(network)
    average = Average(network, optimizer, settings.average)
    clock = Clock(settings, batches)
    tally = Tally(machine.device)
    best = Best(len(data.val))
    rows: list[Row] = []
    interrupted = False

    def validate() -> tuple[float, float]:
        with average.in_place():
            seen = probabilities(
                network, data.val.images, normalise, device=machine.device, precision=machine.dtype
            )
        return score(seen, data.val.labels)

    def look(validation: tuple[float, float]) -> None:
        """Keep the weights if they are the best, and tell the watcher."""
        nonlocal tally
        row = clock.row(settings, tally, *validation)
        weights = average.state()
        rows.append(row)
        kept = best.take(row, weights)
        tally = Tally(machine.device)
        watcher.row(row, weights if kept else None)

    def mean_loss() -> float:
        """The loss of late, which the steps until now have led to."""
        loss = tally.mean_loss()
        if clock.steps and not math.isfinite(loss):
            raise StriateError(_diverged(clock.steps, settings))
        return loss

    network.train()
    try:
        clock.start()
        for pictures, answers in batches:
            scores = scores_of(to_input(pictures, normalise, machine.dtype)).float().flatten(1)
            loss = functional.cross_entropy(
                scores, answers, label_smoothing=settings.label_smoothing
            )
            loss.backward()
            optimizer.step(rate_share(clock.progress, settings.warmup))
            average.update(clock.expected_steps)
            tally.add(loss.detach(), scores.detach(), answers)
            clock.stop()
            if clock.to_show():
                watcher.step(clock.moment(mean_loss()))
            if clock.to_look():
                mean_loss()
                look(validate())
                clock.start()
            if clock.over:
                break
    except KeyboardInterrupt:
        interrupted = True
        if not rows or rows[-1].step < clock.steps:
            mean_loss()
            try:
                look(validate())
            except KeyboardInterrupt:
                if best.is_empty:
                    look((math.nan, math.nan))
    except torch.OutOfMemoryError:
        raise UserError(_out_of_memory(batches.size, machine)) from None
    return Trained(
        best.weights, tuple(rows), best.row, clock.steps, clock.epoch, clock.seconds, interrupted
    )


def resident(images: Pixels, device: torch.device) -> Tensor:
    """The pictures as a tensor: on the device when they leave it room, else where they lie.

    A map of a file stays one on the CPU, and its pages are read as batches ask for them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writ")
        tensor = torch.from_numpy(images)
    if device.type != "cuda":
        return tensor
    free, _ = torch.cuda.mem_get_info(device)
    return tensor.to(device) if tensor.nbytes < free * SHARE_FOR_PICTURES else tensor


def to_train(network: Network) -> Callable[[Tensor], Tensor]:
    """What computes a network's scores: all of it, or all before the softmax that it ends in.

    The loss has a softmax of its own; probabilities in the place of scores would train slowly.
    """
    last = network.graph.nodes[-1]
    if not ends_in_softmax(network.graph):
        return network
    name = network.graph.nodes[last.inputs[0]].name
    return lambda pictures: network.run_to(pictures, [name])[name]


def require_statistics(graph: Graph, batch: int) -> None:
    """Raise UserError if batch normalisation would get one value a channel, which has no spread."""
    if batch > 1:
        return
    for node in graph:
        if node.kind == "bn" and math.prod(node.output[1:]) == 1:
            raise UserError(
                f"batch: found 1, but {node.name} normalises one value of each picture over the "
                "batch, so a step takes 2 pictures or more. Give --batch 2 or more"
            )


def rate_share(progress: float, warmup: float) -> float:
    """The share of the peak rate at a point of the training: up in a line, then down to 0."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return max(0.0, (1 - progress) / (1 - warmup))


def lower_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Turn matrices and filters to `dtype`; biases go with them, normalisation stays float32."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.to(dtype)


def score(seen: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean log-loss and accuracy of probabilities N×K; nan for no pictures."""
    if not len(labels):
        return math.nan, math.nan
    given = seen[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(given, 1e-12)).mean())
    return loss, float((seen.argmax(1) == labels).mean())


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
        self._recent: deque[float] = deque(maxlen=32)
        self._looks = 0
        self._shown = 0.0
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
        self._recent.append(spent)
        self.steps += 1

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
    def expected_steps(self) -> float:
        """Steps of the whole training, as far as can be told."""
        if self._total is not None:
            return self._total
        return max(1.0, self.steps / max(self.progress, 1e-6))

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
        if self.over or self.progress >= (self._looks + 1) / self._looks_wanted:
            self._looks += 1
            return True
        return False

    def moment(self, loss: float) -> Moment:
        """Where the training stands."""
        return Moment(
            self.progress, self.epoch, self.steps, self.seconds, self._images_per_second(), loss
        )

    def row(self, settings: Settings, tally: Tally, val_loss: float, val_accuracy: float) -> Row:
        """A row of the metrics, with what the tally holds."""
        return Row(
            step=self.steps,
            epoch=self.epoch,
            seconds=self.seconds,
            images_per_second=self._images_per_second(),
            lr=settings.lr * rate_share(self.progress, settings.warmup),
            train_loss=tally.mean_loss(),
            train_accuracy=tally.accuracy(),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
        )

    def _step_seconds(self) -> float:
        return sum(self._recent) / len(self._recent) if self._recent else 0.0

    def _images_per_second(self) -> float:
        spent = self._step_seconds()
        return self.batch / spent if spent else 0.0


class Tally:
    """Sums of loss and right answers, kept on the device so that no step waits for them."""

    def __init__(self, device: torch.device) -> None:
        self._loss = torch.zeros((), device=device)
        self._right = torch.zeros((), device=device)
        self._images = 0

    def add(self, loss: Tensor, scores: Tensor, answers: Tensor) -> None:
        """Count one batch."""
        self._loss += loss * len(answers)
        self._right += (scores.argmax(1) == answers).sum()
        self._images += len(answers)

    def mean_loss(self) -> float:
        """Mean loss of an image; nan before the first."""
        return float(self._loss) / self._images if self._images else math.nan

    def accuracy(self) -> float:
        """Share of right answers; nan before the first."""
        return float(self._right) / self._images if self._images else math.nan


class Best:
    """The best weights so far: the latest that are not clearly worse than any before.

    Clearly means by more than two standard errors of the accuracy on that many pictures, so that
    the luck of one look does not throw away the end of a schedule.
    """

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self._top = 0.0
        self._kept: tuple[Row, dict[str, Tensor]] | None = None

    def take(self, row: Row, weights: dict[str, Tensor]) -> bool:
        """Keep these weights unless they are clearly worse; tells whether they are kept.

        Weights that were not validated, since there was no time to, are kept if there are no other.
        """
        if self._kept is not None and not self._is_good(row):
            return False
        self._top = max(self._top, 0.0 if math.isnan(row.val_accuracy) else row.val_accuracy)
        self._kept = row, weights
        return True

    def _is_good(self, row: Row) -> bool:
        if not self.pictures:
            return True
        likely = (self._top * self.pictures + 1) / (self.pictures + 2)
        spread = math.sqrt(likely * (1 - likely) / (self.pictures + 2))
        return row.val_accuracy >= self._top - 2 * spread

    @property
    def is_empty(self) -> bool:
        """Whether no weights are kept yet."""
        return self._kept is None

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that are kept."""
        assert self._kept is not None
        return self._kept[1]

    @property
    def row(self) -> Row:
        """The row whose weights are kept."""
        assert self._kept is not None
        return self._kept[0]


def _diverged(step: int, settings: Settings) -> str:
    return (
        f"the training diverged: the loss is not a finite number at step {step}. "
        f"Try a smaller rate, such as --lr {settings.lr / 4:g}"
    )


def _out_of_memory(batch: int, machine: Machine) -> str:
    smaller = f"Give a smaller one, such as --batch {max(1, batch // 2)}, or smaller pictures"
    return f"{machine.device}: a batch of {batch} takes more memory than there is. {smaller}"
