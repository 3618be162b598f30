"""Between stored pictures and class probabilities: what goes into a network, what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from striate.layers.pointwise import Softmax

SOFTMAX = Softmax.words[0]

if TYPE_CHECKING:
    from striate.graph import Graph
    from striate.training.run import Normalise


def to_input(batch: Tensor, normalise: Normalise, dtype: torch.dtype) -> Tensor:
    """Pictures N×H×W×C in 0…255, uint8 or floating, as N×C×H×W in channels-last memory.

    From each channel its mean is taken, or from all the mean picture, and the rest is divided by
    its standard deviation, in float32 on the batch's device; the result is rounded to `dtype` once.
    The batch stays as it is.
    """
    taken = normalise.mean if normalise.image is None else normalise.image.astype("float32")
    mean = torch.as_tensor(taken, dtype=torch.float32, device=batch.device)
    scale = torch.tensor(normalise.std, dtype=torch.float32, device=batch.device).reciprocal_()
    values = batch.to(torch.float32, copy=True).sub_(mean).mul_(scale)
    return values.to(dtype).permute(0, 3, 1, 2)


def ends_in_softmax(graph: Graph) -> bool:
    """Whether a network's outputs are probabilities already."""
    return graph.nodes[graph.end].kind == SOFTMAX


def to_scores(graph: Graph, output: Tensor) -> Tensor:
    """A network's output as scores N×K in float32, whose softmax are the classes' probabilities.

    A network that ends in a softmax of its own gives these already: their logarithms are scores.
    """
    scores = output.float().flatten(1)
    if ends_in_softmax(graph):
        return scores.clamp_min(torch.finfo(torch.float32).tiny).log()
    return scores
