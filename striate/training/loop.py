"""The training loop: from a network and pictures to weights that have learned.

One function, read from top to bottom. It knows nothing of files: what happens is told to a
`Watcher`, and what comes out is a `Trained`.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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
from striate.training.augment import Batch, Batches
from striate.training.best import Best
from striate.training.clock import Clock, Moment, Row, Tally
from striate.training.device import Machine
from striate.training.distilling import Teacher, distance
from striate.training.evaluate import probabilities
from striate.training.freezing import freeze_body, learning
from striate.training.heads import head_layers, scores_of
from striate.training.memory import (
    halved,
    in_parts,
    is_out_of_memory,
    pieces_of,
    require_statistics,
    too_large,
)
from striate.training.optimise import Optimizer
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.schedule import Schedule
from striate.training.settings import Settings
from striate.training.state import Moving, State, capture, put_back
from striate.training.team import ALONE, Team, share_of
from striate.training.whiten import first_convolution, pictures_to_sample, whiten

SHARE_FOR_PICTURES = 0.5
"""The share of a GPU's free memory that a training set may take; a larger one stays outside."""


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


Learned = tuple[Tensor, Tensor, Tensor]
"""Loss, scores and labels of a part of a batch."""


def _nothing(*told: object) -> None:
    """A watcher that does not care."""


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens: at each step, and at each look at the validation pictures."""

    step: Callable[[Moment], None] = _nothing
    row: Callable[[Row, dict[str, Tensor] | None], None] = _nothing
    """With the weights, as state_dict in float32, when they are the best so far."""
    save: Callable[[State], None] = _nothing
    """With all that the training needs to go on, now and then and when it is interrupted."""
    notice: Callable[[str], None] = _nothing
    """With what is to be said and recorded."""
    whole: Callable[[], AbstractContextManager[None]] = nullcontext
    """Gives what steps and saving happen in, so that nothing interrupts them."""
    wanted: Callable[[], bool] = bool
    """Whether this process was asked to end, where several end together."""


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
    heads_of = scores_of(network)
    weights = class_weights(labels, len(data.classes)) if settings.balance else None
    cross_entropy = partial(
        functional.cross_entropy, weight=weights, label_smoothing=settings.label_smoothing
    )
    clock, best, schedule = Clock(settings, batches), Best(len(data.val)), Schedule(settings)
    moving = Moving(network, optimizer, batches, clock, Tally(machine.device), best, schedule)
    moving.pieces = pieces_of(settings.accumulate, batches.size, team)
    rows = moving.rows
    alone_on_cpu = machine.device.type == "cpu" and team.size == 1
    if resume is not None:
        put_back(moving, resume.state, resume.path)
        moving.pieces = min(moving.pieces, batches.size // team.size)
    if not team.leads:
        torch.manual_seed(settings.seed + clock.steps + team.rank)  # for dropout of its own
    team.meet()
    interrupted = False

    def validate() -> tuple[float, float]:
        with optimizer.shown():
            seen = probabilities(
                network,
                data.val.images,
                normalise,
                device=machine.device,
                precision=machine.dtype,
                team=team,
            )
        learning(network)
        return score(seen, data.val.labels)

    def share() -> float:
        return schedule.share(clock.progress, clock.epoch)

    def look(validation: tuple[float, float]) -> None:
        """Keep the weights if they are the best, and tell the watcher."""
        row = clock.row(settings.lr * share(), moving.tally, *validation)
        weights = optimizer.state()
        with watcher.whole():
            rows.append(row)
            clock.looks += 1
            schedule.looked(row.val_loss)
            kept = best.take(row, weights)
            moving.tally = Tally(machine.device)
            watcher.row(row, weights if kept else None)

    def save() -> None:
        began = time.perf_counter()
        with watcher.whole():
            watcher.save(capture(moving))
        clock.saved(time.perf_counter() - began)

    def loss_of(scores: Tensor, batch: Batch) -> Tensor:
        loss = cross_entropy(scores, batch.labels)
        if batch.share == 1:
            return loss
        return torch.lerp(cross_entropy(scores, batch.others), loss, batch.share)

    def learn(batch: Batch) -> list[Learned]:
        """The gradients of a batch, part by part, and what each part was."""
        found = []
        for part in batch.parts(moving.pieces):
            scores, *sides = heads_of(to_input(part.pictures, normalise, machine.dtype))
            loss = loss_of(scores, part)
            if teacher is not None:
                far = distance(scores, teacher(part.pictures), settings.temperature)
                loss = torch.lerp(loss, far, settings.distil)
            if alone_on_cpu and not math.isfinite(float(loss.detach())):
                raise Diverged([data.train.files[place] for place in part.places.tolist()])
            whole = sum((settings.tap_weight * loss_of(side, part) for side in sides), loss)
            if len(part.labels) < batches.size:
                whole = whole * (len(part.labels) / batches.size)
            whole.backward()
            found.append((loss.detach(), scores.detach(), part.labels))
        return found

    def step() -> None:
        batch = batches.next()
        while True:
            try:
                learned = learn(batch)
                break
            except (RuntimeError, MemoryError) as error:
                if team.is_lost(error):
                    raise team.gone(error) from None
                if not is_out_of_memory(error):
                    raise
                if team.size > 1:
                    raise UserError(too_large(team, moving.pieces)) from None
            optimizer.forget()
            moving.pieces = halved(moving.pieces, batches.size, network.graph, machine)
            watcher.notice(in_parts(moving.pieces, batches.size, clock.steps + 1))
        ends = count(learned)
        optimizer.step(share())
        clock.stop()
        if team.size > 1:
            clock.agree(team.sum([clock.recent[-1] if team.leads else 0.0])[0])
        if ends:
            raise KeyboardInterrupt

    def count(learned: list[Learned]) -> bool:
        """Add up what all processes learned; whether any of them was asked to end."""
        if team.size == 1:
            for loss, scores, labels in learned:
                moving.tally.add(loss, scores, labels)
            return False
        own = Tally(machine.device)
        for loss, scores, labels in learned:
            own.add(loss, scores, labels)
        sums = [float(own.loss), float(own.right), float(own.images)]
        lost = [
            float(rank == team.rank and not math.isfinite(sums[0])) for rank in range(team.size)
        ]
        ends, *found = team.sum(
            [float(watcher.wanted()), *lost, *(0.0 if any(lost) else each for each in sums)]
        )
        shares = [
            batches.chosen[share_of(batches.size, rank, team.size)]
            for rank in range(team.size)
            if found[rank]
        ]
        if shares:
            raise Diverged([data.train.files[place] for place in torch.cat(shares).tolist()])
        moving.tally.add_sums(*found[team.size :])
        team.add_up(optimizer.gradients())
        return ends > 0

    def mean_loss() -> float:
        """The loss of late, which the steps until now have led to."""
        loss = moving.tally.mean_loss()
        if clock.steps and moving.tally.images and not math.isfinite(loss):
            raise Diverged([])
        return loss

    def looked() -> bool:
        return bool(rows) and rows[-1].step == clock.steps

    learning(network)
    try:
        clock.start()
        while True:
            if clock.steps and clock.to_look() and not looked():
                mean_loss()
                if not rows:
                    save()
                look(validate())
                if stands_still(rows, settings.stop_after):
                    watcher.notice(
                        f"stopped at epoch {clock.epoch:.1f}: the validation loss was not lower "
                        f"for {settings.stop_after} looks"
                    )
                    break
                clock.start()
            if clock.over:
                break
            if clock.to_save() or (save_first and not clock.steps):
                save()
                clock.start()
            with watcher.whole():
                step()
            if clock.to_show():
                watcher.step(clock.moment(mean_loss()))
    except KeyboardInterrupt:
        interrupted = True
        try:
            save()
            if not looked():
                mean_loss()
                look(validate())
        except KeyboardInterrupt:
            if best.is_empty:
                look((math.nan, math.nan))
    except Diverged as diverged:
        if best.is_empty and clock.steps and _are_finite(optimizer):
            with suppress(StriateError):  # what the weights give may be infinite already
                look(validate())
        raise StriateError(_diverged(clock.steps, settings, diverged.files)) from None
    return Trained(
        best.weights,
        tuple(rows),
        best.row,
        clock.steps,
        clock.epoch,
        clock.seconds,
        interrupted,
        moving.pieces,
    )


class Diverged(Exception):  # noqa: N818
    """The loss of a batch is not a finite number."""

    def __init__(self, files: list[str]) -> None:
        super().__init__()
        self.files = files
        """The batch's pictures, where it is known which batch it was."""


def _are_finite(optimizer: Optimizer) -> bool:
    return all(bool(torch.isfinite(weight.master).all()) for weight in optimizer.weights)


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


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights that let every class count alike: pictures of a class on average, by its own."""
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1))


def stands_still(rows: Sequence[Row], looks: int) -> bool:
    """Whether the validation loss was not lower for so many looks; never for 0."""
    losses = [row.val_loss for row in rows]
    return bool(looks) and len(losses) > looks and min(losses[-looks:]) >= min(losses[:-looks])


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


_NAMED = 4
"""Pictures of a batch that are named at most."""


def _diverged(steps: int, settings: Settings, files: list[str]) -> str:
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    batch = f"Its batch: {', '.join(files[:_NAMED])}{more}. " if files else ""
    return (
        "the training diverged: the loss is not a finite number at step "
        f"{steps + 1 if files else steps}. {batch}Try a smaller rate, such as --lr "
        f"{settings.lr / 4:g}"
    )
