"""A network's probabilities for many pictures, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from striate.errors import StriateError
from striate.training.prepare import to_input, to_scores
from striate.training.team import ALONE, Team

if TYPE_CHECKING:
    from striate.data.pictures import Pixels
    from striate.modules import Network
    from striate.training.run import Normalise

Progress = Callable[[int, int], None]

_MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass(frozen=True)
class Views:
    """What of a picture a network is shown, beside the picture itself."""

    flip: bool = False
    """Its mirror image, left for right, and that of each move."""
    moves: bool = False
    """The picture moved by one pixel up, down, left and right."""

    def of(self, rows: Tensor) -> Iterator[Tensor]:
        """Pictures N×H×W×C as they are, and each of their views."""
        for view in self._moved(rows) if self.moves else (rows,):
            yield view
            if self.flip:
                yield view.flip(2)

    def _moved(self, rows: Tensor) -> Iterator[Tensor]:
        """Past the edges of grey pictures lies black, past those of others the nearest pixel."""
        yield rows
        height, width, channels = rows.shape[1:]
        if channels == 1:
            padded = functional.pad(rows, (0, 0, 1, 1, 1, 1))
        else:
            padded = rows[:, _with_edges(height)][:, :, _with_edges(width)]
        for down, right in _MOVES:
            yield padded[:, 1 - down : 1 - down + height, 1 - right : 1 - right + width]


ONE = Views()
"""The picture alone."""

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
    views: Views = ONE,
    progress: Progress | None = None,
    team: Team = ALONE,
) -> NDArray[np.float32]:
    """The softmax of the network's outputs, N×K float32, for pictures N×H×W×C uint8.

    The network is moved to `device` and computes in evaluation mode; its mode is put back. A
    `precision` other than that of its weights is reached by autocasting. Each value is the mean of
    those for the picture's `views`. `progress(done, total)` is told of
    pictures. The processes of a `team` take turns at batches, and all get the whole. Raises
    StriateError when an output is not a finite number.
    """
    device = torch.device(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = batch or batch_size(images.shape[1:], device)
    own = next((weights.dtype for weights in network.parameters()), torch.float32)
    results = np.zeros((len(images), network.graph.output[0]), np.float32)
    was_training = network.training
    network.eval()
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, precision, enabled=precision not in (own, torch.float32)),
        ):
            for start in range(team.rank * size, len(images), team.size * size):
                rows = torch.from_numpy(np.array(images[start : start + size])).to(device)
                found = _softmax(network, rows, normalise, precision, views)
                results[start : start + len(rows)] = found.cpu().numpy()
                if progress:
                    progress(start + len(rows), len(images))
    finally:
        network.train(was_training)
    results = team.joined(results)
    if not np.isfinite(results).all():
        raise StriateError(_not_finite(results))
    return results


def batch_size(shape: tuple[int, ...], device: torch.device) -> int:
    """Pictures of H×W×C that go through a network at once: as many as caches and memory like."""
    values = max(1, int(np.prod(shape)))
    wanted = _BATCH_VALUES.get(device.type, _BATCH_VALUES["cpu"]) // values
    return max(_SMALLEST_BATCH, min(_LARGEST_BATCH, wanted))


def _with_edges(size: int) -> Tensor:
    """The places along a line, its first and its last one twice."""
    return torch.arange(-1, size + 1).clamp(0, size - 1)


def _softmax(
    network: Network, rows: Tensor, normalise: Normalise, precision: torch.dtype, views: Views
) -> Tensor:
    """Probabilities N×K for pictures N×H×W×C, in the mean over their views."""
    found = [
        to_scores(network.graph, network(to_input(view, normalise, precision))).softmax(1)
        for view in views.of(rows)
    ]
    return torch.stack(found).mean(0) if len(found) > 1 else found[0]


def _not_finite(results: NDArray[np.float32]) -> str:
    bad = int((~np.isfinite(results)).any(1).sum())
    return (
        f"the network's outputs for {bad} of {len(results)} pictures are not finite numbers (nan "
        "or infinity): its weights have diverged. Train again with a smaller --lr"
    )
