"""Layers that torch does not have, among torch's own tools."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from striate.modules import Network, build

TEXT = """
input 3x16x16
-> p4lift3-4 -> p4bn -> relu -> p4conv3-4 -> p4pool
-> conv2-8 -> shuffle2 -> (conv1-8 -> droppath0.3 + id)
-> minpool3/1 same -> weightedpool2 -> l2pool2 -> upsample2 -> crop1
-> localconv3-8 -> depthpool2 -> fc-5
"""


@pytest.fixture
def network() -> Network:
    return build(TEXT, seed=0).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_tracing_exporting_and_compiling(network: Network, images: Tensor) -> None:
    expected = network(images)
    torch.testing.assert_close(torch.fx.symbolic_trace(network)(images), expected)
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), expected)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), expected)


def test_copies_and_pickles(network: Network, images: Tensor) -> None:
    expected = network(images)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(copied(images), expected)
    other = build(TEXT, seed=1).eval()
    assert not torch.allclose(other(images), expected)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(images), expected)


def test_weights_follow_the_precision_of_what_they_meet(network: Network, images: Tensor) -> None:
    expected = network(images)
    near = {"rtol": 0.05, "atol": 0.05}
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(images).float(), expected, **near)
    last = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network.to(memory_format=torch.channels_last)(last), expected)
    half = copy.deepcopy(network).bfloat16()
    torch.testing.assert_close(half(images.bfloat16()).float(), expected, **near)
    half.localconv1.float()
    torch.testing.assert_close(half(images.bfloat16()).float(), expected, **near)


def test_it_shows_what_it_computes(network: Network) -> None:
    assert str(network.localconv1) == (
        "Computed(local_convolution, weight=(6, 6, 8, 8, 3, 3), bias=(8, 6, 6))"
    )
    assert str(network.p4conv1).endswith("padding=(1, 1), order=4)")
    assert str(network.depthpool1) == "Computed(depth_pool)"
    assert "pads=((0, 1), (0, 1))" in str(network.conv1)


def test_every_weight_learns(network: Network, images: Tensor) -> None:
    network(images).pow(2).sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert float(weight.grad.abs().sum()) > 0, name
