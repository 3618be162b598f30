"""A real training step, timed: whole, and operation by operation for each layer."""

from __future__ import annotations

import copy
import statistics
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from striate.errors import UserError
from striate.layers import Shape
from striate.modules.network import Network
from striate.sizing.machine import Machine
from striate.sizing.roofline import Measured
from striate.timing.machine import figure, now
from striate.tracing.record import tensors
from striate.tracing.step import loss_of
from striate.training.device import keep_large_blocks

WARM_UP = 2
FEWEST, MOST = 3, 15
"""Steps that are measured."""
SECONDS = 5.0
"""No further step is begun after so long."""
UNTIMED = ("detach", "view", "alias")
"""Operations without work, which torch does at other places on tensors that have memory."""
TIMED = 3
"""Steps that are timed operation by operation."""


@dataclass(frozen=True)
class Operations:
    """Seconds of each operation but those without work, in the order of the forward pass."""

    names: tuple[str, ...]
    forward: tuple[float, ...]
    backward: tuple[float, ...]
    """Those of the gradient of the operation at that place."""


def measure_step(
    model: nn.Module,
    image: Shape,
    batch: int,
    precision: str,
    machine: Machine,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Measured, Operations]:
    """Train a copy of a network on random images on a device, with as many threads as `machine`.

    `progress(done, total)` is told of steps.

    Raises UserError where torch is of another version than the figures, or has no such device.
    """
    if machine.torch != str(torch.__version__):
        raise UserError(
            f"the stored figures are of torch {machine.torch}, and this is {torch.__version__}. "
            "Run striate machine again"
        )
    if machine.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"the stored figures are of {machine.name}, but torch sees no GPU here. Say "
            "--device cpu"
        )
    keep_large_blocks()
    had = torch.get_num_threads()
    torch.set_num_threads(machine.threads)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            step = _Step(copy.deepcopy(model), (batch, *image), precision, machine.device)
            step.progress = progress
            return step.measured(), step.timed()
    finally:
        torch.set_num_threads(had)


class _Step:
    """A network that trains, with SGD and momentum, on one batch of random images."""

    def __init__(self, model: nn.Module, batch: Shape, precision: str, device: str) -> None:
        self.device = device
        self.precision = precision
        self.model = model.to(device).train()
        self.run = self.model.outputs if isinstance(self.model, Network) else self.model
        self.images = torch.rand(batch, device=device)
        learned = [each for each in self.model.parameters() if each.requires_grad]
        self.optimizer = torch.optim.SGD(learned, 1e-6, momentum=0.9)
        self.progress: Callable[[int, int], None] | None = None

    def forward(self) -> Tensor:
        """The loss of the batch."""
        self.optimizer.zero_grad()
        casting: AbstractContextManager[Any] = nullcontext()
        if self.precision == "bfloat16":
            casting = torch.autocast(self.device, torch.bfloat16)
        with casting:
            return loss_of(self.run(self.images))

    def measured(self) -> Measured:
        """Steps without anything that watches them."""
        begun, found = time.perf_counter(), list[list[float]]()
        while len(found) < WARM_UP + FEWEST or (
            len(found) < WARM_UP + MOST and time.perf_counter() - begun < SECONDS
        ):
            moments = [now(self.device)]
            loss = self.forward()
            moments.append(now(self.device))
            loss.backward()
            moments.append(now(self.device))
            self.optimizer.step()
            moments.append(now(self.device))
            self.tell(len(found) + 1)
            found.append([later - earlier for earlier, later in pairwise(moments)])
        kept = found[WARM_UP:]
        forward, backward, optimizer = (figure(list(part)) for part in zip(*kept, strict=True))
        step = figure([sum(each) for each in kept])
        return Measured(forward, backward, optimizer, step, len(kept))

    def tell(self, done: int) -> None:
        """How far it is; steps that the time does not allow count as done."""
        if self.progress is not None:
            self.progress(done, WARM_UP + MOST + TIMED)

    def timed(self) -> Operations:
        """Steps in which each operation is timed; the median of each."""
        runs = []
        for done in range(TIMED):
            runs.append(self._timed())
            self.tell(WARM_UP + MOST + done + 1)
        first = runs[0]
        same = [run for run in runs if run.names == first.names]
        return Operations(
            first.names,
            tuple(map(statistics.median, zip(*(run.forward for run in same), strict=True))),
            tuple(map(statistics.median, zip(*(run.backward for run in same), strict=True))),
        )

    def _timed(self) -> Operations:
        watch = _Timing(self.device)
        with watch:
            loss = self.forward()
            watch.phase = "backward"
            loss.backward()
        self.optimizer.step()
        backward = tuple(watch.backward[place] for place in range(len(watch.names)))
        return Operations(tuple(watch.names), tuple(watch.forward), backward)


class _Timing(TorchDispatchMode):
    """Times each operation, and gives those of the backward pass to what they differentiate.

    An operation's node in the graph of gradients is numbered before the operation runs: of the
    first operation that runs with a number as high, it is the node.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.phase = "forward"
        self.names: list[str] = []
        self.forward: list[float] = []
        self.backward: defaultdict[int, float] = defaultdict(float)
        self.numbers: list[int] = []

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        begun = now(self.device)
        result = func(*args, **(kwargs or {}))
        took = now(self.device) - begun
        name = func._schema.name.rpartition("::")[2]
        if self.phase == "backward":
            if node := torch._C._current_autograd_node():
                self.backward[bisect_left(self.numbers, node._sequence_nr())] += took
        elif tensors(result) and name not in UNTIMED:
            self.numbers.append(torch._C._autograd._get_sequence_nr() - 1)
            self.names.append(name)
            self.forward.append(took)
        return result
