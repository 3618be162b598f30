"""All that changes while a network is trained, to a file and back: what a training goes on from.

A training that is put back goes on as if it had never stopped: on a CPU, with as many threads, to
the same weights bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from striate.errors import UserError
from striate.modules import Network
from striate.training.augment import Batches
from striate.training.best import Best
from striate.training.clock import Clock, Row, Tally
from striate.training.optimise import Optimizer
from striate.training.schedule import Schedule

FORMAT = 1
_KEY = "striate"


@dataclass
class Moving:
    """The parts of a training that change."""

    network: Network
    optimizer: Optimizer
    batches: Batches
    clock: Clock
    tally: Tally
    best: Best
    schedule: Schedule
    rows: list[Row] = field(default_factory=list)
    pieces: int = 1
    """How many parts a batch is learned from, one after the other."""


@dataclass(frozen=True)
class State:
    """What they are between two steps."""

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]

    @property
    def step(self) -> int:
        """The steps that were made."""
        steps = self.numbers["steps"]
        assert isinstance(steps, int)
        return steps

    def encode(self) -> bytes:
        """The bytes of a safetensors file."""
        from safetensors.torch import save

        plain = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        return save(plain, {_KEY: json.dumps(self.numbers)})


def capture(moving: Moving) -> State:
    """The state between two steps, in tensors of its own on the CPU."""
    clock, batches, best = moving.clock, moving.batches, moving.best
    found = {f"optimizer.{name}": each for name, each in moving.optimizer.memory().items()}
    found |= {f"network.{name}": each for name, each in _without_masters(moving).items()}
    found |= {"order": batches.order, "mirrored": batches.mirrored}
    found |= {"tally.loss": moving.tally.loss, "tally.right": moving.tally.right}
    found |= _generators(batches)
    if best.kept is not None:
        found |= {f"best.{name}": tensor for name, tensor in best.weights.items()}
    return State(
        {name: tensor.detach().to("cpu", copy=True) for name, tensor in found.items()},
        {
            "format": FORMAT,
            "steps": clock.steps,
            "seconds": clock.seconds,
            "recent": list(clock.recent),
            "looks": clock.looks,
            "epoch": batches.epoch,
            "position": batches.position,
            "batch": batches.size,
            "pieces": moving.pieces,
            "images": moving.tally.images,
            "rows": [list(astuple(row)) for row in moving.rows],
            "best": None if best.is_empty else list(astuple(best.row)),
            "top": best.top,
            "schedule": moving.schedule.numbers(),
        },
    )


@torch.no_grad()
def put_back(moving: Moving, state: State, path: Path) -> None:
    """Let a training go on from a state that was read from `path`.

    Raises UserError when it is that of another network or of other pictures.
    """
    there = capture(moving)
    wanted = {name: each.shape for name, each in there.tensors.items() if _is_fixed(name)}
    given = {name: each.shape for name, each in state.tensors.items() if _is_fixed(name)}
    numbers, batches = state.numbers, moving.batches
    if wanted != given or numbers["batch"] != batches.size:
        raise UserError(
            f"{path}: this is the state of another training: its network, its settings or its "
            "pictures were others. Train anew, or put the run's own files back"
        )
    tensors = state.tensors
    for name, tensor in moving.optimizer.memory().items():
        tensor.copy_(tensors[f"optimizer.{name}"])
    for weight in moving.optimizer.weights:
        weight.live.copy_(weight.master)
    for name, tensor in _without_masters(moving).items():
        tensor.copy_(tensors[f"network.{name}"])
    device = batches.device
    batches.order, batches.mirrored = (tensors[name].to(device) for name in ("order", "mirrored"))
    batches.epoch, batches.position = numbers["epoch"], numbers["position"]
    _put_generators_back(batches, tensors)
    clock, tally = moving.clock, moving.tally
    clock.steps, clock.seconds, clock.looks = numbers["steps"], numbers["seconds"], numbers["looks"]
    clock.recent.extend(numbers["recent"])
    tally.loss.copy_(tensors["tally.loss"])
    tally.right.copy_(tensors["tally.right"])
    tally.images = numbers["images"]
    moving.rows[:] = [Row(*values) for values in numbers["rows"]]
    moving.pieces = numbers["pieces"]
    moving.best.top = numbers["top"]
    moving.schedule.put_back(numbers["schedule"])
    if numbers["best"] is not None:
        weights = {
            name.removeprefix("best."): tensor
            for name, tensor in tensors.items()
            if name.startswith("best.")
        }
        moving.best.kept = Row(*numbers["best"]), weights


def read_state(path: Path) -> State:
    """The state in a file. Raises UserError when it is damaged, or written by a newer Striate."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            numbers = json.loads((file.metadata() or {}).get(_KEY, "null"))
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(
            f"{path}: the state of the training is damaged ({error}). Put the file back from a "
            "copy, or remove it: the training then begins again"
        ) from None
    if not isinstance(numbers, dict) or not isinstance(numbers.get("format"), int):
        raise UserError(f"{path}: this is not the state of a training")
    if numbers["format"] > FORMAT:
        raise UserError(
            f"{path}: the state was written by a newer Striate (format {numbers['format']}; this "
            f"one reads up to {FORMAT}). Update Striate to go on"
        )
    return State(tensors, numbers)


def _without_masters(moving: Moving) -> dict[str, Tensor]:
    """Buffers and frozen weights: what the optimizer does not keep."""
    kept = {id(weight.live) for weight in moving.optimizer.weights}
    network = moving.network
    live = dict(network.named_parameters()) | dict(network.named_buffers())
    return {name: tensor for name, tensor in live.items() if id(tensor) not in kept}


def _is_fixed(name: str) -> bool:
    """Whether a tensor has one shape in all states of a training."""
    return not name.startswith(("best.", "generator."))


def _generators(batches: Batches) -> dict[str, Tensor]:
    """What decides chance: that of the batches, and torch's own, which dropout uses."""
    found = {"generator.batches": batches.generator.get_state()}
    found["generator.cpu"] = torch.get_rng_state()
    if batches.device.type == "cuda":
        found["generator.cuda"] = torch.cuda.get_rng_state(batches.device)
    return found


def _put_generators_back(batches: Batches, tensors: Mapping[str, Tensor]) -> None:
    """Where the training goes on on another kind of device, its generators begin anew."""
    torch.set_rng_state(tensors["generator.cpu"])
    on_cuda = batches.device.type == "cuda"
    if on_cuda != ("generator.cuda" in tensors):
        return
    batches.generator.set_state(tensors["generator.batches"])
    if on_cuda:
        torch.cuda.set_rng_state(tensors["generator.cuda"], batches.device)
