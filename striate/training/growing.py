"""Pictures that grow while a network trains: the first steps are cheap, the last see all.

Howard 2018 ("Training Imagenet in 3 hours for USD 25; and CIFAR10 for USD 0.26"); Tan & Le 2021,
arXiv 2104.00298, section 4.
"""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor
from torch.nn import functional

from striate.errors import UserError
from striate.graph import Graph
from striate.layers import Pair
from striate.modules.network import misfit
from striate.training.settings import Settings

GROWN = 2 / 3
"""The share of the training after which pictures are whole."""
SIZES = 6
"""How many sizes there are at most: each new one costs a library's preparations."""


class Growth:
    """Knows at which size pictures H×W are shown, by the settings' `progressive`."""

    def __init__(self, settings: Settings, whole: Pair) -> None:
        first = settings.progressive or 1.0
        shares = (first + (1 - first) * step / (SIZES - 1) for step in range(SIZES))
        rows, columns = whole
        self.sizes = tuple(
            dict.fromkeys((round(share * rows), round(share * columns)) for share in shares)
        )
        """From the first to the whole."""

    def at(self, progress: float) -> Pair:
        """The size at a point of the training, from 0 to 1: each smaller one for as long."""
        smaller = len(self.sizes) - 1
        return self.sizes[min(smaller, int(progress / GROWN * smaller + 1e-9))]


def shown(images: Tensor, size: Pair) -> Tensor:
    """Images N×C×H×W at that size, each pixel the mean of what it covers, in their precision."""
    if tuple(images.shape[2:]) == size:
        return images
    smaller = functional.interpolate(
        images.float(), size, mode="bilinear", antialias=True, align_corners=False
    )
    return smaller.to(images.dtype)


def require_sizes(graph: Graph, settings: Settings) -> None:
    """Raise UserError if the network does not take all sizes that the settings come to."""
    channels, *whole = graph.input
    for rows, columns in _others(Growth(settings, (whole[0], whole[1])).sizes, tuple(whole)):
        found = f"progressive: found {settings.progressive:g}, which shows pictures of "
        size = f"{found}{channels}×{rows}×{columns} first"
        if graph.program is not None:
            raise UserError(
                f"{size}, but a network that is kept as its operations takes one size alone. "
                "Leave it out"
            )
        if min(rows, columns) < 1:
            raise UserError(f"{size}. Give a larger share")
        if problem := misfit(graph, (2, channels, rows, columns), range(len(graph.nodes))):
            why = problem.partition(": ")[2].partition(". ")[0]
            raise UserError(
                f"{size}, but {why}. End the network with -> gap -> fc-N, give a larger share, or "
                "leave it out"
            )


def _others(sizes: Collection[Pair], whole: tuple[int, ...]) -> list[Pair]:
    return [size for size in sizes if size != whole]
