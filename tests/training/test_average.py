from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.training.average import Average
from striate.training.loop import lower_precision
from striate.training.optimise import Optimizer
from striate.training.settings import Settings


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 3))


def made(share: float, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Optimizer, Average]:
    module = network()
    optimizer = Optimizer(module, Settings(epochs=1))
    lower_precision(module, dtype)
    return module, optimizer, Average(module, optimizer, share)


def learn(module: nn.Module, optimizer: Optimizer) -> None:
    pictures = torch.randn(4, 1, 5, 5).to(module[0].weight.dtype)
    module(pictures).float().logsumexp(1).sum().backward()
    optimizer.step(1.0)


def test_the_average_is_the_closed_form() -> None:
    module, optimizer, average = made(0.25)
    seen = [{k: v.clone() for k, v in module.state_dict().items()}]
    for _ in range(60):
        learn(module, optimizer)
        average.update(expected_steps=40)
        seen.append({k: v.clone() for k, v in module.state_dict().items()})
    for name in ("0.weight", "1.running_mean", "1.running_var", "3.bias"):
        expected = seen[0][name]
        for step, state in enumerate(seen[1:], 1):
            weight = max(1 / 10, 10 / (10 + 9 * step))
            expected = expected + weight * (state[name] - expected)
        assert torch.allclose(average.state()[name], expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_state_fits_the_network(dtype: torch.dtype, share: float) -> None:
    module, optimizer, average = made(share, dtype)
    learn(module, optimizer)
    average.update(10)
    state = average.state()
    assert set(state) == set(module.state_dict())
    assert all(t.dtype == torch.float32 for t in state.values() if t.is_floating_point())
    assert state["1.num_batches_tracked"] == module[1].num_batches_tracked
    fresh = network()
    fresh.load_state_dict(state, strict=True)


def test_without_a_share_the_masters_are_kept() -> None:
    module, optimizer, average = made(0.0, torch.bfloat16)
    for _ in range(3):
        learn(module, optimizer)
        average.update(10)
    masters = {id(weight.live): weight.master for weight in optimizer.weights}
    state = average.state()
    for name, weight in module.named_parameters():
        assert torch.equal(state[name], masters[id(weight)])
    assert not torch.equal(state["0.weight"], module[0].weight.float())


def test_the_state_is_a_copy() -> None:
    module, optimizer, average = made(0.0)
    state = average.state()
    before = {name: tensor.clone() for name, tensor in state.items()}
    learn(module, optimizer)
    assert all(torch.equal(before[name], state[name]) for name in state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_place_computes_with_the_average_and_restores_exactly(dtype: torch.dtype) -> None:
    module, optimizer, average = made(0.5, dtype)
    for _ in range(5):
        learn(module, optimizer)
        average.update(10)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(KeyboardInterrupt), average.in_place():
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, average.state()[name].to(tensor.dtype))
        assert not torch.equal(module[0].weight, before["0.weight"])
        raise KeyboardInterrupt
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_frozen_weights_are_in_the_state() -> None:
    module = network()
    module[0].weight.requires_grad_(False)
    optimizer = Optimizer(module, Settings(epochs=1))
    average = Average(module, optimizer, 0.5)
    average.update(10)
    assert torch.equal(average.state()["0.weight"], module[0].weight)
