"""First weights: the published distributions, their seeds, and that deep plain networks carry."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from striate.modules import Network, build, initialise


def weight(network: Network, name: str) -> torch.Tensor:
    return network.get_parameter(f"{name}.weight").detach()


def deviation(network: Network, name: str) -> float:
    return float(weight(network, name).std())


def close(value: float) -> object:
    """Within 3 %: four standard errors of the deviation of 10 000 normal values."""
    return pytest.approx(value, rel=0.03)


def test_convolutions_before_normalisation_are_he_normal_by_what_they_feed() -> None:
    """The deviation of `kaiming_normal_` in the mode that torchvision's ResNet uses."""
    network = build("input 32x8x8 -> conv5-128 -> bn -> relu -> gap", seed=0)
    reference = nn.init.kaiming_normal_(
        torch.empty(128, 32, 5, 5), mode="fan_out", generator=torch.Generator().manual_seed(0)
    )
    assert deviation(network, "conv1") == close(float(reference.std()))
    assert float(weight(network, "conv1").abs().max()) > 3 * float(reference.std())


@pytest.mark.parametrize("activation", ["relu", "relu6", "silu", "gelu", "pool2 -> relu"])
def test_other_convolutions_are_he_normal_by_what_they_read(activation: str) -> None:
    network = build(f"input 16x8x8 -> conv3-96 -> {activation} -> gap", seed=0)
    assert deviation(network, "conv1") == close(math.sqrt(2 / (16 * 9)))


def test_grouped_and_depthwise_convolutions_count_their_own_connections() -> None:
    text = (
        "input 1024x4x4 -> dwconv3 -> relu -> conv3-1024 g32 -> relu -> tconv2-64/2 -> relu -> gap"
    )
    network = build(text, seed=0)
    assert deviation(network, "dwconv1") == close(math.sqrt(2 / 9))
    assert deviation(network, "conv1") == close(math.sqrt(2 / (32 * 9)))
    assert deviation(network, "tconv1") == close(math.sqrt(2 / 1024))


def test_hidden_fully_connected_layers_are_he_normal_by_what_they_read() -> None:
    network = build("input 1x10x10 -> fc-200 -> dropout0.5 -> relu -> fc-5", seed=0)
    assert deviation(network, "fc1") == close(math.sqrt(2 / 100))


def test_before_tanh_and_sigmoid_glorot_uniform() -> None:
    network = build("input 16x8x8 -> conv3-96 -> bn -> tanh -> fc-20 -> sigmoid -> fc-5", seed=0)
    for name, fan_in, fan_out in (("conv1", 16 * 9, 96 * 9), ("fc1", 96 * 64, 20)):
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert deviation(network, name) == close(bound / math.sqrt(3))
        assert 0.99 * bound < float(weight(network, name).abs().max()) <= bound


@pytest.mark.parametrize("end", ["fc-50", "fc-50 -> softmax", "conv1-50 -> gap"])
def test_the_layer_of_the_scores_is_as_torch_has_it(end: str) -> None:
    network = build(f"input 3x8x8 -> conv3-256 -> relu -> {end}", seed=0)
    name = [node.name for node in network.graph if node.kind in ("conv", "fc")][-1]
    reference = copy.deepcopy(network.get_submodule(name))
    reference.reset_parameters()  # type: ignore[operator]
    expected = reference.state_dict()["weight"].std()
    assert deviation(network, name) == close(float(expected))


def test_a_branch_looks_past_the_join() -> None:
    network = build("input 64x8x8 -> (main: [conv3-96 -> bn] + short: conv1-96) -> relu", seed=0)
    assert deviation(network, "main.conv1") == close(math.sqrt(2 / (96 * 9)))
    assert deviation(network, "short") == close(math.sqrt(2 / 64))


def test_a_linear_bottleneck_counts_as_rectified() -> None:
    network = build("input 64x4x4 -> conv1-256 -> bn -> conv3-128 -> relu -> gap", seed=0)
    assert deviation(network, "conv1") == close(math.sqrt(2 / 256))


def test_biases_and_normalisation_start_neutral() -> None:
    network = build("input 3x8x8 -> conv3-8 -> bn -> relu -> fc-5", seed=0)
    state = network.state_dict()
    ones = ("bn1.weight", "bn1.running_var")
    zeros = ("conv1.bias", "bn1.bias", "bn1.running_mean", "bn1.num_batches_tracked", "fc1.bias")
    assert all(bool((state[name] == 1).all()) for name in ones)
    assert all(bool((state[name] == 0).all()) for name in zeros)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    text = "input 3x8x8 -> conv3-8 -> relu -> fc-5"
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = build(text, seed=7).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    second, other, new = (build(text, seed=seed).state_dict() for seed in (7, 8, None))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    assert not torch.equal(new["conv1.weight"], build(text).state_dict()["conv1.weight"])


def test_a_network_can_be_started_again() -> None:
    network = build("input 3x8x8 -> conv3-8 -> bn -> relu -> fc-5", seed=1)
    expected = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(torch.randn(4, 3, 8, 8))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    initialise(network, seed=1)
    assert all(torch.equal(expected[name], found) for name, found in network.state_dict().items())


def test_signals_reach_both_ends_of_a_deep_plain_network() -> None:
    """Forty convolutions without normalisation: AlexNet's deviation of 0.01 silences them."""
    network = build("input 32x8x8 -> [conv3-32 -> relu]*40 -> gap -> fc-10", seed=0)
    images = torch.randn(8, 32, 8, 8, generator=torch.Generator().manual_seed(0))
    network(images).square().sum().backward()
    first, last = (
        float(network.get_parameter(f"{name}.weight").grad.norm())  # type: ignore[union-attr]
        for name in ("conv1", "conv40")
    )
    assert 1e-2 < first / last < 1e2
    with torch.no_grad():
        assert 1e-2 < float(network.run_to(images, ["relu40"])["relu40"].std()) < 1e2
        for name, weights in network.named_parameters():
            if name.endswith("weight"):
                weights.mul_(0.01 / math.sqrt(2 / (32 * 9)))
        assert float(network.run_to(images, ["relu40"])["relu40"].std()) < 1e-20
