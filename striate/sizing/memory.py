"""The memory of a training step: what each layer takes, and what is alive at each moment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from striate.errors import UserError
from striate.layers import Shape

OPTIMIZERS = ("sgd", "momentum", "adam")
PRECISIONS = ("float32", "bfloat16")
KINDS = ("parameters", "optimizer", "image", "saved", "gradients", "passing")
"""What bytes are alive for: weights and buffers; the optimizer's state; the batch of images and
its answers; what is kept for the backward pass; gradients of weights; all else, such as an output
that only the next layer reads."""
PHASES = ("forward", "backward", "optimizer")


@dataclass(frozen=True)
class StepSettings:
    """How a training step is done. Raises UserError for a word that there is not."""

    optimizer: str = "momentum"
    """`sgd`: no state. `momentum`: one value for each weight. `adam`: two, as AdamW has."""
    precision: str = "float32"
    """`bfloat16`: the forward pass and the loss under torch's autocast."""
    channels_last: bool = False
    checkpoint: tuple[str, ...] = ()
    """Modules, by name or pattern such as `layer?.*`, whose forward pass is done again in the
    backward pass instead of being kept."""

    def __post_init__(self) -> None:
        for name, known in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS)):
            if (value := getattr(self, name)) not in known:
                raise UserError(f"{name} is {value!r}; expected one of {', '.join(known)}")

    def __str__(self) -> str:
        parts = [self.optimizer, self.precision]
        if self.channels_last:
            parts.append("channels-last")
        if self.checkpoint:
            parts.append(f"checkpointing {', '.join(self.checkpoint)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class MemoryRow:
    """What one layer takes, in bytes; of outputs and what is saved, for the whole batch."""

    name: str
    kind: str
    output: Shape
    parameters: int
    """Weights, where they are first used."""
    gradients: int
    """Those of its weights that learn: as large as these."""
    optimizer: int
    output_bytes: int
    saved: int
    """What is kept for the backward pass that no layer before it keeps."""
    live: int
    """All that is alive when its forward pass has ended; 0 for one that does not run."""
    backward: int
    """The most that is alive during its backward pass; 0 where it has none."""


@dataclass(frozen=True)
class Instant:
    """What is alive after one operation of the step."""

    phase: str
    layer: str
    """The layer at work; empty for the loss and the optimizer."""
    operation: str
    live: tuple[int, ...]
    """Bytes by kind, in the order of `KINDS`."""

    @property
    def bytes(self) -> int:
        """All bytes that are alive."""
        return sum(self.live)


@dataclass(frozen=True)
class Memory:
    """The memory of a training step after the first, whose optimizer has its state.

    Gradients are freed before the forward pass, as `zero_grad()` does. Bytes are those of tensors'
    storages: what a kernel takes for itself while it runs is not in them, nor the allocator's
    rounding.
    """

    name: str
    input: Shape
    batch: int
    settings: StepSettings
    rows: tuple[MemoryRow, ...]
    image: int
    buffers: int
    timeline: tuple[Instant, ...]

    @property
    def peak(self) -> Instant:
        """The first moment at which most is alive."""
        return max(self.timeline, key=lambda instant: instant.bytes)

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the rows, and the peak."""
        columns = ("parameters", "gradients", "optimizer", "output_bytes", "saved")
        sums = {name: sum(getattr(row, name) for row in self.rows) for name in columns}
        return sums | {"buffers": self.buffers, "image": self.image, "peak": self.peak.bytes}

    def to_json(self) -> str:
        """The memory as JSON, in the form that docs/memory.md promises."""
        peak = self.peak
        told: dict[str, Any] = {
            "name": self.name,
            "input": self.input,
            "batch": self.batch,
            "settings": asdict(self.settings),
            "layers": [asdict(row) for row in self.rows],
            "totals": self.totals,
            "peak": _instant(peak),
            "timeline": [_instant(instant) for instant in self.timeline],
        }
        return json.dumps(told, ensure_ascii=False) + "\n"

    def table(self, width: int = 100) -> str:
        """The memory for people, in lines of at most `width` characters."""
        from striate.sizing.memory_table import table

        return table(self, width)


@dataclass(frozen=True)
class Fits:
    """The largest batch that fits, its memory, and that of the next batch, which does not."""

    limit: int
    memory: Memory
    next: Memory | None
    """None where the batch is as large as any that is tried."""

    def to_json(self) -> str:
        """The batch and both peaks as JSON."""
        beyond = None if self.next is None else self.next.peak.bytes
        told = {
            "limit": self.limit,
            "batch": self.memory.batch,
            "peak": self.memory.peak.bytes,
            "next_peak": beyond,
        }
        return json.dumps(told) + "\n"


def _instant(instant: Instant) -> dict[str, Any]:
    kinds = dict(zip(KINDS, instant.live, strict=True))
    told = {"phase": instant.phase, "layer": instant.layer, "operation": instant.operation}
    return told | {"bytes": instant.bytes} | kinds
