"""What torch keeps of a network's forward pass until its backward pass has run."""

from __future__ import annotations

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
    own = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            kept[_storage(tensor)] = tensor
        return tensor

    image = torch.empty((batch, *network.graph.input), device="meta")
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        try:
            network.outputs(image)
        except ValueError as error:
            raise UserError(
                f"{network.graph.name} cannot train on a batch of 1 image: batch normalisation of "
                "volumes of 1×1 needs more than one value for each channel. Take a batch of 2"
            ) from error
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def _storage(tensor: Tensor) -> int:
    """What tells one piece of memory from another, also on the meta device."""
    return tensor.untyped_storage()._cdata
