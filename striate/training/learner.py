"""One step of a training: the gradients of a batch and what follows from them.

A batch is learned in as many parts as memory asks for, and by all processes of a team together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from striate.errors import is_out_of_memory
from striate.training.augment import Batch
from striate.training.clock import Tally
from striate.training.device import Machine
from striate.training.lesson import Lesson
from striate.training.memory import halved, in_parts
from striate.training.state import Moving
from striate.training.team import Short, Team, share_of
from striate.training.watching import Watcher


class Diverged(Exception):  # noqa: N818
    """The loss of a batch is not a finite number."""

    def __init__(self, files: Sequence[str] = ()) -> None:
        super().__init__()
        self.files = files
        """The batch's pictures, where it is known which batch it was."""


@dataclass(frozen=True)
class _Part:
    """What a part of a batch was, for the tally."""

    loss: Tensor
    scores: Tensor
    labels: Tensor


class Learner:
    """Makes the steps of a training; `files` are the names of its pictures."""

    def __init__(
        self,
        moving: Moving,
        lesson: Lesson,
        files: Sequence[str],
        machine: Machine,
        watcher: Watcher,
        team: Team,
    ) -> None:
        self.moving, self.lesson, self.files = moving, lesson, files
        self.machine, self.watcher, self.team = machine, watcher, team
        self._waits = machine.device.type == "cpu" and team.size == 1
        """Whether each loss is looked at before it is learned from, which costs nothing."""

    def step(self, share: float) -> None:
        """The next batch at `share` of the peak rates.

        Raises Diverged before the weights change, KeyboardInterrupt after a step in which a process
        of the team was asked to end, and UserError where there is too little memory for a picture.
        """
        moving, team = self.moving, self.team
        parts = self._gradients(moving.batches.next())
        ends = self._count(parts)
        moving.optimizer.step(share)
        moving.clock.stop()
        if team.size > 1:
            moving.clock.agree(team.sum([moving.clock.recent[-1] if team.leads else 0.0])[0])
        if ends:
            raise KeyboardInterrupt

    def mean_loss(self) -> float:
        """The loss of late, which the steps until now have led to. Raises Diverged."""
        loss = self.moving.tally.mean_loss()
        if self.moving.clock.steps and self.moving.tally.images and not math.isfinite(loss):
            raise Diverged
        return loss

    def _gradients(self, batch: Batch) -> list[_Part]:
        """Those of a batch, in more parts from now on where it takes a process too much memory."""
        moving, team = self.moving, self.team
        while True:
            try:
                learned = [self._learn(part) for part in batch.parts(moving.pieces)]
                team.ask()
                return learned
            except (RuntimeError, MemoryError) as error:
                if team.is_lost(error):
                    raise team.gone(error) from None
                if not isinstance(error, Short):
                    if not is_out_of_memory(error):
                        raise
                    with suppress(Short):
                        team.ask(short=True)
            moving.optimizer.forget()
            team.spread(moving.network.buffers())
            size, graph = moving.batches.size, moving.network.graph
            moving.pieces = halved(moving.pieces, size, team, graph, self.machine)
            self.watcher.notice(in_parts(moving.pieces, size, team, moving.clock.steps + 1))

    def _learn(self, part: Batch) -> _Part:
        """Add the gradients of a part, which counts as much as its share of the batch."""
        taught = self.lesson.teach(part, self.moving.clock.progress)
        if self._waits and not math.isfinite(float(taught.loss.detach())):
            raise Diverged(self._named(part.places))
        whole, size = taught.whole, self.moving.batches.size
        if len(part.labels) < size:
            whole = whole * (len(part.labels) / size)
        whole.backward()
        return _Part(taught.loss.detach(), taught.scores.detach(), part.labels)

    def _count(self, parts: Sequence[_Part]) -> bool:
        """Add up what all processes learned; whether any of them was asked to end."""
        moving, team = self.moving, self.team
        if team.size == 1:
            for part in parts:
                moving.tally.add(part.loss, part.scores, part.labels)
            return False
        own = Tally(self.machine.device)
        for part in parts:
            own.add(part.loss, part.scores, part.labels)
        sums = [float(own.loss), float(own.right), float(own.images)]
        lost = [
            float(rank == team.rank and not math.isfinite(sums[0])) for rank in range(team.size)
        ]
        ends, *found = team.sum(
            [float(self.watcher.wanted()), *lost, *(0.0 if any(lost) else each for each in sums)]
        )
        batches = moving.batches
        shares = [
            batches.chosen[share_of(batches.size, rank, team.size)]
            for rank in range(team.size)
            if found[rank]
        ]
        if shares:
            raise Diverged(self._named(torch.cat(shares)))
        moving.tally.add_sums(*found[team.size :])
        team.add_up(moving.optimizer.gradients())
        return ends > 0

    def _named(self, places: Tensor) -> list[str]:
        return [self.files[place] for place in places.tolist()]
