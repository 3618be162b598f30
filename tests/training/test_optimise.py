from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from striate.training.device import lower_precision
from striate.training.optimise import Optimizer, orthogonal, orthogonalisation_macs
from striate.training.rules import AdamW
from striate.training.settings import Settings


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 5),
    )


def learn(network: nn.Module, step: Callable[[], None], steps: int = 20) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        images = torch.randn(16, 3, 6, 6, generator=generator)
        answers = torch.randint(5, (16,), generator=generator)
        nn.functional.cross_entropy(network(images), answers).backward()
        step()


def both(settings: Settings, make: Callable[[nn.Module], torch.optim.Optimizer]) -> None:
    """Hold an optimizer to torch's over twenty steps."""
    ours, theirs = small(), small()
    optimizer, reference = Optimizer(ours, settings), make(theirs)

    def step() -> None:
        reference.step()
        reference.zero_grad()

    learn(ours, lambda: optimizer.step(0.7))
    learn(theirs, step)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(found, expected, atol=1e-6)


def groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    weights = list(network.parameters())
    return [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]


def test_sgd_is_torchs() -> None:
    settings = Settings(epochs=1, optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.01)
    both(
        settings,
        lambda net: torch.optim.SGD(groups(net, 0.01), lr=0.07, momentum=0.9, nesterov=True),
    )


def test_sgd_without_momentum_is_torchs() -> None:
    settings = Settings(epochs=1, optimizer="sgd", lr=0.1, momentum=0.0)
    both(settings, lambda net: torch.optim.SGD(net.parameters(), lr=0.07))


def test_sgd_with_plain_momentum_is_torchs() -> None:
    settings = Settings(epochs=1, optimizer="sgd", lr=0.1, momentum=0.9, nesterov=False)
    both(settings, lambda net: torch.optim.SGD(net.parameters(), lr=0.07, momentum=0.9))


def test_everything_can_be_decayed() -> None:
    settings = Settings(
        epochs=1, optimizer="sgd", lr=0.1, momentum=0.9, weight_decay=0.01, decay_all=True
    )
    both(
        settings,
        lambda net: torch.optim.SGD(
            net.parameters(), lr=0.07, momentum=0.9, nesterov=True, weight_decay=0.01
        ),
    )


def test_adamw_on_all_weights_is_torchs() -> None:
    settings = Settings(epochs=1, optimizer="adamw", lr=0.01, weight_decay=0.1)
    both(
        settings,
        lambda net: torch.optim.AdamW(groups(net, 0.1), lr=0.007, betas=AdamW.BETAS, eps=AdamW.EPS),
    )


