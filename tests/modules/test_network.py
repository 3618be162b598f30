"""The torch module: names, outputs, what it frees, what it refuses, and torch's own tools on it."""

from __future__ import annotations

import copy
import gc
import io
import weakref
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from striate.errors import NotationError, UserError
from striate.modules import InputError, Network, build

BRANCHED = """
input 3x16x16
-> stem: [conv3-8 -> bn -> relu]
-> block: [(main: [conv3-8 -> relu -> dropout0.5] + id) -> relu]
-> (left: conv1-4 | conv3-4 -> tanh | pool3/1 p1)
-> pool2 -> head: fc-10
"""


GATED = """
se(c) = (id * gap -> conv1-{c//4} -> relu -> conv1-c -> sigmoid)
input 3x16x16 -> stem: conv3-8 -> se: se(8) -> (id * conv3-8 * gap -> fc-8 -> tanh) -> gap -> fc-10
"""


@pytest.fixture
def network() -> Network:
    return build(BRANCHED, seed=0).eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def by_hand(network: Network, image: Tensor) -> Tensor:
    """The same network in plain torch, in evaluation."""
    f = nn.functional
    w = network.state_dict()
    x = f.conv2d(image, w["stem.conv1.weight"], w["stem.conv1.bias"], padding=1)
    x = f.batch_norm(
        x,
        w["stem.bn1.running_mean"],
        w["stem.bn1.running_var"],
        w["stem.bn1.weight"],
        w["stem.bn1.bias"],
    ).relu()
    y = f.conv2d(x, w["block.main.conv1.weight"], w["block.main.conv1.bias"], padding=1).relu()
    x = (y + x).relu()
    left = f.conv2d(x, w["left.weight"], w["left.bias"])
    middle = f.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=1).tanh()
    x = torch.cat([left, middle, f.max_pool2d(x, 3, 1, 1)], 1)
    return f.linear(f.max_pool2d(x, 2).flatten(1), w["head.weight"], w["head.bias"])


def test_computes_what_the_text_says(network: Network, images: Tensor) -> None:
    torch.testing.assert_close(network(images), by_hand(network, images))


def test_squeeze_and_excite_forwards_and_backwards(images: Tensor) -> None:
    network = build(GATED, seed=0)
    leaves = {n: w.detach().clone().requires_grad_() for n, w in network.named_parameters()}

    def written_out(x: Tensor) -> Tensor:
        f = nn.functional
        x = f.conv2d(x, leaves["stem.weight"], leaves["stem.bias"], padding=1)
        gate = f.conv2d(x.mean((2, 3), keepdim=True), leaves["se.conv1.weight"])
        gate = (gate + leaves["se.conv1.bias"][:, None, None]).relu()
        gate = f.conv2d(gate, leaves["se.conv2.weight"], leaves["se.conv2.bias"]).sigmoid()
        x = x * gate
        gate = f.linear(x.mean((2, 3)), leaves["fc1.weight"], leaves["fc1.bias"]).tanh()
        x = x * f.conv2d(x, leaves["conv1.weight"], leaves["conv1.bias"], padding=1)
        x = x * gate.unsqueeze(-1).unsqueeze(-1)
        return f.linear(x.mean((2, 3)), leaves["fc2.weight"], leaves["fc2.bias"])

    output, expected = network(images), written_out(images)
    torch.testing.assert_close(output, expected)
    output.square().sum().backward()
    expected.square().sum().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, leaves[name].grad, rtol=1e-4, atol=1e-5)


def test_keys_are_the_names_of_the_graph(network: Network) -> None:
    expected = {
        f"{node.name}.{weight}": shape
        for node in network.graph
        for weight, shape in node.layer.weights(network.graph.shapes_into(node)).items()
    }
    found = {name: tuple(weight.shape) for name, weight in network.named_parameters()}
    assert found == expected
    assert all(isinstance(network.get_submodule(node.name), nn.Module) for node in network.graph)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_any_precision_and_memory_format(dtype: torch.dtype, images: Tensor) -> None:
    network = build(BRANCHED, seed=0).eval().to(dtype).to(memory_format=torch.channels_last)
    images = images.to(dtype).contiguous(memory_format=torch.channels_last)
    tolerance = {"rtol": 0.05, "atol": 0.05} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(network(images), by_hand(network, images), **tolerance)


def test_autocast(network: Network, images: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        output = network(images)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), by_hand(network, images), rtol=0.05, atol=0.05)


def test_run_to_gives_the_outputs_that_were_asked_for(network: Network, images: Tensor) -> None:
    seen: dict[str, Tensor] = {}
    for node in network.graph:
        network.get_submodule(node.name).register_forward_hook(
            lambda _module, _inputs, output, name=node.name: seen.update({name: output.clone()})
        )
    network(images)
    names = [node.name for node in reversed(network.graph.nodes)]
    expected = dict(seen)
    found = network.run_to(images, names)
    assert list(found) == names
    for name, output in found.items():
        torch.testing.assert_close(output, expected[name], rtol=0, atol=0)


def test_run_to_computes_no_further_than_it_must(network: Network, images: Tensor) -> None:
    ran: list[str] = []
    for node in network.graph:
        network.get_submodule(node.name).register_forward_hook(
            lambda _module, _inputs, _output, name=node.name: ran.append(name)
        )
    network.run_to(images, ["stem.bn1", "stem.conv1"])
    assert ran == ["stem.conv1", "stem.bn1"]


