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
from torch.nn import functional

from striate.drawing.plots import Series, line_plot
from striate.drawing.scene import Scene
from striate.errors import StriateError
from striate.training.augment import Batches
from striate.training.heads import scores_of
from striate.training.loop import lower_precision, macs_of, resident
from striate.training.optimise import Optimizer
from striate.training.prepare import to_input
from striate.training.preparing import Ready

STEPS = 120
LOWEST, HIGHEST = 1e-4, 100.0
"""Where the rate begins and ends, in units of the recipe's own."""
KEEP = 0.9
"""The share of the mean loss until now that a step keeps."""
TOO_MUCH = 3.0
"""A loss that is so many times the lowest ends the test."""
BACK = 3.0
"""The proposal is the rate with the lowest loss, divided by this: there it still falls."""


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
    scores = scores_of(network)
    network.train()
    rates, losses, mean, lowest = [], [], 0.0, math.inf
    for step in range(STEPS):
        share = LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1))
        batch = batches.next()
        found, *_ = scores(to_input(batch.pictures, ready.normalise, machine.dtype))
        loss = functional.cross_entropy(
            found, batch.labels, label_smoothing=settings.label_smoothing
        )
        mean = KEEP * mean + (1 - KEEP) * float(loss.detach())
        smooth = mean / (1 - KEEP ** (step + 1))
        if not math.isfinite(smooth) or smooth > TOO_MUCH * lowest:
            break
        rates.append(share * settings.lr)
        losses.append(smooth)
        lowest = min(lowest, smooth)
        loss.backward()
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
    """A third of the rate with the lowest loss. Raises StriateError when the loss never falls."""
    at = min(range(len(losses)), key=losses.__getitem__, default=0)
    if not losses or losses[at] > 0.98 * losses[0]:
        raise StriateError(
            "the loss falls at no rate: the network learns nothing in "
            f"{STEPS} steps. Give larger batches, or look at the network and its pictures"
        )
    return rates[at] / BACK
