"""A network's probabilities for many pictures, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from striate.errors import StriateError
from striate.training.prepare import to_input, to_scores

if TYPE_CHECKING:
    from striate.data.pictures import Pixels
    from striate.modules import Network
    from striate.training.run import Normalise

Progress = Callable[[int, int], None]

_BATCH_VALUES = {"cpu": 1 << 20, "cuda": 1 << 24}
_SMALLEST_BATCH, _LARGEST_BATCH = 8, 1000


def probabilities(
    network: Network,
    images: Pixels,
    normalise: Normalise,
    *,
    device: str | torch.device = "cpu",
    precision: torch.dtype = torch.float32,
    batch: int | None = None,
    flip: bool = False,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The softmax of the network's outputs, N×K float32, for pictures N×H×W×C uint8.

    The network is moved to `device` and computes in evaluation mode; its mode is put back. A
    `precision` other than that of its weights is reached by autocasting. With `flip` each value is
    the mean of those for the picture and its mirror image. `progress(done, total)` is told of
    pictures. Raises StriateError when an output is not a finite number.
    """
    device = torch.device(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = batch or batch_size(images.shape[1:], device)
    own = next((weights.dtype for weights in network.parameters()), torch.float32)
    results = np.empty((len(images), network.graph.output[0]), np.float32)
    was_training = network.training
    network.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, precision, enabled=precision not in (own, torch.float32)),
        ):
            for start in range(0, len(images), size):
                rows = torch.from_numpy(np.array(images[start : start + size])).to(device)
                found = _softmax(network, to_input(rows, normalise, precision), flip)
                results[start : start + len(rows)] = found.cpu().numpy()
                if progress:
                    progress(start + len(rows), len(images))
    finally:
        network.train(was_training)
    if not np.isfinite(results).all():
        raise StriateError(_not_finite(results))
    return results


def batch_size(shape: tuple[int, ...], device: torch.device) -> int:
    """Pictures of H×W×C that go through a network at once: as many as caches and memory like."""
    values = max(1, int(np.prod(shape)))
    wanted = _BATCH_VALUES.get(device.type, _BATCH_VALUES["cpu"]) // values
    return max(_SMALLEST_BATCH, min(_LARGEST_BATCH, wanted))


def _softmax(network: Network, pictures: Tensor, flip: bool) -> Tensor:
    found = to_scores(network.graph, network(pictures)).softmax(1)
    if flip:
        mirrored = to_scores(network.graph, network(pictures.flip(3))).softmax(1)
        found = (found + mirrored) / 2
    return found


def _not_finite(results: NDArray[np.float32]) -> str:
    bad = int((~np.isfinite(results)).any(1).sum())
    return (
        f"the network's outputs for {bad} of {len(results)} pictures are not finite numbers (nan "
        "or infinity): its weights have diverged. Train again with a smaller --lr"
    )
