"""Networks of several inputs, of videos, and those that depend on the values of their data."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

import striate
from striate.errors import UserError


@dataclass
class Answer:
    scores: Tensor


class Both(nn.Module):
    """An image, a vector and numbers of words, by place or by name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(10, 8)
        self.words = nn.Embedding(100, 8)
        self.head = nn.Linear(8, 2)

    def forward(self, image: Tensor, more: Tensor, words: Tensor | None = None) -> Answer:
        x = self.conv(image).mean((2, 3)) + self.fc(more)
        if words is not None:
            x = x + self.words(words).sum(1)
        return Answer(self.head(x))


WORDS = torch.zeros((2, 5), dtype=torch.int64)
MACS = 2 * (27 * 8 * 6 * 6 + 10 * 8 + 8 * 2)


@pytest.mark.parametrize(
    "given",
    [
        [(3, 8, 8), (10,)],
        {"image": (3, 8, 8), "more": (10,)},
        [(3, 8, 8), torch.ones(2, 10), WORDS],
    ],
)
def test_several_inputs_by_place_and_by_name(given: object) -> None:
    ledger = striate.size(Both(), input=given, batch=2)
    assert ledger.totals.macs == MACS
    assert ledger.totals.parameters == sum(each.numel() for each in Both().parameters())
    assert ledger.rows[0].receptive_field == (3, 3)
    assert ledger.rows[0].inputs == ledger.rows[2].inputs == ("input",)
    assert ledger.notes[-1] == (
        f"Both takes 3×8×8 and 10{' and 5' if len(given) == 3 else ''}; what is seen is told of "
        "the first"
    )


def test_what_is_no_input_is_told() -> None:
    with pytest.raises(UserError) as caught:
        striate.size(Both(), input=[(3, 8, 8), "ten"])
    assert str(caught.value) == (
        "an input is a shape such as (3, 224, 224), a tensor, or a list or a dictionary of these, "
        "not 'ten'"
    )
    with pytest.raises(UserError) as caught:
        striate.size("lenet5", input=[(1, 28, 28)])
    assert str(caught.value) == (
        "a network in the notation takes one image (C, H, W), not [(1, 28, 28)]"
    )


def test_a_factory_may_give_its_inputs(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paired.py").write_text(
        "import torch\n\n\ndef net():\n"
        "    return torch.nn.Bilinear(4, 5, 6), (torch.ones(1, 4), torch.ones(1, 5))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert striate.size("paired:net").totals.parameters == 4 * 5 * 6 + 6


@pytest.mark.parametrize("name", ["r3d_18", "s3d", "swin3d_t"])
def test_videos_cost_what_torchvision_says(name: str) -> None:
    """Its tables are of 16 frames too."""
    ledger = striate.size(f"torchvision:{name}")
    weights = next(iter(models.get_model_weights(name)))
    assert ledger.totals.parameters == weights.meta["num_params"]
    assert ledger.totals.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=6e-4)


def test_a_training_step_of_several_inputs_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        striate.memory("torchvision:raft_small")
    assert str(caught.value) == (
        "torchvision:raft_small takes 3×520×960 and 3×520×960, and a training step is followed for "
        "networks of one input alone. striate.size takes several"
    )


class Chosen(nn.Module):
    """Pixels above a half, of which nothing but the values tells the number."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image)
        return self.head(x.permute(0, 2, 3, 1)[image[:, 0] > 0.5])


def test_what_depends_on_the_data_is_run_when_asked() -> None:
    model, chance = Chosen(), torch.get_rng_state()
    state = {name: each.clone() for name, each in model.state_dict().items()}
    assert [row.name for row in striate.size(model, input=(3, 16, 16)).rows if row.macs] == ["conv"]
    ledger = striate.size(model, input=(3, 16, 16), run=True)
    rows = {row.name: row for row in ledger.rows}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        count = int((torch.rand(1, 3, 16, 16)[:, 0] > 0.5).sum())
    assert rows["head"].macs == 8 * count > 0
    assert ledger.warnings == ()
    assert model.training and torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert ledger.notes[0] == (
        "Chosen depends on the values of the data: it was run in evaluation on random images, and "
        "other images give other numbers from there on"
    )


def test_a_detector_costs_what_a_real_pass_multiplies() -> None:
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    ledger = striate.size(f"torchvision:{name}", input=(3, 96, 96), run=True)
    model = models.get_model(name, weights=None, weights_backbone=None).eval()
    torch.manual_seed(0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, 3, 96, 96))
    backbone = sum(row.macs for row in ledger.rows if row.name.startswith("backbone"))
    assert 2 * backbone == sum(counter.flop_counts["FasterRCNN.backbone"].values())
    assert ledger.totals.parameters == sum(each.numel() for each in model.parameters())
    assert any(row.name.startswith("roi_heads") and row.macs for row in ledger.rows)


def test_what_is_kept_of_any_network() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True))
    assert striate.saved_bytes(model, input=(3, 8, 8), batch=2) == 4 * 2 * (3 * 64 + 8 * 36)
    with pytest.raises(UserError) as caught:
        striate.saved_bytes(nn.Sequential(*model, nn.Conv2d(4, 8, 3)), input=(3, 8, 8))
    assert str(caught.value).startswith(
        "Sequential does not get through a pass in training: Sequential is sized up to 2"
    )
