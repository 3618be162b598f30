"""Batch normalisation over turns."""

from __future__ import annotations

import pytest
import torch

from striate import build
from striate.layers import MismatchError
from striate.layers.group_norm import P4BatchNorm, P4mBatchNorm


@pytest.mark.parametrize("layer", [P4BatchNorm(), P4mBatchNorm(eps=1e-3, momentum=0.3)])
def test_it_is_that_of_torch_with_turns_as_further_rows(layer: P4BatchNorm) -> None:
    volume = (3 * layer.order, 4, 5)
    module = layer.module((volume,)).double()
    reference = torch.nn.BatchNorm3d(3, layer.eps, layer.momentum).double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.uniform_(0.5, 2)
    reference.load_state_dict(module.state_dict())
    images = torch.randn(6, *volume, dtype=torch.float64)
    for training in (True, False):
        module.train(training)
        reference.train(training)
        expected = reference(images.unflatten(1, (3, layer.order))).flatten(1, 2)
        torch.testing.assert_close(module(images), expected)
        last = images.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(
            module(last), reference(images.unflatten(1, (3, -1))).flatten(1, 2)
        )
    found = {name: tuple(weight.shape) for name, weight in module.named_parameters()}
    assert found == layer.weights((volume,)) == {"weight": (3,), "bias": (3,)}


def test_first_values_are_neutral() -> None:
    state = build("input 1x8x8 -> p4lift3-4 -> p4bn", seed=0).state_dict()
    assert state["p4bn1.weight"].tolist() == state["p4bn1.running_var"].tolist() == [1.0] * 4
    assert not state["p4bn1.bias"].any()
    assert not state["p4bn1.running_mean"].any()


def test_features_that_are_no_whole_number() -> None:
    with pytest.raises(MismatchError) as error:
        P4BatchNorm().output(((10, 5, 5),))
    assert str(error.value) == (
        "p4bn takes 4 channels for each feature, one for each turn, but its input has 10. It "
        "stands behind a p4lift or p4conv"
    )
