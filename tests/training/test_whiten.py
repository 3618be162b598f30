from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from striate.modules import Network, build
from striate.source import Source
from striate.training.whiten import EPSILON, first_convolution, pictures_to_sample, whiten


def net(text: str, seed: int = 0) -> Network:
    return build(Source(text), seed=seed)


def natural(count: int, channels: int, side: int) -> Tensor:
    """Pictures whose neighbours and channels are alike, of variance near 1."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(count, 1, side + 4, side + 4)).cumsum(2).cumsum(3)
    tint = 0.2 * random.normal(size=(count, channels, side + 4, side + 4))
    images = torch.from_numpy(noise + tint).float()[:, :, 4:, 4:]
    return (images - images.mean()) / images.std()


@pytest.mark.parametrize(
    ("text", "channels"),
    [
        ("input 3x12x12 -> conv2-24 nobias -> gap -> fc-2", 3),
        ("input 1x12x12 -> conv3-18 nobias -> gap -> fc-2", 1),
        ("input 3x12x12 -> conv2-60 nobias -> gap -> fc-2", 3),
    ],
)
def test_filtered_patches_have_the_identity_as_covariance(text: str, channels: int) -> None:
    network, images = net(text), natural(300, channels, 12)
    layer = first_convolution(network)
    assert layer is not None
    whiten(layer, images, torch.Generator().manual_seed(0))
    values = layer.weight[0].numel()
    patches = torch.nn.functional.unfold(images, layer.kernel_size).transpose(1, 2)
    patches = patches.reshape(-1, values).double()
    variances = np.linalg.eigvalsh(np.cov(patches.numpy().T))[::-1]
    for first in range(0, layer.out_channels - values + 1, 2 * values):
        filtered = patches @ layer.weight[first : first + values].flatten(1).double().T
        covariance = np.cov(filtered.detach().numpy().T)
        if first == 0:
            expected = np.diag(variances / (variances + EPSILON))
            assert np.abs(covariance - expected).max() < 0.05
        else:
            shares = np.linalg.eigvalsh(covariance)[::-1]
            assert np.abs(shares - variances / (variances + EPSILON)).max() < 0.05


def test_every_component_comes_with_its_negative_and_is_frozen() -> None:
    layer = first_convolution(net("input 3x12x12 -> conv2-48 nobias -> gap -> fc-2"))
    assert layer is not None
    whiten(layer, natural(50, 3, 12), torch.Generator().manual_seed(0))
    for first in (0, 24):
        bank = layer.weight[first : first + 12]
        assert torch.equal(bank, -layer.weight[first + 12 : first + 24])
    assert not layer.weight.requires_grad


def test_pictures_of_one_colour_give_finite_filters() -> None:
    layer = first_convolution(net("input 1x8x8 -> conv3-18 nobias -> gap -> fc-2"))
    assert layer is not None
    whiten(layer, torch.zeros(4, 1, 8, 8), torch.Generator().manual_seed(0))
    assert torch.isfinite(layer.weight).all()


def test_the_generator_decides_the_patches() -> None:
    def weights(seed: int) -> Tensor:
        layer = first_convolution(net("input 1x9x9 -> conv3-20 nobias -> gap -> fc-2"))
        assert layer is not None
        whiten(layer, natural(20, 1, 9), torch.Generator().manual_seed(seed))
        return layer.weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize(
    "text",
    [
        "input 3x12x12 -> conv2-24 -> gap -> fc-2",
        "input 3x12x12 -> conv2-23 nobias -> gap -> fc-2",
        "input 3x12x12 -> conv1-24 nobias -> gap -> fc-2",
        "input 3x12x12 -> conv2-24/3 nobias -> gap -> fc-2",
        "input 3x12x12 -> conv3-54 g3 nobias -> gap -> fc-2",
        "input 3x12x12 -> conv2-24 d2 nobias -> gap -> fc-2",
        "input 1x2x12 -> conv3-18 nobias -> gap -> fc-2",
        "input 3x12x12 -> pool2 -> conv2-24 nobias -> gap -> fc-2",
        "input 3x12x12 -> fc-2",
    ],
)
def test_other_first_layers_are_left_alone(text: str) -> None:
    assert first_convolution(net(text)) is None


def test_a_stride_up_to_the_kernel_is_fine() -> None:
    network = net("input 3x12x12 -> conv2-24/2 nobias -> gap -> fc-2")
    assert first_convolution(network) is network.get_submodule(network.graph.nodes[0].name)


def test_large_pictures_are_sampled_in_bounds() -> None:
    assert pictures_to_sample(32, 32, 3) == pictures_to_sample(28, 28, 1) == 5_000
    assert pictures_to_sample(224, 224, 3) == 111
    assert pictures_to_sample(4096, 4096, 3) == 16
