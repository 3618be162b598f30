"""Which learning rate a network takes: the loss while the rate rises.

Smith 2015, "Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186, section 3.3:
one short training in which the rate grows from far too small to far too large.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch

from striate.drawing.plots import Series, line_plot
from striate.drawing.scene import Scene
from striate.errors import StriateError
from striate.training.augment import Batches
from striate.training.device import lower_precision, resident
from striate.training.lesson import Lesson
from striate.training.optimise import Optimizer, macs_of
from striate.training.preparing import Ready

STEPS = 120
LOWEST, HIGHEST = 1e-4, 100.0
"""Where the rate begins and ends, in units of the recipe's own."""
KEEP = 0.9
"""The share of the mean loss until now that a step keeps."""
TOO_MUCH = 3.0
"""A loss that is so many times the lowest ends the test."""
FALLEN = 0.95
"""The share of its fall after which the loss counts as low."""
BACK = 3.0
"""The proposal is the first rate with a low loss, divided by this: there it still falls, and the
smoothed loss is late."""


@dataclass(frozen=True)
class Rates:
    """The loss at each rate, smoothed, and the rate that follows from it."""

    network: str
    optimizer: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    proposal: float
    usual: float
    """The recipe's own rate."""

    def to_json(self) -> str:
        """The numbers as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def table(self) -> str:
        """The loss at a few rates, and the proposal."""
        low, high = min(self.losses), max(self.losses)
        chosen = range(0, len(self.rates), max(1, len(self.rates) // 16))
        lines = [f"{'rate':>10}  {'loss':>7}"]
        for i in chosen:
            share = (self.losses[i] - low) / (high - low) if high > low else 0.0
            bar = "█" * round(30 * share)
            lines.append(f"{self.rates[i]:>10.2g}  {self.losses[i]:7.3f}  {bar}".rstrip())
        told = f"--lr {self.proposal:.2g} for {self.optimizer}; the recipe takes {self.usual:.2g}"
        return "\n".join([*lines, "", told])

    def scene(self) -> Scene:
        """The loss over the rate, which is in powers of 10."""
        powers = [math.log10(rate) for rate in self.rates]
        at = math.log10(self.proposal)
        low, high = min(self.losses), max(self.losses)
        return line_plot(
            [
                Series("loss", powers, self.losses),
                Series(f"proposed: {self.proposal:.2g}", [at, at], [low, high]),
            ],
            title=f"{self.network}: loss while the rate of {self.optimizer} rises",
            x_label="rate, in powers of 10",
            y_label="loss",
        )


def find_rate(ready: Ready, progress: Callable[[int, int], None] | None = None) -> Rates:
    """Train for up to 120 steps at rising rates. The network's weights are of no use behind it.

    `progress(done, total)` is told of steps. Raises StriateError when the loss never falls.
    """
    settings, machine = ready.chosen.settings, ready.machine
    generator = torch.Generator(machine.device).manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    part = ready.pictures.train
    images = resident(part.images, machine.device)
    labels = torch.tensor(part.labels, device=machine.device)
    network = ready.network
    network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = Batches(images, labels, settings, generator)
    optimizer = Optimizer(network, settings, macs_of(network.graph, batches.size))
    lower_precision(network, machine.dtype)
    lesson = Lesson(network, ready.normalise, settings, machine.dtype)
    network.train()
    rates, losses, mean, lowest = [], [], 0.0, math.inf
    for step in range(STEPS):
        share = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        taught = lesson.teach(batches.next())
        loss = taught.loss
        mean = KEEP * mean + (1 - KEEP) * float(loss.detach())
        smooth = mean / (1 - KEEP ** (step + 1))
        if not math.isfinite(smooth) or smooth > TOO_MUCH * lowest:
            break
        rates.append(share * settings.lr)
        losses.append(smooth)
        lowest = min(lowest, smooth)
        taught.whole.backward()
        optimizer.step(share)
        if progress:
            progress(step + 1, STEPS)
    return Rates(
        ready.source.stem,
        settings.optimizer,
        tuple(rates),
        tuple(losses),
        propose(rates, losses),
        settings.lr,
    )


def propose(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A third of the first rate by which the loss has done 95 % of its fall.

    (A third of the rate with the lowest loss is far too large where the loss stays low over decades
    of rates before it rises, as AdamW's does.) Raises StriateError when the loss never falls.
    """
    lowest = min(losses, default=0.0)
    if not losses or lowest > 0.98 * losses[0]:
        raise StriateError(
            "the loss falls at no rate: the network learns nothing in "
            f"{STEPS} steps. Give larger batches, or look at the network and its pictures"
        )
    low = losses[0] - FALLEN * (losses[0] - lowest)
    return next(rate for rate, loss in zip(rates, losses, strict=True) if loss <= low) / BACK
