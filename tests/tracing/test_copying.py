"""The copy that is traced: of lazy, compiled and parametrised networks; the original stays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

import striate
from striate.errors import UserError


def plain() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 10)
    )


def rows(model: nn.Module) -> list[tuple[object, ...]]:
    ledger = striate.size(model, input=(3, 32, 32), batch=2)
    return [
        (row.name, row.output, row.parameters, row.macs, row.receptive_field, row.saved_bytes)
        for row in ledger.rows
    ]


def test_lazy_layers_get_their_sizes_in_the_copy_alone() -> None:
    lazy = nn.Sequential(
        nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)
    )
    assert rows(lazy) == rows(plain())
    assert type(lazy[0]) is nn.LazyConv2d
    assert nn.parameter.is_lazy(lazy[0].weight) and nn.parameter.is_lazy(lazy[1].running_mean)


def test_a_lazy_layer_behind_a_stop_is_told() -> None:
    lazy = nn.Sequential(nn.Conv2d(4, 8, 3), nn.LazyLinear(10))
    with pytest.raises(UserError) as caught:
        striate.size(lazy, input=(3, 32, 32))
    assert str(caught.value) == (
        "1.weight has no shape yet, since its layer is lazy. Run one batch through the network "
        "first, or give the layer its sizes"
    )


def test_a_compiled_network_is_the_one_that_it_was_made_of() -> None:
    assert rows(torch.compile(plain())) == rows(plain())
    inner = plain()
    inner[2] = torch.compile(nn.ReLU())
    assert rows(inner) == rows(plain())


def test_scripts_are_refused_with_what_to_give() -> None:
    with pytest.raises(UserError) as caught:
        striate.size(nn.Sequential(torch.jit.script(plain())), input=(3, 32, 32))
    assert str(caught.value) == (
        "0 in Sequential was made by torch.jit.script or torch.jit.trace, which leaves no modules "
        "to follow. Give the network as it was before"
    )


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * 2


@pytest.mark.parametrize(
    ("wrap", "more"),
    [
        (parametrizations.weight_norm, 8),
        (parametrizations.spectral_norm, 0),
        (lambda conv: parametrize.register_parametrization(conv, "weight", Doubled()), 0),
    ],
)
def test_a_parametrised_module_is_one_row(wrap, more: int) -> None:
    model = nn.Sequential(wrap(nn.Conv2d(3, 8, 3)), nn.ReLU())
    row, relu = striate.size(model, input=(3, 32, 32)).rows
    assert (row.name, row.kind, row.output) == ("0", "Conv2d", (8, 30, 30))
    assert row.parameters == 8 * 27 + 8 + more == sum(p.numel() for p in model.parameters())
    assert (row.receptive_field, relu.receptive_field) == ((3, 3), (3, 3))


@pytest.mark.parametrize("training", [True, False])
def test_the_network_and_the_state_of_chance_stay_bit_for_bit(training: bool) -> None:
    model = nn.Sequential(
        parametrizations.spectral_norm(nn.Conv2d(3, 8, 3)),
        nn.BatchNorm2d(8),
        nn.Dropout(0.5),
        nn.PReLU(),
    ).train(training)
    model[3].eval()
    called: list[int] = []
    model[0].register_forward_hook(lambda *_: called.append(1))
    hooks = {path: len(each._forward_hooks) for path, each in model.named_modules()}
    before = {name: (each, each.clone()) for name, each in model.state_dict(keep_vars=True).items()}
    modes = [each.training for each in model.modules()]
    chance = torch.get_rng_state()
    striate.size(model, input=(3, 32, 32), batch=2)
    assert torch.equal(torch.get_rng_state(), chance)
    assert [each.training for each in model.modules()] == modes
    assert {path: len(each._forward_hooks) for path, each in model.named_modules()} == hooks
    after = model.state_dict(keep_vars=True)
    assert after.keys() == before.keys()
    for name, (tensor, values) in before.items():
        assert after[name] is tensor
        assert torch.equal(tensor, values)
        assert tensor.grad is None
