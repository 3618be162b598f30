"""Torch networks where a text would do: graphs, texts, drawings, formulas, modules, trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import striate
from striate.errors import UserError
from striate.networks import beginning, find_source, load_picture
from striate.programs import subject


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


TEXT = "input 1x8x8\nconv3-4 -> bn -> relu -> pool2 -> fc-10\n"


def exported(folder: Path) -> Path:
    path = folder / "small.onnx"
    torch.onnx.export(small().eval(), (torch.zeros(1, 1, 8, 8),), path, dynamo=False)
    return path


@pytest.fixture(params=["live", "factory", "onnx", "text", "file"])
def network(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> object:
    """The same network in every form in which one is taken."""
    match request.param:
        case "live":
            return small()
        case "factory":
            monkeypatch.syspath_prepend(str(Path(__file__).parent))
            return "test_networks:small"
        case "onnx":
            return str(exported(tmp_path))
        case "file":
            (tmp_path / "small.net").write_text(TEXT)
            return tmp_path / "small.net"
    return TEXT


def test_every_form_of_a_network_is_taken_everywhere(network: object, tmp_path: Path) -> None:
    graph = striate.load_graph(network, input=(1, 8, 8))
    kinds = [node.kind for node in graph if node.kind != "bn"]  # an exporter folds it away
    assert kinds == ["conv", "relu", "pool", "fc"]
    striate.draw(graph, tmp_path / "net.svg")
    assert striate.symbolic(network, input=(1, 8, 8)).rows[0].name == "conv1"
    built = striate.build(network, input=(1, 8, 8))
    assert built(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert find_source(network, input=(1, 8, 8)).text.startswith("input 1x8x8\n")
    assert striate.size(network, input=(1, 8, 8)).totals.macs == 4 * 9 * 64 + 640


def test_pictures_of_a_torch_network(tmp_path: Path) -> None:
    striate.draw("torchvision:squeezenet1_1", tmp_path / "net.txt")
    assert (tmp_path / "net.txt").read_text().startswith("torchvision:squeezenet1_1\n")
    small_one = striate.load_graph("torchvision:squeezenet1_1", input=(3, 33, 33))
    assert striate.draw_steps(small_one, tmp_path / "steps.png", "pool1") == "pool1"


def test_a_live_network_keeps_its_weights() -> None:
    model = small().eval()
    image = torch.rand(2, 1, 8, 8)
    network = striate.build(model, input=(1, 8, 8)).eval()
    torch.testing.assert_close(network(image), model(image))
    with torch.no_grad():
        network.get_parameter("fc1.weight").zero_()
    assert model[5].weight.abs().sum() > 0
    with pytest.raises(UserError) as caught:
        striate.build(model, input=(1, 8, 8), seed=3)
    assert str(caught.value) == "Sequential keeps its own weights: leave the seed out"


def test_a_network_that_was_built_has_its_text() -> None:
    """Group convolutions too, which no other text could say."""
    text = "input 1x12x12 -> p4lift3-2 -> p4bn -> relu -> p4pool -> gap -> fc-3"
    network = striate.build(text, seed=5).eval()
    again = striate.build(network).eval()
    assert again.graph == network.graph
    image = torch.rand(2, 1, 12, 12)
    assert torch.equal(again(image), network(image))
    assert striate.load_graph(network, input=(1, 16, 16)).input == (1, 16, 16)


def test_an_onnx_file_keeps_its_weights(tmp_path: Path) -> None:
    image = torch.rand(2, 1, 8, 8)
    network = striate.build(exported(tmp_path)).eval()
    torch.testing.assert_close(network(image), small().eval()(image), rtol=1e-4, atol=1e-5)


def test_a_network_of_a_library_is_initialised_by_seed() -> None:
    one, same, other = (striate.build("torchvision:squeezenet1_1", seed=n) for n in (1, 1, 2))
    weights = [network.get_parameter("conv1.weight") for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert beginning("torchvision:squeezenet1_1").weights == {}


def test_the_text_of_a_run_is_set_to_another_input() -> None:
    assert find_source("lenet5", input=(3, 64, 64)).text.count("input 3x64x64") == 1


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vgg11_bn"])
def test_the_zoo_and_torchvision_agree(name: str) -> None:
    """The zoo's text, and the one read off torchvision's own network."""
    ours, theirs = striate.load_graph(name), striate.load_graph(f"torchvision:{name}")
    tell = ("conv", "dwconv", "fc", "bn", "add", "pool")
    assert [(node.layer, node.output) for node in theirs if node.kind in tell] == [
        (node.layer, node.output) for node in ours if node.kind in tell
    ]


def test_training_starts_from_the_weights_of_a_live_network(tmp_path: Path) -> None:
    model = small()
    result = striate.train(
        model, "digits", input=(1, 8, 8), epochs=0.02, lr=1e-12, output=tmp_path / "run"
    )
    assert result.run.record.notices[0] == "training starts from the network's own weights"
    trained = result.run.load_network()
    torch.testing.assert_close(trained.get_parameter("conv1.weight"), model[0].weight)


def test_a_last_layer_for_other_classes_is_new(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7))
    result = striate.train(
        model, "digits", input=(1, 8, 8), epochs=0.02, lr=1e-12, output=tmp_path / "run"
    )
    assert "10 classes in place of 7" in result.run.record.notices
    assert (
        "training starts from the network's own weights; those of fc1 are new"
        in result.run.record.notices
    )


def test_a_network_that_does_not_say_its_input() -> None:
    with pytest.raises(UserError) as caught:
        striate.load_graph(small())
    assert str(caught.value) == (
        "Sequential does not say what images it takes. Say it: --input 3x224x224, in Python "
        "input=(3, 224, 224)"
    )


def test_a_network_without_words_is_taken_everywhere(attention: nn.Module, tmp_path: Path) -> None:
    """Live, by its factory, and as the run that it becomes."""
    attention.eval()
    image = torch.rand(2, 3, 16, 16)
    for network in (attention, "wordless:make"):
        graph = striate.load_graph(network, input=(3, 16, 16))
        assert [node.kind for node in graph if node.kind in ("conv", "fc", "attention", "ln")] == [
            *("conv", "ln", "fc", "attention", "fc", "fc"),
        ]
        striate.draw(graph, tmp_path / "net.txt")
        assert "attention" in (tmp_path / "net.txt").read_text()
        built = striate.build(network, input=(3, 16, 16)).eval()
        torch.testing.assert_close(built(image), attention(image))
        with pytest.raises(UserError, match="cannot be written in the notation: "):
            find_source(network, input=(3, 16, 16))
        (constraint,) = striate.symbolic(network, input=(3, 16, 16)).constraints
        assert constraint.fits == (16, 17)  # the rest is cut off
    result = striate.train(
        attention, "digits", input=(3, 16, 16), epochs=0.1, lr=1e-12, output=tmp_path / "run"
    )
    assert result.run.record.notices[0] == "training starts from the network's own weights"
    run = str(tmp_path / "run")
    sizes = [striate.size(each, input=(3, 16, 16)).totals for each in (attention, run)]
    assert (sizes[0].parameters, sizes[0].macs) == (sizes[1].parameters, sizes[1].macs)
    assert sizes[0].saved_bytes == sizes[1].saved_bytes
    assert striate.load_graph(run).output == (10,)
    rebuilt = striate.build(run).eval()
    assert torch.equal(rebuilt(image), result.run.load_network()(image))
    (constraint,) = striate.symbolic(run).constraints
    assert constraint.message == "H and W must be 16, as far as was tried"
    with pytest.raises(UserError) as caught:
        find_source(run)
    assert str(caught.value) == (
        f"{run} is kept as its operations: the notation has no words for it. It can be sized, "
        "drawn and trained without"
    )
    with pytest.raises(UserError) as caught:
        striate.build(run, seed=3)
    assert str(caught.value).endswith("keeps its own weights: leave the seed out")


def test_an_onnx_file_without_words_keeps_its_weights(attention: nn.Module, tmp_path: Path) -> None:
    path, image = tmp_path / "attention.onnx", torch.rand(3, 3, 16, 16)
    torch.onnx.export(
        attention.eval(),
        (image[:1],),
        path,
        dynamo=False,
        input_names=["image"],
        dynamic_axes={"image": {0: "batch"}},
    )
    network = striate.build(path).eval()
    torch.testing.assert_close(network(image), attention(image), rtol=1e-4, atol=1e-5)


def test_seeds_draw_the_weights_of_a_library_s_network_without_words() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (
        subject("torchvision:swin_t", seed=n).weights()["features.0.0.weight"] for n in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert beginning("torchvision:swin_t").weights == {}


class Rows(nn.Module):
    """Two images, or one and a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 3), nn.Linear(7, 4)

    def forward(self, image: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
        return self.one(image) + self.other(more)[:, :, None, None]


def test_pictures_of_networks_that_are_sized_alone(tmp_path: Path) -> None:
    """Of several inputs, and of volumes in time."""
    graph = load_picture(Rows(), input=[(3, 8, 8), (7,)])
    assert [node.kind for node in graph] == ["conv", "fc", "add"]
    striate.draw(Rows(), tmp_path / "rows.svg", input=[(3, 8, 8), (7,)])
    assert (tmp_path / "rows.svg").stat().st_size > 1000
    film = nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU(), nn.Conv3d(4, 2, 3))
    graph = load_picture(film, input=(3, 6, 10, 8))
    assert [(node.kind, node.output) for node in graph][-1] == ("conv", (2, 2, 6, 4))
    for name in ("film.svg", "film.png", "film.txt"):
        striate.draw(graph, tmp_path / name)
    with pytest.raises(UserError, match="Conv3d stops in its own forward"):
        load_picture(film[0], input=(4, 6, 10, 8))
    assert load_picture("lenet5", input=(3, 40, 40)).input == (3, 40, 40)
