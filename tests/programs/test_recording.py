"""Programs, held to the networks that they were followed from: values, gradients, statistics."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from striate.errors import UserError
from striate.graph import load_graph
from striate.graph.program import read_program
from striate.modules import Replay
from striate.programs import Recording, follow, replayed
from striate.tracing.finding import Found


def followed(model: nn.Module) -> Recording:
    return follow(Found(model, "mine", (3, 16, 16)))


def main(given: Tensor | tuple[Tensor, ...]) -> Tensor:
    return given if isinstance(given, Tensor) else given[0]


@pytest.mark.parametrize("training", [False, True])
def test_the_same_values_gradients_and_statistics(network: nn.Module, training: bool) -> None:
    copy = replayed(followed(network))
    images = torch.rand(7, 3, 16, 16)
    for module in (network, copy):
        module.train(training)
        torch.manual_seed(1)
        main(module(images)).square().sum().backward()
    torch.manual_seed(2)
    expected = main(network(images))
    torch.manual_seed(2)
    torch.testing.assert_close(copy(images), expected)
    own = dict(network.named_parameters())
    for name, weight in copy.named_parameters():
        torch.testing.assert_close(weight.grad, own[name].grad, msg=name)
    buffers = dict(network.named_buffers())
    for name, buffer in copy.named_buffers():
        if name in buffers:
            torch.testing.assert_close(buffer, buffers[name], msg=name)


def test_a_program_is_text_and_reads_back(network: nn.Module) -> None:
    program = followed(network).program
    source = program.to_source()
    again = read_program(source)
    assert again.to_source().text == source.text
    json.loads(source.text)


def test_its_graph_has_the_network_s_layers(network: nn.Module) -> None:
    graph = load_graph(followed(network).program.to_source())
    assert (graph.input, graph.output) == ((3, 16, 16), (10,))
    parameters = sum(
        torch.Size(shape).numel() for node in graph for shape in graph.weights(node).values()
    )
    assert parameters == sum(weight.numel() for weight in network.parameters())


def test_the_network_stays_as_it_is(network: nn.Module) -> None:
    before = {name: each.clone() for name, each in network.state_dict().items()}
    network.train()
    followed(network)
    assert network.training
    for name, each in network.state_dict().items():
        assert torch.equal(each, before[name])
    assert all(weight.grad is None for weight in network.parameters())


def test_side_outputs_are_taps(network: nn.Module) -> None:
    graph = load_graph(followed(network).program.to_source())
    wanted = {"Sided": ["output1"]}.get(type(network).__name__, [])
    assert [tap.name for tap in graph.taps] == wanted
    copy = replayed(followed(network)).train()
    found = copy.outputs(torch.rand(2, 3, 16, 16))
    assert list(found) == ["output", *wanted]


class ByValues(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if image.sum() > 0 else image


class ByBatch(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        for _ in range(len(image)):
            image = image + 1
        return image.mean((2, 3))


class ByMean(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        return image.mean((2, 3)) * (1 / len(image))


class BySquare(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        count = len(image)
        return image.mean((2, 3)).repeat(count, 1).view(count**2, 3)[:count]


def refused() -> Iterator[tuple[nn.Module, str]]:
    yield (
        ByValues(),
        "mine stops in its own forward: what follows depends on the values of the data "
        "(aten._local_scalar_dense.default), and sizing runs on shapes alone",
    )
    yield (
        ByBatch(),
        "mine does other operations for 3 images than for 2, and cannot be trained or drawn. "
        "It can be sized",
    )
    yield (
        ByMean(),
        "mine does mul.Tensor in its own forward otherwise for 3 images than for 2, and cannot "
        "be trained or drawn. It can be sized",
    )


@pytest.mark.parametrize(("model", "message"), list(refused()))
def test_what_cannot_be_followed_is_told(model: nn.Module, message: str) -> None:
    with pytest.raises(UserError) as caught:
        followed(model)
    assert str(caught.value) == message


def test_what_does_not_follow_the_batch_in_a_line_is_told() -> None:
    with pytest.raises(UserError) as caught:
        followed(BySquare())
    assert str(caught.value).startswith(
        "mine was followed with 2 and 3 images, and what it did fails for 5: "
    )


def test_a_network_on_the_meta_device_is_followed_too(attention: nn.Module) -> None:
    expected = followed(attention).program
    assert followed(attention.to("meta")).program == expected


def test_a_copy_has_weights_of_its_own(network: nn.Module) -> None:
    copy = replayed(followed(network))
    assert isinstance(copy, Replay)
    with torch.no_grad():
        for weight in copy.parameters():
            weight.zero_()
    assert all(weight.abs().sum() > 0 for weight in network.parameters() if weight.ndim > 1)


class Ends(nn.Module):
    """Ends in one of several ways; `cumsum` has no word."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.end = end

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image).cumsum(1)
        match self.end:
            case "map":
                return x
            case "flat":
                return x.mean((2, 3), keepdim=True).flatten(1)
            case "part":
                return x.flatten(2)[:, :, 0]
        return x.amax((2, 3)).softmax(1)


@pytest.mark.parametrize(
    ("end", "shape", "kind"),
    [
        ("map", (4, 14, 14), "cumsum"),
        ("flat", (4, 1, 1), "gap"),
        ("part", (4,), "slice"),
        ("softmax", (4,), "softmax"),
    ],
)
def test_networks_end_in_any_way(end: str, shape: tuple[int, ...], kind: str) -> None:
    model = Ends(end)
    graph = load_graph(followed(model).program.to_source())
    assert (graph.output, graph.nodes[graph.end].kind) == (shape, kind)
    image = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(replayed(followed(model))(image), model(image))


@pytest.mark.parametrize(
    ("layer", "kind", "label"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), "conv", "conv3-8/2"),
        (nn.Conv2d(3, 9, (1, 5), dilation=2, groups=3), "conv", "conv1x5-9 d2 g3"),
        (nn.Conv2d(3, 3, 3, groups=3), "conv", "dwconv3"),
        (nn.ConvTranspose2d(3, 6, 2, stride=2), "tconv", "tconv2-6/2"),
        (nn.BatchNorm2d(3), "bn", "bn"),
        (nn.GroupNorm(1, 3), "gn", "gn"),
        (nn.AdaptiveAvgPool2d(1), "gap", "gap"),
        (nn.AvgPool2d(2), "avgpool", "avgpool"),
        (nn.MaxPool2d(2), "pool", "pool"),
        (nn.Dropout(0.5), "dropout", "dropout"),
        (nn.Softplus(), "softplus", "softplus"),
        (nn.PReLU(), "prelu", "prelu"),
        (nn.ZeroPad2d(1), "pad", "pad"),
    ],
)
def test_how_layers_are_called(layer: nn.Module, kind: str, label: str) -> None:
    program = followed(nn.Sequential(layer, nn.Flatten())).program
    first = program.layers[0]
    assert (first.kind, first.label) == (kind, label)
