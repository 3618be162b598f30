"""A first layer that whitens: its filters are the principal components of image patches.

Coates & Ng 2012 ("Learning feature representations with k-means", section 3) whiten patches; Page
(2018, "How to train your ResNet") and Jordan (arXiv 2404.00498, section 3.2) do it in the first
convolution, frozen. The layer then loses nothing: each component comes with its negative, so that
what one loses to a ReLU the other keeps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from striate.graph.nodes import IMAGE
from striate.modules import Network

PATCHES = 100_000
PICTURES = 5_000
VALUES = 1 << 24
"""No more values than these are taken from all pictures together."""

EPSILON = 1e-2
"""Added to the patches' variances (of pictures scaled to variance 1): noise is not blown up."""


def first_convolution(network: Network) -> nn.Conv2d | None:
    """The convolution that reads the image, if its filters can hold a whole whitening.

    That takes twice as many filters as there are values in a patch, a dense kernel of more than
    one pixel, no larger than the image, that skips none, and no bias.
    """
    first = next((node.name for node in network.graph if IMAGE in node.inputs), "")
    layer = network.get_submodule(first)
    if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or layer.bias is not None:
        return None
    values = layer.weight[0].numel()
    holds = layer.out_channels >= 2 * values and values > layer.in_channels
    dense = layer.dilation == (1, 1) and _all_below(layer.stride, layer.kernel_size)
    fits = _all_below(layer.kernel_size, network.graph.input[1:])
    return layer if holds and dense and fits else None


def pictures_to_sample(height: int, width: int, channels: int) -> int:
    """How many pictures of that size to take patches from: 5 000, or fewer that are large."""
    return max(16, min(PICTURES, VALUES // (height * width * channels)))


@torch.no_grad()
def whiten(convolution: nn.Conv2d, images: Tensor, generator: torch.Generator) -> None:
    """Give a convolution whitening filters for normalised images N×C×H×W, and freeze it.

    The components are those of `PATCHES` patches, chosen by `generator` on the images' device.

    Filters beyond the components and their negatives are turned copies of them.
    """
    height, width = convolution.kernel_size
    windows = images.float().unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)
    rows, columns = windows.shape[1:3]
    places = len(images) * rows * columns
    chosen = torch.randint(places, (PATCHES,), generator=generator, device=images.device)
    picture, place = chosen // (rows * columns), chosen % (rows * columns)
    patches = windows[picture, place // columns, place % columns].flatten(1)
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


def _all_below(these: tuple[int, ...], those: tuple[int, ...]) -> bool:
    """Whether none is larger than the one in its place."""
    return all(this <= that for this, that in zip(these, those, strict=True))