def by_hand(
    settings: Settings, rule: Callable[[Tensor, Tensor, dict[str, Tensor], int], Tensor]
) -> None:
    """Hold an optimizer to a rule written out in float64: new weights from old and gradients."""
    network = nn.Sequential(nn.Linear(5, 4, bias=False))
    optimizer = Optimizer(network, settings)
    weight = network[0].weight
    expected, memory = weight.detach().double(), {}
    for number in range(1, 8):
        generator = torch.Generator().manual_seed(number)
        gradient = torch.randn(4, 5, generator=generator) * 10 ** (number % 3 - 1)
        weight.grad = gradient.clone()
        optimizer.step(0.5)
        expected = rule(expected, gradient.double(), memory, number)
        torch.testing.assert_close(weight.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("eps", [1.0, 1e-3])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_rmsprop_has_tensorflows_eps_under_the_root(eps: float, momentum: float) -> None:
    settings = Settings(
        epochs=1, optimizer="rmsprop", lr=0.1, momentum=momentum, eps=eps, weight_decay=0.01
    )

    def rule(w: Tensor, g: Tensor, memory: dict[str, Tensor], step: int) -> Tensor:
        g = g + 0.01 * w
        memory["s"] = 0.9 * memory.get("s", torch.ones_like(w)) + 0.1 * g**2
        memory["m"] = momentum * memory.get("m", 0 * w) + 0.05 * g / (memory["s"] + eps).sqrt()
        return w - memory["m"]

    by_hand(settings, rule)


def test_lamb_steps_as_far_as_the_weights_are_long() -> None:
    settings = Settings(epochs=1, optimizer="lamb", lr=0.1, weight_decay=0.01)

    def rule(w: Tensor, g: Tensor, memory: dict[str, Tensor], step: int) -> Tensor:
        memory["m"] = 0.9 * memory.get("m", 0 * w) + 0.1 * g
        memory["v"] = 0.999 * memory.get("v", 0 * w) + 0.001 * g**2
        mean, square = memory["m"] / (1 - 0.9**step), memory["v"] / (1 - 0.999**step)
        update = mean / (square.sqrt() + 1e-6) + 0.01 * w
        return w - 0.05 * w.norm() / update.norm() * update

    by_hand(settings, rule)


def test_lamb_takes_weights_of_zero_off_zero() -> None:
    network = nn.Sequential(nn.Linear(3, 2, bias=False))
    nn.init.zeros_(network[0].weight)
    optimizer = Optimizer(network, Settings(epochs=1, optimizer="lamb", lr=0.1))
    network[0].weight.grad = torch.ones(2, 3)
    optimizer.step(1.0)
    torch.testing.assert_close(network[0].weight.detach(), torch.full((2, 3), -0.1))


@pytest.mark.parametrize("longest", [0.1, 1e6])
def test_long_gradients_are_shortened_together(longest: float) -> None:
    ours, theirs = small(), small()
    settings = Settings(epochs=1, optimizer="sgd", lr=0.1, momentum=0.9, clip=longest)
    optimizer = Optimizer(ours, settings)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    def step() -> None:
        nn.utils.clip_grad_norm_(theirs.parameters(), longest)
        reference.step()
        reference.zero_grad()

    learn(ours, lambda: optimizer.step(1.0))
    learn(theirs, step)
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_running_mean_of_the_weights_is_kept_and_shown() -> None:
    network = small()
    settings = Settings(epochs=1, optimizer="sgd", lr=0.1, ema=0.5)
    optimizer = Optimizer(network, settings)
    names = [name for name, _ in network.named_parameters()] + ["1.running_mean"]
    expected = {name: each.clone() for name, each in network.state_dict().items() if name in names}
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        optimizer.step(1.0)
        keep = min(0.5, (1 + count) / (10 + count))
        for name, each in network.state_dict().items():
            if name in names:
                expected[name] = keep * expected[name] + (1 - keep) * each

    learn(network, step, steps=12)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    kept = optimizer.state()
    for name in names:
        torch.testing.assert_close(kept[name], expected[name])
        assert not torch.allclose(before[name], expected[name])
    with optimizer.shown():
        for name in names:
            torch.testing.assert_close(network.state_dict()[name], expected[name])
    for name, each in network.state_dict().items():
        assert torch.equal(each, before[name])


def test_adamw_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("striate.training.optimise._filters", lambda network, macs: set())
    settings = Settings(epochs=1, optimizer="muon", adam_lr=0.01, weight_decay=0.1)
    both(
        settings,
        lambda net: torch.optim.AdamW(groups(net, 0.1), lr=0.007, betas=AdamW.BETAS, eps=AdamW.EPS),
    )


def test_muon_steps_by_the_orthogonalised_nesterov_momentum() -> None:
    """Two steps written out, with the direction that `orthogonal` gives."""
    network = nn.Sequential(nn.Conv2d(2, 24, 3, bias=False))
    settings = Settings(epochs=1, lr=0.1, momentum=0.9, weight_decay=0.5)
    optimizer = Optimizer(network, settings)
    weight = network[0].weight
    expected, momentum = weight.detach().clone(), torch.zeros(24, 2, 3, 3)
    for seed in (1, 2):
        gradient = torch.randn(24, 2, 3, 3, generator=torch.Generator().manual_seed(seed))
        weight.grad = gradient.clone()
        optimizer.step(0.5)
        momentum = 0.9 * momentum + gradient
        direction = orthogonal((gradient + 0.9 * momentum).flatten(1)).view_as(gradient)
        expected = expected * (1 - 0.05 * 0.5) - 0.05 * (24 / 18) ** 0.5 * direction
    assert torch.allclose(weight, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 144), (64, 64), (96, 27), (1, 9)])
