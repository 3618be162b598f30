"""Networks that the notation has no words for, trained: what differs from those that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import striate
from striate.errors import UserError
from striate.networks import beginning
from striate.programs import Subject
from striate.training.fitting import Followed, choose_input
from striate.training.optimise import Optimizer, macs_of
from striate.training.progress import Display
from striate.training.run import open_run
from striate.training.settings import Settings
from striate.training.starting import weights_from


class Scaled(nn.Module):
    """Scales each channel by what it is of them all, which the notation has no words for."""

    def forward(self, image: Tensor) -> Tensor:
        return image / (1 + image.abs().sum(1, keepdim=True))


def convolutional(classes: int = 10) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        Scaled(),
        nn.Conv2d(8, 8, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, classes),
    )


def subject(model: nn.Module, input: tuple[int, int, int] = (1, 8, 8)) -> Subject:
    found = beginning(model, input=input).network
    assert isinstance(found, Subject)
    return found


def quiet() -> Display:
    return Display.silent()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "first"
    striate.train(
        convolutional(7),
        "digits",
        input=(1, 8, 8),
        epochs=4,
        precision="float32",
        output=folder,
        display=quiet(),
    )
    return folder


def test_a_run_holds_its_operations_and_learns(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"network.json", "weights.safetensors", "report.html", "network.svg"} <= names
    assert not names & {"network.net", "state.safetensors"}
    found = open_run(run)
    assert found.record.notices[:2] == (
        "10 classes in place of 7",
        "training starts from the network's own weights; those of 7 are new",
    )
    assert json.loads((run / "test.json").read_text())["accuracy"] > 0.6
    assert striate.test(run).accuracy == json.loads((run / "test.json").read_text())["accuracy"]
    report = (run / "report.html").read_text()
    assert "no words for this network" in report
    assert f"striate train {run}/network.json digits --epochs 4" in report


def test_the_same_training_again_is_named(tmp_path: Path, attention: nn.Module) -> None:
    assert attention is not None  # `wordless` can be imported
    run = tmp_path / "run"
    striate.train(
        "wordless:make", "digits", input=(3, 16, 16), epochs=0.1, output=run, display=quiet()
    )
    told = "striate train wordless:make digits --input 3x16x16 --epochs 0.1"
    assert told in (run / "report.html").read_text()


def test_muon_takes_the_filters_of_dense_convolutions_alone() -> None:
    network = striate.build(convolutional(), input=(1, 8, 8))
    optimizer = Optimizer(network, Settings(epochs=1), macs_of(network.graph, 128))
    assert [weight.name for weight in optimizer._filters] == ["0.weight"]


def test_going_on_comes_to_the_same_weights(tmp_path: Path) -> None:
    """Killed before its first look, from the weights that it began with."""

    class StopError(Exception):
        pass

    class Stopping(Display):
        def row(self, row: object) -> None:
            raise StopError

    given = {"input": (1, 8, 8), "epochs": 1, "precision": "float32"}
    with pytest.raises(StopError):
        striate.train(
            convolutional(), "digits", output=tmp_path / "a", display=Stopping.silent(), **given
        )
    assert (tmp_path / "a" / "state.safetensors").exists()
    striate.resume(tmp_path / "a", display=quiet())
    striate.train(convolutional(), "digits", output=tmp_path / "b", display=quiet(), **given)
    one, other = (open_run(tmp_path / name).load_network().state_dict() for name in "ab")
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_frozen_layers_keep_their_weights_and_statistics(run: Path, tmp_path: Path) -> None:
    striate.train(
        run, "digits", epochs=0.2, settings={"body_rate": 0}, output=tmp_path / "r", display=quiet()
    )
    before, after = (open_run(each).load_network().state_dict() for each in (run, tmp_path / "r"))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert [name for name in changed if "num_batches" not in name] == ["7.weight", "7.bias"]


def test_weights_of_a_run_or_a_checkpoint_to_start_from(run: Path, tmp_path: Path) -> None:
    begun = beginning(convolutional(), input=(1, 8, 8))
    found = weights_from(run, begun)
    assert torch.equal(found["7.weight"], open_run(run).load_network().get_parameter("7.weight"))
    path = tmp_path / "net.safetensors"
    save_file({f"module.{k}": v for k, v in convolutional(3).state_dict().items()}, path)
    assert weights_from(path, begun)["7.weight"].shape == (3, 128)
    save_file({"0.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError) as caught:
        weights_from(path, begun)
    assert str(caught.value) == (
        f"{path}: these are the weights of another network: it has no 0.bias, which Sequential "
        "has. striate size compares the two"
    )


def test_the_size_of_its_images() -> None:
    """That of the pictures where it takes them, else its own."""
    free = Followed(subject(nn.Sequential(Scaled(), nn.Conv2d(1, 4, 3)), (1, 32, 32)))
    assert choose_input(free, "digits", None) == (
        (1, 8, 8),
        "input 1×8×8, as the pictures are, in place of 1×32×32",
    )
    assert choose_input(free, "digits", (1, 20, 20)) == ((1, 20, 20), "")


def test_a_network_of_colours_shows_grey_pictures_so(attention: nn.Module) -> None:
    assert choose_input(Followed(subject(attention, (3, 16, 16))), "digits", None) == (
        (3, 16, 16),
        "pictures of 1×8×8 are resized to 3×16×16, what the network takes",
    )


class Summed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 5, 3)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).cumsum(2).amax((2, 3))


class Uneven(Summed):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).repeat(1, 2)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Uneven(),
            "Uneven does not end in a layer that gives the classes (10 values), so their number "
            "cannot be set. Give the network itself another last layer",
        ),
        (
            nn.Sequential(Scaled(), nn.Conv2d(1, 4, 3)),
            "Sequential does not end in a layer that gives the classes (4×6×6 values), so their "
            "number cannot be set. Give the network itself another last layer",
        ),
    ],
)
def test_a_network_without_a_layer_for_the_classes(model: nn.Module, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Followed(subject(model)).fitted((1, 8, 8), 3)
    assert str(caught.value) == message


def test_a_convolution_that_gives_the_classes_is_widened() -> None:
    fitted = Followed(subject(Summed())).fitted((1, 8, 8), 3)
    assert fitted.weights["conv.weight"].shape == (3, 1, 3, 3)
    assert fitted.notice == "3 classes in place of 5"


def test_a_damaged_program_of_a_run_is_told(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    text = (folder / "network.json").read_text()
    (folder / "network.json").write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match=r"network.json: the program is damaged \("):
        striate.test(folder)
    (folder / "network.json").unlink()
    with pytest.raises(UserError, match=r"network.net: this file of the run is missing"):
        striate.test(folder)
    (folder / "network.json").write_text(text)
    (folder / "weights.safetensors").unlink()
    with pytest.raises(UserError, match=r"weights.safetensors: there is no such file"):
        striate.build(folder)
