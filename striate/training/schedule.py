"""The learning rate's share of its peak, from the first step to the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from striate.training.settings import Settings

LEAST = 0.01
"""The share at the very first step of a warm-up."""
BETTER = 1e-3
"""A validation loss counts as lower when it is lower by this share of itself."""


class Schedule:
    """Knows the share at any point of a training; of a plateau also from what the looks saw."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.drops = 0
        """How often the loss has stood still, for `plateau`."""
        self.lowest = math.inf
        self.waited = 0
        """Looks since the validation loss was lowest."""

    def share(self, progress: float, epoch: float) -> float:
        """The share at a point of the training, from 0 to 1, where so many epochs are done."""
        warmup = self.settings.warmup
        if progress < warmup:
            return max(progress / warmup, LEAST)
        if self.settings.schedule == "plateau":
            return self.settings.drop**self.drops
        return _SHAPES[self.settings.schedule](
            (progress - warmup) / (1 - warmup), epoch, self.settings
        )

    def looked(self, loss: float) -> None:
        """A look saw this loss on the validation pictures."""
        if math.isnan(loss) or loss < self.lowest * (1 - BETTER):
            self.lowest, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.settings.patience:
            self.drops, self.waited = self.drops + 1, 0

    def numbers(self) -> dict[str, float]:
        """All that changes, by name."""
        return {"drops": self.drops, "lowest": self.lowest, "waited": self.waited}

    def put_back(self, numbers: Mapping[str, float]) -> None:
        """Go on from such numbers."""
        self.drops, self.waited = int(numbers["drops"]), int(numbers["waited"])
        self.lowest = numbers["lowest"]


def _drops(at: float, epoch: float, settings: Settings) -> float:
    return settings.drop ** math.floor(epoch / settings.drop_every + 1e-9)


_SHAPES: Mapping[str, Callable[[float, float, Settings], float]] = {
    "line": lambda at, epoch, settings: max(0.0, 1 - at),
    "cosine": lambda at, epoch, settings: (1 + math.cos(math.pi * min(1.0, at))) / 2,
    "constant": lambda at, epoch, settings: 1.0,
    "drops": _drops,
}
"""Each shape behind the warm-up: of the part of the training behind it, from 0 to 1."""
