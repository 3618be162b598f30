"""The loss while the rate rises."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import striate
from striate.errors import StriateError, UserError
from striate.training.progress import Display
from striate.training.rates import STEPS, Rates, propose

TEXT = "input 1x8x8 -> conv3-16 nobias -> bn -> relu -> pool2 -> fc-10"


def find(network: object = TEXT, **given: object) -> Rates:
    return striate.find_rate(network, "digits", display=Display(io.StringIO()), **given)


def test_the_proposal_is_a_third_of_the_first_rate_with_a_low_loss() -> None:
    assert propose([0.1, 0.3, 0.9, 2.7], [2.0, 1.0, 0.5, 0.9]) == pytest.approx(0.3)
    flat = [2.0, 1.0, 0.51, 0.52, 0.5, 0.9]
    assert propose([0.1, 0.3, 0.9, 2.7, 8.1, 24.3], flat) == pytest.approx(0.3)
    with pytest.raises(StriateError) as caught:
        propose([0.1, 0.2], [2.0, 2.0])
    assert str(caught.value) == (
        f"the loss falls at no rate: the network learns nothing in {STEPS} steps. Give larger "
        "batches, or look at the network and its pictures"
    )


@pytest.mark.parametrize("optimizer", ["muon", "sgd", "adamw", "rmsprop", "lamb"])
def test_a_training_at_the_proposed_rate_learns(tmp_path: Path, optimizer: str) -> None:
    settings = {"optimizer": optimizer, "momentum": 0.9}
    found = find(settings=settings)
    assert list(found.rates) == sorted(found.rates)
    assert min(found.losses) < 0.8 * found.losses[0]
    result = striate.train(
        TEXT, "digits", lr=found.proposal, settings=settings, epochs=4, output=tmp_path / "run",
        display=Display(io.StringIO()),
    )  # fmt: skip
    assert result.run.record.results["val_accuracy"] > 0.85


def test_it_is_the_same_every_time_and_nothing_is_written(tmp_path: Path) -> None:
    one, other = find(seed=3), find(seed=3)
    assert one == other
    assert find(seed=4) != one
    assert not list(tmp_path.iterdir())


def test_a_picture_and_numbers(tmp_path: Path) -> None:
    found = find(output=tmp_path / "rates.svg")
    assert "proposed" in (tmp_path / "rates.svg").read_text()
    numbers = json.loads(found.to_json())
    assert numbers["proposal"] == found.proposal
    assert len(numbers["rates"]) == len(numbers["losses"]) <= STEPS
    lines = found.table().splitlines()
    assert lines[0].split() == ["rate", "loss"]
    assert lines[-1] == f"--lr {found.proposal:.2g} for muon; the recipe takes 0.25"


def test_a_live_network_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    find(model, input=(1, 8, 8))
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_a_plot_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find(output=tmp_path / "rates.txt")
    path = tmp_path / "rates"
    assert str(caught.value) == (
        f"{path}.txt ends in .txt, but a plot is written as .svg or .png. For example {path}.svg"
    )