def test_run_to_names_what_it_does_not_know(network: Network, images: Tensor) -> None:
    with pytest.raises(UserError) as error:
        network.run_to(images, ["head", "hed"])
    assert str(error.value) == (
        "the network has no layer named 'hed'. Did you mean 'head'? "
        "`network.graph` lists the names of its layers"
    )


def test_values_are_freed_after_their_last_use(images: Tensor) -> None:
    network = build(
        "input 3x16x16 -> (a: [conv3-4 -> relu -> conv3-4] + conv1-4) -> relu -> conv3-8 -> gap"
    )
    alive: list[int] = []
    outputs: list[weakref.ref[Tensor]] = []

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        alive.append(sum(ref() is not None for ref in outputs))
        outputs.append(weakref.ref(output))

    for node in network.graph:
        network.get_submodule(node.name).register_forward_hook(watch)
    gc.disable()
    try:
        with torch.no_grad():
            network(images)
    finally:
        gc.enable()
    # At the end of each call: the layer's input, and what the other branch still needs.
    assert alive == [0, 1, 1, 1, 2, 1, 1, 1]


def test_another_size_is_taken_when_the_weights_allow_it(images: Tensor) -> None:
    network = build("input 3x16x16 -> conv3-8 -> relu -> gap -> fc-10")
    assert network(torch.randn(2, 3, 24, 20)).shape == (2, 10)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (2, 1, 16, 16),
            "the network takes images of 3×16×16, not 1×16×16. Give images of 3 channels",
        ),
        (
            (2, 3, 28, 28),
            "the network takes images of 3×16×16, not 3×28×28: they bring 3,136 values to head in "
            "place of 1,024. Resize the images to 16×16, or build the network for their size",
        ),
        (
            (3, 16, 16),
            "the network takes a batch of N×3×16×16, not 3×16×16. Add the batch axis in front",
        ),
        (
            (2, 3, 1, 1),
            "the network takes images of 3×16×16, not 3×1×1: at pool2, pool's filter of 2×2 is "
            "larger than its padded input of 1×1. Resize the images to 16×16, or build the network "
            "for their size",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_told_in_the_users_terms(
    network: Network, shape: tuple[int, ...], message: str
) -> None:
    for run in (network, lambda images: network.run_to(images, ["head"])):
        with pytest.raises(InputError) as error:
            run(torch.zeros(shape))
        assert str(error.value) == message
    assert isinstance(error.value, UserError)
    assert isinstance(error.value, ValueError)


def test_an_error_that_is_not_of_the_shape_passes(network: Network, images: Tensor) -> None:
    def fail(_module: nn.Module, _inputs: object) -> None:
        raise RuntimeError("out of memory")

    network.get_submodule("head").register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match=r"^out of memory$"):
        network(images)


@pytest.mark.parametrize("label", ["half", "type", "forward", "training", "graph", "run_to"])
def test_a_label_that_torch_keeps_for_itself_is_pointed_at(label: str) -> None:
    text = f"input 1x8x8 -> [{label}: conv3-4] -> gap"
    with pytest.raises(NotationError) as error:
        build(text)
    (problem,) = error.value.problems
    assert problem.message == (
        f"a layer cannot be called {label!r} in a torch module, which has an attribute of that "
        f"name. Choose another label, for example {label}_1"
    )
    assert text[problem.span.start : problem.span.end] in (f"{label}: conv3-4", "conv3-4")


def test_any_other_label_works() -> None:
    network = build("input 1x8x8 -> weight: [bias: conv3-4 -> bn] -> relu -> id: gap -> fc: fc-2")
    assert set(network.state_dict()) >= {"weight.bias.weight", "weight.bias.bias", "fc.weight"}
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 2)


def test_padding_may_be_uneven_along_one_axis_and_striding_along_the_other() -> None:
    network = build("input 1x8x8 -> conv2-4/1x2", seed=0)
    image = torch.randn(2, 1, 8, 8)
    w = network.state_dict()
    padded = nn.functional.pad(image, (0, 0, 0, 1))
    expected = nn.functional.conv2d(padded, w["conv1.weight"], w["conv1.bias"], stride=(1, 2))
    torch.testing.assert_close(network(image), expected)


def test_tracing_exporting_and_compiling(network: Network, images: Tensor) -> None:
    expected = network(images)
    assert torch.equal(torch.fx.symbolic_trace(network)(images), expected)
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), expected)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    assert torch.equal(compiled(images), expected)


def test_copies_and_pickles(network: Network, images: Tensor, tmp_path: Path) -> None:
    expected = network(images)
    copied = copy.deepcopy(network)
    with torch.no_grad():
        network.get_submodule("head").weight.zero_()  # type: ignore[union-attr,operator]
    assert torch.equal(copied(images), expected)
    buffer = io.BytesIO()
    torch.save(copied.state_dict(), buffer)
    buffer.seek(0)
    network.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(network(images), expected)


def test_a_replaced_layer_runs(network: Network, images: Tensor) -> None:
    network.get_submodule("stem").bn1 = nn.Identity()
    before = network.run_to(images, ["stem.conv1", "stem.bn1"])
    assert torch.equal(before["stem.conv1"], before["stem.bn1"])


def test_backward_hooks_reach_every_activation(network: Network, images: Tensor) -> None:
    reached: list[str] = []
    relus = [node.name for node in network.graph if node.kind == "relu"]
    for name in relus:
        network.get_submodule(name).register_full_backward_hook(
            lambda _module, _into, _out, name=name: reached.append(name)
        )
    network(images).sum().backward()
    assert sorted(reached) == sorted(relus)
