"""Steps that are predicted, beside real ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import striate
from striate.errors import UserError
from striate.sizing.machine import Machine, store
from striate.timing import step as timing

TEXT = "input 3x16x16 -> conv3-8 -> bn -> relu -> (conv3-8 + id) -> pool2 -> gap -> fc-4"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figures: Machine) -> Machine:
    """The machine of round numbers, as if torch had been measured; steps are few."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(timing, "SECONDS", 0.0)
    here = dataclasses.replace(figures, torch=torch.__version__)
    store([here])
    return here


def test_every_layer_is_measured_beside_its_prediction() -> None:
    told: list[tuple[int, int]] = []
    times = striate.measure_time(TEXT, batch=2, progress=lambda *done: told.append(done))
    predicted = striate.step_time(TEXT, batch=2)
    assert [row.seconds for row in times.rows] == [row.seconds for row in predicted.rows]
    measured = times.measured
    assert measured is not None
    assert measured.steps == timing.FEWEST
    assert times.error == times.step / measured.step.median - 1
    for row in times.rows:
        if not row.bound:  # the identity does nothing
            assert row.measured is None
            continue
        assert row.measured is not None
        assert row.measured > 0, row.name
        if row.kind != "add":  # hands its gradient on
            assert row.measured_backward > 0, row.name
    assert told[-1][0] == told[-1][1]


def test_a_live_network_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.eval()
    state = torch.get_rng_state()
    times = striate.measure_time(model, input=(3, 8, 8), batch=2)
    assert [row.name for row in times.rows if row.measured] == ["0", "1", "3"]
    assert not model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(each.grad is None for each in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_large_layer_takes_most_of_the_step() -> None:
    """Which layer is slow is known of both, told from one operation's own time."""
    times = striate.measure_time("input 3x32x32 -> conv1-64 -> relu -> conv5-256 -> gap -> fc-4")
    slowest = max(times.rows, key=lambda row: row.measured or 0)
    assert slowest.name == "conv2"


def test_layers_whose_operations_change_are_not_told() -> None:
    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.passes = nn.Conv2d(3, 4, 3), 0

        def forward(self, image: Tensor) -> Tensor:
            self.passes += 1
            found = self.layer(image)
            return (found.exp() if self.passes > 5 else found).mean((2, 3))

    times = striate.measure_time(Changing(), input=(3, 8, 8), batch=2)
    assert times.measured is not None
    assert all(row.measured is None for row in times.rows)
    assert "its operations differ from one pass to the next: no layer's time is known" in (
        times.table()
    )


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "mobilenet_v2", "se_resnet50", "unet"])
def test_notation_and_torch_predict_alike(name: str) -> None:
    """The two ways to list a network's operations agree on what takes the time."""
    text = striate.step_time(name, batch=2)
    module = striate.step_time(striate.build(name, seed=0), input=text.input, batch=2)
    assert module.step == pytest.approx(text.step, rel=0.05)


def test_figures_of_another_torch(home: Machine) -> None:
    store([dataclasses.replace(home, torch="1.0")])
    with pytest.raises(UserError) as caught:
        striate.measure_time(TEXT)
    assert str(caught.value) == (
        f"the stored figures are of torch 1.0, and this is {torch.__version__}. Run striate "
        "machine again"
    )


def test_figures_of_a_gpu_that_is_not_here(home: Machine) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    store([dataclasses.replace(home, device="cuda", name="a GPU")])
    with pytest.raises(UserError) as caught:
        striate.measure_time(TEXT)
    assert str(caught.value) == (
        "the stored figures are of a GPU, but torch sees no GPU here. Say --device cpu"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 0}, "a batch holds at least 1 image, not 0"),
        ({"device": "cuda"}, "machine.json has no figures of a device 'cuda' of this machine: "),
    ],
)
def test_what_cannot_be_predicted(given: dict[str, object], message: str) -> None:
    for what in (TEXT, nn.Conv2d(3, 4, 3)):
        with pytest.raises(UserError) as caught:
            striate.step_time(what, **given)
        assert message in str(caught.value)


def test_a_network_that_learns_nothing() -> None:
    with pytest.raises(UserError) as caught:
        striate.step_time(nn.ReLU(), input=(3, 8, 8))
    assert str(caught.value) == "ReLU has no weights that learn, and so no training step"


def test_the_table_fits_a_terminal() -> None:
    table = striate.measure_time(TEXT, batch=2).table()
    assert max(map(len, table.splitlines())) <= 100
    lines = [line.split()[:2] for line in table.splitlines()]
    assert ["predicted", "step"] in lines
    assert ["measured", "step"] in lines
