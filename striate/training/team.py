"""Several processes that train one network together, as torchrun starts them.

Every process has the whole network. Of each batch each learns a share; gradients, the statistics of
batch normalisation and what is counted are summed over all. The first process leads: it alone
writes and speaks.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from striate.errors import StriateError
from striate.modules import Replay

_BACKENDS = "cpu:gloo,cuda:nccl"
"""What lies on the CPU goes over gloo also where GPUs learn, so that none of them is waited for."""

_WAIT = timedelta(hours=2)
"""How long a process waits for the others: the first one reads all pictures before they do."""


class Short(RuntimeError):  # noqa: N818
    """A process of the team has too little memory for what all of them are at."""


@dataclass(frozen=True)
class Team:
    """The processes of a training, and which of them this is; one is a team too."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of so many things are this process's; the first ones have one more."""
        return share_of(count, self.rank, self.size)

    def meet(self) -> None:
        """Wait until all have come here."""
        self.sum([0.0])

    def leave(self, status: int = 0) -> None:
        """End together, with an exit status, where there are several; nothing else.

        torchrun ends all when one is gone. A thread of gloo's that still runs while Python takes
        itself apart can abort the process, so that this is left out.
        """
        if self.size > 1:
            self.meet()
            torch.distributed.destroy_process_group()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    @contextmanager
    def first(self) -> Iterator[None]:
        """The leader does what follows, and then the others do."""
        if not self.leads:
            self.meet()
        yield
        if self.leads:
            self.meet()

    def word(self, text: str) -> str:
        """What the leader says, to all."""
        if self.size == 1:
            return text
        given = [text]
        with self._together():
            torch.distributed.broadcast_object_list(given)
        return given[0]

    def sum(self, numbers: Sequence[float]) -> list[float]:
        """The sums of numbers that each process has."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64)
        with self._together():
            torch.distributed.all_reduce(total)
        return [float(each) for each in total.tolist()]

    def ask(self, *, short: bool = False) -> None:
        """Ask whether all have memory for what comes next, or tell that this one is `short` of it.

        Raises Short in all processes where one is. Before every other exchange of a step they ask
        each other, so that one which cannot go on has something to answer to.
        """
        if self.size > 1 and any(self.sum([float(short)])):
            raise Short

    def add_up(self, gradients: Sequence[Tensor]) -> None:
        """Each tensor becomes its sum over all processes, in float32 on the way."""
        if self.size == 1 or not gradients:
            return
        flat = torch.cat([each.reshape(-1).float() for each in gradients])
        with self._together():
            torch.distributed.all_reduce(flat)
        for own, total in zip(
            gradients, flat.split([each.numel() for each in gradients]), strict=True
        ):
            own.copy_(total.view_as(own))

    def joined(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """One array of those in which each process has filled in its own rows and left 0 else."""
        if self.size == 1:
            return rows
        total = torch.from_numpy(rows)
        with self._together():
            torch.distributed.all_reduce(total)
        return total.numpy()

    def begin_alike(self, network: nn.Module) -> None:
        """Give every process the leader's weights, and batch normalisation all pictures."""
        if self.size == 1:
            return
        self.spread((*network.parameters(), *network.buffers()))
        if isinstance(network, Replay):
            network.batch_norm = partial(_batch_norm, self)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                vars(module)["forward"] = partial(_normalised, module, self)

    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Make tensors what they are in the leader."""
        if self.size == 1:
            return
        with self._together(), torch.no_grad():
            for tensor in tensors:
                torch.distributed.broadcast(tensor, 0)

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise self.gone(error) from None

    def is_lost(self, error: Exception) -> bool:
        """Whether an error says that another process cannot be reached."""
        return self.size > 1 and any(word in str(error) for word in ("gloo", "NCCL", "TCPStore"))

    def gone(self, error: Exception) -> StriateError:
        """What to tell of that."""
        told = re.sub(r"\[[^\]]*\.(cc|cpp):\d+\] *", "", str(error).strip()).partition("\n")[0]
        return StriateError(
            f"process {self.rank} of {self.size} lost the others: {told.partition('. ')[0]}. What "
            "was saved is whole; striate train --resume RUN goes on, with any number of processes"
        )


ALONE = Team()


@cache
def join() -> Team:
    """The team that torchrun's variables tell of; a process alone where there are none."""
    found = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR")]
    if not all(found) or found[1] == "1":
        return ALONE
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    torch.distributed.init_process_group(_BACKENDS if on_gpu else "gloo", timeout=_WAIT)
    return Team(torch.distributed.get_rank(), torch.distributed.get_world_size())


def share_of(count: int, rank: int, size: int) -> slice:
    """Which of so many things are one process's; the first processes have one more."""
    least, more = divmod(count, size)
    start = rank * least + min(rank, more)
    return slice(start, start + least + (rank < more))


class _Summed(torch.autograd.Function):
    """A tensor's sum over all processes of a team, and so its gradient's."""

    @staticmethod
    def forward(context: Any, input: Tensor, team: Team) -> Tensor:
        context.team = team
        team.ask()
        total = input.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        context.team.ask()
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total, None


def _normalised(module: nn.BatchNorm1d | nn.BatchNorm2d, team: Team, input: Tensor) -> Tensor:
    """What a module normalises together with those of the other processes."""
    if not module.training:
        return type(module).forward(module, input)
    with torch.no_grad():
        module.get_buffer("num_batches_tracked").add_(1)
    return _batch_norm(
        team,
        input,
        module.weight,
        module.bias,
        module.get_buffer("running_mean"),
        module.get_buffer("running_var"),
        module.momentum or 0.0,
        module.eps,
    )


def _batch_norm(
    team: Team,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Tensor:
    """Batch normalisation N×C×… over the pictures of all processes, as their gradients flow too.

    Means and squared distances of the processes are joined by Chan, Golub & LeVeque 1979
    ("Updating formulae"), which loses nothing to cancellation. Channels that stand together (group
    convolutions) count as one.
    """
    channels = len(running_mean)
    wide = input.float().reshape(len(input), channels, -1)
    count = wide.shape[0] * wide.shape[2]
    mean = wide.mean((0, 2))
    squares = (wide - mean[:, None]).square().sum((0, 2))
    own = torch.cat([mean, squares, mean.new_tensor([float(count)])])
    rows = functional.pad(own[None], (0, 0, team.rank, team.size - team.rank - 1))
    rows = _Summed.apply(rows, team)
    counts = rows[:, -1:].detach()
    total = counts.sum()
    means, distances = rows[:, :channels], rows[:, channels:-1]
    mean = (counts * means).sum(0) / total
    variance = (distances + counts * (means - mean).square()).sum(0) / total
    with torch.no_grad():
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (total / (total - 1)), momentum)
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight.float()
    shift = -mean * scale if bias is None else bias.float() - mean * scale
    return (wide * scale[:, None] + shift[:, None]).reshape(input.shape).to(input.dtype)