def test_orthogonal_is_nearly_the_closest_matrix_of_orthonormal_rows(
    shape: tuple[int, int],
) -> None:
    """As in Muon's published account, singular values come near 1 without converging to it."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    matrix = left * torch.linspace(0.2, 1, len(values)) @ right
    found = orthogonal(matrix, steps=5)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6 and values.max() < 1.25
    closest = left @ right
    cosine = (found * closest).sum() / found.norm() / closest.norm()
    assert cosine > 0.95
    assert found.dtype == torch.float32 and found.shape == shape


def test_three_steps_turn_the_right_way() -> None:
    matrix = torch.randn(32, 288, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix)
    assert (found * (left @ right)).sum() / found.norm() / (left @ right).norm() > 0.95
    assert torch.linalg.svdvals(found).max() < 1.3


@pytest.mark.parametrize(
    ("shape", "off"), [((16, 144), 1e-4), ((40, 9), 1e-4), ((128, 1152), 0.01)]
)
def test_three_steps_are_the_polynomial_three_times_over(
    shape: tuple[int, int], off: float
) -> None:
    """By a singular value decomposition: each step maps every value s to 3.4445s − 4.775s³ + …"""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    for _ in range(3):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    expected = left * values @ right
    assert (orthogonal(matrix) - expected).norm() / expected.norm() < off


def test_orthogonal_takes_zeros_and_any_scale() -> None:
    assert torch.equal(orthogonal(torch.zeros(4, 9)), torch.zeros(4, 9))
    matrix = torch.randn(8, 20, generator=torch.Generator().manual_seed(0))
    near = orthogonal(matrix), orthogonal(matrix * 1e4)
    assert torch.allclose(*near, atol=0.05)


def step_of(network: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """How far each weight moves in one step with gradients of 1."""
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        if weight.requires_grad:
            weight.grad = torch.ones_like(weight)
    optimizer.step(1.0)
    return {name: weight.detach() - before[name] for name, weight in network.named_parameters()}


def test_muon_takes_dense_filters_alone() -> None:
    """Adam's first step is its rate in every value; Muon's rate here is nearly nothing."""
    network = small()
    moved = step_of(network, Optimizer(network, Settings(epochs=1, lr=1e-9, adam_lr=0.01)))
    assert moved.pop("0.weight").abs().max() < 1e-6
    for change in moved.values():
        assert torch.allclose(change, torch.tensor(-0.01), atol=1e-5)


@pytest.mark.parametrize(("images", "to_adam"), [(4, True), (8, False)])
def test_filters_that_cost_more_to_orthogonalise_than_to_use_are_left_to_adam(
    images: int, to_adam: bool
) -> None:
    """16x27 takes 2·16²·27 + 9·16³ = 50 688 products, against half of 3·432 at 16 places."""
    network = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False))
    assert orthogonalisation_macs(network[0].weight) == 50_688
    settings = Settings(epochs=1, lr=1e-9, adam_lr=0.01)
    moved = step_of(network, Optimizer(network, settings, {"0": images * 432 * 16}))
    assert torch.allclose(moved["0.weight"], torch.tensor(-0.01), atol=1e-5) == to_adam


def test_biases_and_normalisation_do_not_decay() -> None:
    settings = Settings(epochs=1, optimizer="sgd", lr=1.0, momentum=0.0, weight_decay=0.1)
    network = small()
    optimizer = Optimizer(network, settings)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step(1.0)
    for name, weight in network.named_parameters():
        shrunk = 0.9 if before[name].ndim > 1 else 1.0
        assert torch.allclose(weight, shrunk * before[name])


@pytest.mark.parametrize("name", ["muon", "sgd"])
def test_frozen_weights_stay(name: str) -> None:
    network = small()
    network[0].weight.requires_grad_(False)
    before = copy.deepcopy(network[0].weight)
    optimizer = Optimizer(network, Settings(epochs=1, optimizer=name))
    learn(network, lambda: optimizer.step(1.0), steps=3)
    assert torch.equal(network[0].weight, before)


@pytest.mark.parametrize("name", ["muon", "sgd"])
def test_weights_that_the_loss_does_not_reach_stay(name: str) -> None:
    network = small()
    idle = nn.ModuleDict({"used": network, "idle": nn.Conv2d(3, 4, 3), "fc": nn.Linear(3, 3)})
    before = copy.deepcopy(idle["idle"].state_dict() | idle["fc"].state_dict())
    optimizer = Optimizer(idle, Settings(epochs=1, optimizer=name))
    learn(network, lambda: optimizer.step(1.0), steps=3)
    after = idle["idle"].state_dict() | idle["fc"].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", ["muon", "sgd"])
def test_tiny_steps_on_bfloat16_weights_are_not_lost(name: str) -> None:
    """1 + 1000 steps of 0.0001 is 1.1; in bfloat16 alone it would stay 1."""
    network = nn.Sequential(nn.Linear(1, 1, bias=False))
    nn.init.ones_(network[0].weight)
    settings = Settings(epochs=1, optimizer=name, lr=1e-4, adam_lr=1e-4, momentum=0.0)
    optimizer = Optimizer(network, settings)
    lower_precision(network, torch.bfloat16)
    weight = network[0].weight
    assert weight.dtype == torch.bfloat16
    for _ in range(1000):
        weight.grad = torch.full_like(weight, -1.0)
        optimizer.step(1.0)
    assert float(optimizer.weights[0].master) == pytest.approx(1.1, abs=1e-3)
    assert float(weight.detach()) == pytest.approx(1.1, abs=0.004)


def test_gradients_are_forgotten_after_a_step() -> None:
    network = small()
    optimizer = Optimizer(network, Settings(epochs=1))
    learn(network, lambda: optimizer.step(1.0), steps=1)
    assert all(weight.grad is None for weight in network.parameters())


def lowered(dtype: torch.dtype) -> tuple[nn.Module, Optimizer]:
    network = small()
    network[0].weight.requires_grad_(False)
    optimizer = Optimizer(network, Settings(epochs=1))
    lower_precision(network, dtype)
    return network, optimizer


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_state_is_that_of_the_masters_and_fits_the_network(dtype: torch.dtype) -> None:
    network, optimizer = lowered(dtype)
    step_of(network, optimizer)
    state = optimizer.state()
    assert all(
        value.dtype == torch.float32 for value in state.values() if value.is_floating_point()
    )
    assert state["1.num_batches_tracked"] == network[1].num_batches_tracked
    masters = {id(weight.live): weight.master for weight in optimizer.weights}
    for name, weight in network.named_parameters():
        assert torch.equal(state[name], masters.get(id(weight), weight.float()))
    assert torch.equal(state["5.weight"], network[5].weight) == (dtype == torch.float32)
    small().load_state_dict(state, strict=True)


def test_the_state_is_a_copy() -> None:
    network, optimizer = lowered(torch.float32)
    state = optimizer.state()
    before = {name: value.clone() for name, value in state.items()}
    step_of(network, optimizer)
    assert all(torch.equal(before[name], state[name]) for name in state)
