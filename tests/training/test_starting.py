"""Transfer learning: first weights of a run or a checkpoint, and a body that learns less."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import striate
from striate.data import DataSet
from striate.errors import UserError
from striate.graph import load_graph
from striate.modules import build, to_published
from striate.networks import beginning
from striate.source import Source
from striate.training.device import Machine
from striate.training.heads import head_layers
from striate.training.loop import train_network
from striate.training.progress import Display
from striate.training.run import Normalise, open_run
from striate.training.settings import Settings
from striate.training.starting import weights_from
from striate.training.watching import Watcher

TEXT = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> conv3-8 nobias -> bn -> relu -> fc-10"
CPU = Machine(torch.device("cpu"), torch.float32)
NORMALISE = Normalise((78.0,), (96.0,))


def quiet() -> Display:
    return Display(io.StringIO())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    striate.train(TEXT, "digits", output=folder, epochs=1, display=quiet())
    return folder


def test_a_run_s_weights(run: Path) -> None:
    found = weights_from(run, beginning(Source(TEXT)))
    expected = open_run(run).load_network().state_dict()
    assert all(torch.equal(found[name], each) for name, each in expected.items())


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_checkpoint_under_the_graph_s_names(tmp_path: Path, ending: str) -> None:
    weights = build(Source(TEXT), seed=3).state_dict()
    path = tmp_path / f"weights{ending}"
    save_file(weights, path) if ending == ".safetensors" else torch.save(weights, path)
    found = weights_from(path, beginning(Source(TEXT)))
    assert all(torch.equal(found[name], each) for name, each in weights.items())


@pytest.mark.parametrize("classes", [1000, 7])
def test_a_checkpoint_of_torchvision_for_the_zoo(tmp_path: Path, classes: int) -> None:
    theirs = build("resnet18", seed=3)
    path = tmp_path / "resnet18.pth"
    torch.save(to_published(theirs), path)
    text = striate.load_graph("resnet18").source.text.replace("fc-1000", f"fc-{classes}")
    found = weights_from(path, beginning(Source(text)))
    expected = theirs.state_dict()
    learned = {name for name in expected if "num_batches" not in name}
    taken = {name for name in learned & found.keys() if torch.equal(found[name], expected[name])}
    constant = {name for name in learned if name not in found and not expected[name].std() > 0}
    last = {"fc1.weight", "fc1.bias"} if classes == 7 else set()
    assert learned - taken - constant == last - constant
    assert "stage1.1.main.conv1.weight" in taken


@pytest.mark.parametrize("classes", [10, 4])
def test_a_checkpoint_of_a_torch_network(tmp_path: Path, classes: int) -> None:
    """Under the names of the network that the text was read off."""

    def make(count: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, count))

    weights = make(classes).state_dict()
    path = tmp_path / "mine.pth"
    torch.save({f"module.{name}": each for name, each in weights.items()}, path)
    begun = beginning(make(10), input=(1, 8, 8))
    found = weights_from(path, begun)
    assert torch.equal(found["conv1.weight"], weights["0.weight"])
    assert torch.equal(found["fc1.weight"], weights["3.weight"])


def test_the_weights_of_another_network(run: Path) -> None:
    with pytest.raises(UserError) as caught:
        weights_from(run, beginning(Source("input 1x8x8 -> conv3-8 -> relu -> fc-10")))
    assert str(caught.value) == (
        f"{run}: these are the weights of another network: it has bn1.weight, which the network "
        "to train has not. striate size compares the two"
    )
    with pytest.raises(UserError) as caught:
        weights_from(run, beginning(Source(TEXT.replace("-> fc-10", "-> fc-10 -> relu -> fc-10"))))
    assert str(caught.value) == (
        f"{run}: these are the weights of another network: it has no fc2.weight, which the network "
        "to train has. striate size compares the two"
    )


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        weights_from(tmp_path / "none.pth", beginning(Source(TEXT)))
    with pytest.raises(UserError, match="there is no such run"):
        weights_from(tmp_path / "none", beginning(Source(TEXT)))


def test_a_training_starts_where_a_run_ended(run: Path, tmp_path: Path) -> None:
    again = striate.train(
        TEXT, "digits", start=run, output=tmp_path / "second", epochs=1, display=quiet()
    )
    assert f"training starts from those of {run}" in again.run.record.notices
    assert again.run.record.settings.whiten is False
    first = open_run(run).record.results["val_accuracy"]
    assert again.run.record.results["val_accuracy"] >= first


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        (TEXT, {"fc1"}),
        ("input 1x8x8 -> conv3-8 -> relu -> conv1-10 -> gap", {"conv2"}),
        (
            "input 1x8x8 -> conv3-8 -> tap side [fc-10] -> relu -> fc-10 -> softmax",
            {"fc1", "side.fc1"},
        ),
        ("input 1x8x8 -> conv3-8 -> relu -> fc-10 -> bn -> relu", {"bn1"}),
    ],
)
def test_the_layers_that_make_the_scores(text: str, heads: set[str]) -> None:
    assert head_layers(load_graph(text)) == heads


@pytest.mark.parametrize("optimizer", ["muon", "sgd"])
def test_a_frozen_body_stays_as_it_is(digits: DataSet, optimizer: str) -> None:
    settings = Settings(
        epochs=6, batch=64, body_rate=0.0, optimizer=optimizer, lr=0.05, whiten=False
    )
    network = build(Source(TEXT), seed=0)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    found = train_network(network, digits, NORMALISE, settings, CPU, Watcher())
    for name, each in found.weights.items():
        assert torch.equal(each, before[name]) != name.startswith("fc1"), name
    assert found.best.val_accuracy > 0.6


def test_a_body_that_learns_less(digits: DataSet) -> None:
    """Without momentum the first step of each layer is as long as its rate."""
    moved = {}
    for rate in (1.0, 0.1):
        settings = Settings(
            epochs=0.01, batch=64, body_rate=rate, optimizer="sgd", momentum=0.0, lr=0.1,
            whiten=False, warmup=0.0,
        )  # fmt: skip
        network = build(Source(TEXT), seed=0)
        before = {name: each.clone() for name, each in network.state_dict().items()}
        found = train_network(network, digits, NORMALISE, settings, CPU, Watcher())
        moved[rate] = {name: found.weights[name] - before[name] for name in before}
    for name in ("conv1.weight", "bn2.weight"):
        torch.testing.assert_close(moved[0.1][name], 0.1 * moved[1.0][name], rtol=1e-2, atol=1e-6)
    torch.testing.assert_close(moved[0.1]["fc1.weight"], moved[1.0]["fc1.weight"])
