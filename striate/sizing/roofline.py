"""The time of a training step, predicted from what a machine was measured to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from striate.layers import Shape
from striate.sizing.machine import Figure, Machine
from striate.sizing.work import Task, Work

BOUNDS = ("arithmetic", "memory", "overhead")
OPTIMIZER_PASSES = 5
"""How often SGD with momentum moves a weight's bytes: weight and momentum are read and written, the
gradient read."""
OPTIMIZER_OPERATIONS = 3


@dataclass(frozen=True)
class TimeRow:
    """The time of one layer in one training step, in seconds."""

    name: str
    kind: str
    output: Shape
    """For one image."""
    forward: float
    backward: float
    bound: str
    """What takes most of both: `arithmetic`, `memory` or `overhead`; empty for no work at all."""
    measured_forward: float | None = None
    measured_backward: float | None = None

    @property
    def seconds(self) -> float:
        """Both passes as they are predicted."""
        return self.forward + self.backward

    @property
    def measured(self) -> float | None:
        """Both passes as they were measured; None where they were not."""
        if self.measured_forward is None or self.measured_backward is None:
            return None
        return self.measured_forward + self.measured_backward


@dataclass(frozen=True)
class Measured:
    """Real steps, whole: seconds of each part, and of all."""

    forward: Figure
    """With the loss."""
    backward: Figure
    optimizer: Figure
    step: Figure
    steps: int


@dataclass(frozen=True)
class Times:
    """The time of a training step by roofline, beside that of real ones where they were measured.

    docs/time.md defines every number and tells how far from the truth they are.
    """

    name: str
    input: Shape
    batch: int
    precision: str
    machine: Machine
    rows: tuple[TimeRow, ...]
    optimizer: float
    """Seconds of SGD with momentum."""
    measured: Measured | None = None

    @property
    def forward(self) -> float:
        """Seconds of the forward pass."""
        return sum(row.forward for row in self.rows)

    @property
    def backward(self) -> float:
        """Seconds of the backward pass."""
        return sum(row.backward for row in self.rows)

    @property
    def step(self) -> float:
        """Seconds of the whole step."""
        return self.forward + self.backward + self.optimizer

    @property
    def error(self) -> float | None:
        """The predicted step over the measured one, less one; None where it was not measured."""
        return None if self.measured is None else self.step / self.measured.step.median - 1

    def to_json(self) -> str:
        """The times as JSON, in the form that docs/time.md promises."""
        names = ("device", "name", "threads", "torch", "measured")
        told: dict[str, Any] = {
            "name": self.name,
            "input": self.input,
            "batch": self.batch,
            "precision": self.precision,
            "machine": {name: getattr(self.machine, name) for name in names},
            "layers": [asdict(row) for row in self.rows],
            "totals": {
                "forward": self.forward,
                "backward": self.backward,
                "optimizer": self.optimizer,
                "step": self.step,
            },
            "measured": None if self.measured is None else asdict(self.measured),
            "error": self.error,
        }
        return json.dumps(told, ensure_ascii=False) + "\n"

    def table(self, width: int = 100) -> str:
        """The times for people, in lines of at most `width` characters."""
        from striate.sizing.time_table import table

        return table(self, width)


def predict(
    name: str,
    input: Shape,
    batch: int,
    precision: str,
    works: Iterable[Work],
    weights: Sequence[int],
    machine: Machine,
) -> Times:
    """The time of a step that does this work; `weights` are the values of each that learns.

    A step comes back to no memory before it has moved all of it: the bandwidth is that of a copy
    of as many bytes as the whole step moves.
    """
    works, moved = tuple(works), OPTIMIZER_PASSES * 4 * sum(weights)
    bandwidth = machine.bytes_per_second(
        moved + sum(task.bytes for work in works for task in work.tasks)
    )
    rows = tuple(_row(work, precision, machine, bandwidth) for work in works)
    each = machine.seconds_each("copy", backward=False)
    optimizer = len(weights) * OPTIMIZER_OPERATIONS * each + moved / bandwidth
    return Times(name, input, batch, precision, machine, rows, optimizer)


def parts(task: Task, precision: str, machine: Machine, bandwidth: float) -> dict[str, float]:
    """The seconds of a task that each bound asks for, at so many bytes a second."""
    arithmetic = 0.0
    if task.arithmetic:
        rate = machine.per_second(precision, task.family, task.at, backward=task.backward)
        arithmetic = task.arithmetic / rate
    overhead = machine.seconds_each(task.family, backward=task.backward)
    return {"arithmetic": arithmetic, "memory": task.bytes / bandwidth, "overhead": overhead}


def _row(work: Work, precision: str, machine: Machine, bandwidth: float) -> TimeRow:
    passes, bounds = [0.0, 0.0], dict.fromkeys(BOUNDS, 0.0)
    for task in work.tasks:
        asked = parts(task, precision, machine, bandwidth)
        took = roofline(asked, queued=machine.device == "cuda")
        passes[task.backward] += took
        bounds[max(asked, key=asked.__getitem__)] += took
    bound = max(bounds, key=bounds.__getitem__) if work.tasks else ""
    forward, backward = passes
    return TimeRow(work.name, work.kind, work.output, forward, backward, bound)


def roofline(asked: dict[str, float], *, queued: bool) -> float:
    """The slower of arithmetic and memory, and the overhead before them.

    A GPU works through a queue that is filled meanwhile, so that there the slowest of all counts.
    """
    work = max(asked["arithmetic"], asked["memory"])
    return max(work, asked["overhead"]) if queued else work + asked["overhead"]
