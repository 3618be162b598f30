"""A first layer that whitens: its filters are the principal components of image patches.

Coates & Ng 2012 ("Learning feature representations with k-means", section 3) whiten patches; Page
(2018, "How to train your ResNet") and Jordan (arXiv 2404.00498, section 3.2) do it in the first
convolution, frozen. The layer then loses nothing: each component comes with its negative, so that
what one loses to a ReLU the other keeps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PATCHES = 100_000
PICTURES = 5_000
EPSILON = 1e-2
"""Added to the patches' variances (of pictures scaled to variance 1): noise is not blown up."""


def first_convolution(network: nn.Module) -> nn.Conv2d | None:
    """The convolution that reads the image, if its filters can hold a whole whitening.

    That takes twice as many filters as there are values in a patch, a dense kernel of more
    than one pixel that skips none, and no bias.
    """
    first = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None or first.groups != 1 or first.bias is not None:
        return None
    values = first.weight[0].numel()
    whole = first.out_channels >= 2 * values and values > first.in_channels
    whole = whole and all(s <= k for s, k in zip(first.stride, first.kernel_size, strict=True))
    return first if whole else None


@torch.no_grad()
def whiten(convolution: nn.Conv2d, images: Tensor, generator: torch.Generator) -> None:
    """Give a convolution whitening filters for normalised images N×C×H×W, and freeze it.

    Filters beyond the components and their negatives are turned copies of them.
    """
    height, width = convolution.kernel_size
    patches = images[:PICTURES].float().unfold(2, height, 1).unfold(3, width, 1)
    patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, convolution.weight[0].numel())
    chosen = torch.randint(len(patches), (PATCHES,), generator=generator, device=patches.device)
    patches = patches[chosen]
    patches = patches - patches.mean(0)
    variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (components / (variances + EPSILON).sqrt()).T.flip(0)
    banks = [filters, -filters]
    while sum(len(bank) for bank in banks) < convolution.out_channels:
        turn = torch.randn(len(filters), len(filters), generator=generator, device=filters.device)
        turned = torch.linalg.qr(turn).Q @ filters
        banks += [turned, -turned]
    weight = torch.cat(banks)[: convolution.out_channels].reshape(convolution.weight.shape)
    convolution.weight.copy_(weight)
    convolution.weight.requires_grad_(False)
