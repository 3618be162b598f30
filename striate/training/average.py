"""The weights to keep: the last ones, or an average over the latest part of the training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from striate.training.optimise import Optimizer


class Average:
    """An exponential average of a network's weights and running statistics, in float32.

    `share` is the part of the whole training over which it reaches (Polyak & Juditsky 1992; the
    form of Tarvainen & Valpola 2017, which follows closely at first). With 0 nothing is averaged.
    """

    def __init__(self, network: nn.Module, optimizer: Optimizer, share: float) -> None:
        masters = {id(weight.live): weight.master for weight in optimizer.weights}
        live = dict(network.named_parameters()) | dict(network.named_buffers())
        self._live = {name: tensor.data for name, tensor in live.items()}
        self._source = {name: masters.get(id(tensor), tensor.data) for name, tensor in live.items()}
        self._share = share
        self._steps = 0
        self._mean = (
            {
                name: tensor.detach().clone()
                for name, tensor in self._source.items()
                if tensor.is_floating_point()
            }
            if share
            else {}
        )

    @torch.no_grad()
    def update(self, expected_steps: float) -> None:
        """Take in the weights after a step of a training of that many steps."""
        self._steps += 1
        if not self._mean:
            return
        reach = max(1.0, self._share * expected_steps)
        weight = max(1 / reach, 10 / (10 + 9 * self._steps))
        torch._foreach_lerp_(
            list(self._mean.values()), [self._source[name] for name in self._mean], weight
        )

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network compute with the average for a while."""
        kept = {name: self._live[name].clone() for name in self._mean}
        for name, tensor in self._mean.items():
            self._live[name].copy_(tensor)
        try:
            yield
        finally:
            for name, tensor in kept.items():
                self._live[name].copy_(tensor)

    def state(self) -> dict[str, Tensor]:
        """A copy of the kept weights, as a state_dict in float32 on the CPU."""
        kept = {**self._source, **self._mean}
        return {
            name: (tensor.float() if tensor.is_floating_point() else tensor).cpu().clone()
            for name, tensor in kept.items()
        }
