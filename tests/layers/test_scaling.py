"""A learned factor for each channel."""

from __future__ import annotations

import pytest
import torch

from striate import build, size
from striate.layers.scaling import Scale


@pytest.mark.parametrize("volume", [(3, 4, 5), (3,)])
def test_each_channel_has_its_factor(volume: tuple[int, ...]) -> None:
    module = Scale().module((volume,)).double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor([2.0, 0.0, -1.0]))
    image = torch.randn(2, *volume, dtype=torch.float64, requires_grad=True)
    found = module(image)
    assert torch.equal(found[:, 0], 2 * image[:, 0])
    assert not found[:, 1].any()
    assert torch.equal(found[:, 2], -image[:, 2])
    assert torch.autograd.gradcheck(module, (image,))


def test_it_starts_where_it_is_told_to() -> None:
    network = build("input 2x4x4 -> (conv3-2 nobias -> scale(start=1e-06) + id) -> scale", seed=0)
    first, second = (weight for weight in network.parameters() if weight.dim() == 1)
    assert first.tolist() == pytest.approx([1e-6] * 2)
    assert second.tolist() == [1.0, 1.0]


def test_its_parameters_count() -> None:
    ledger = size("input 3x8x8 -> scale")
    assert (ledger.totals.parameters, ledger.totals.macs) == (3, 0)
    assert ledger.rows[0].receptive_field == (1, 1)
