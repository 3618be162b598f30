"""What torch keeps of a network's forward pass until its backward pass has run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from striate.errors import UserError
from striate.graph.load import load_graph
from striate.graph.nodes import Graph
from striate.layers import Shape
from striate.modules.build import outline
from striate.source import Source


def saved_bytes(
    what: str | Path | Source | Graph, *, input: Shape | None = None, batch: int = 1
) -> int:
    """Bytes that a training step keeps from the forward for the backward pass, in float32.

    They are counted as torch's autograd saves them, on its meta device, where nothing is
    computed: the image, the volumes that a gradient is made from, the indices of pools (8 bytes
    each) and the masks of dropout, each once however many layers keep it; taps run along. Weights
    are left out, since they are there in any case. `what` and `input` are those of `striate.size`,
    and so are the errors.
    """
    if batch < 1:
        raise UserError(f"a batch holds at least 1 image, not {batch}")
    network = outline(load_graph(what, input=input)).train()
    kept = Kept((*network.parameters(), *network.buffers()))
    image = torch.empty((batch, *network.graph.input), device="meta")
    with kept.hooks():
        try:
            network.outputs(image)
        except ValueError as error:
            raise UserError(
                f"{network.graph.name} cannot train on a batch of 1 image: batch normalisation of "
                "volumes of 1×1 needs more than one value for each channel. Take a batch of 2"
            ) from error
    return kept.bytes


class Kept:
    """What autograd saves for the backward pass, each piece of memory once.

    `own` are the tensors that are there in any case: parameters and buffers.
    """

    def __init__(self, own: Iterable[Tensor]) -> None:
        self._own = {_storage(tensor): tensor for tensor in own}
        self._kept: dict[int, Tensor] = {}
        self.bytes = 0

    def hooks(self, tell: Callable[[int], None] = lambda _: None) -> AbstractContextManager[None]:
        """While these are entered, all that is saved is counted; `tell` is given what is new."""

        def keep(tensor: Tensor) -> Tensor:
            place = _storage(tensor)
            if place not in self._own and place not in self._kept:
                self._kept[place] = tensor
                count = tensor.untyped_storage().nbytes()
                self.bytes += count
                tell(count)
            return tensor

        return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)


def _storage(tensor: Tensor) -> int:
    """What tells one piece of memory from another, also on the meta device."""
    return tensor.untyped_storage()._cdata
