"""The training loop: from a network and pictures to weights that have learned.

One function, read from top to bottom. It knows nothing of files: what happens is told to a
`Watcher`, and what comes out is a `Trained`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
from striate.training.clock import Clock, Moment, Row, Tally, rate_share
from striate.training.device import Machine
from striate.training.evaluate import probabilities
from striate.training.heads import scores_of
from striate.training.optimise import Optimizer
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.whiten import first_convolution, pictures_to_sample, whiten

SHARE_FOR_PICTURES = 0.5
"""The share of a GPU's free memory that a training set may take; a larger one stays outside."""


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

    The network's output is K scores for the K classes, or their softmax; taps that give as many
    add their losses to its. A KeyboardInterrupt ends
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
    batches = Batches(images, labels, settings, generator)
    optimizer = Optimizer(network, settings, macs_of(network.graph, batches.size))
    lower_precision(network, machine.dtype)
    require_statistics(network.graph, batches.size)
    heads_of = scores_of(network)
    loss_of = partial(functional.cross_entropy, label_smoothing=settings.label_smoothing)
    clock = Clock(settings, batches)
    tally = Tally(machine.device)
    best = Best(len(data.val))
    rows: list[Row] = []
    interrupted = False

    def validate() -> tuple[float, float]:
        seen = probabilities(
            network, data.val.images, normalise, device=machine.device, precision=machine.dtype
        )
        return score(seen, data.val.labels)

    def look(validation: tuple[float, float]) -> None:
        """Keep the weights if they are the best, and tell the watcher."""
        nonlocal tally
        row = clock.row(settings, tally, *validation)
        weights = optimizer.state()
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
            scores, *sides = heads_of(to_input(pictures, normalise, machine.dtype))
            loss = loss_of(scores, answers)
            sum((settings.tap_weight * loss_of(side, answers) for side in sides), loss).backward()
            optimizer.step(rate_share(clock.progress, settings.warmup))
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


def macs_of(graph: Graph, batch: int) -> dict[str, int]:
    """The multiply-accumulates of a batch's forward pass, by the layer whose weights they use."""
    macs: dict[str, int] = {}
    for node in graph:
        owner = node.weights or node.name
        products = batch * node.layer.macs(graph.shapes_into(node), node.output)
        macs[owner] = macs.get(owner, 0) + products
    return macs


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
