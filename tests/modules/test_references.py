"""Taps, max-unpooling and shared weights, each against the same network in plain torch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as f

from striate.modules import InputError, Network, build
from striate.modules.plan import plan
from striate.sizing import size

Weights = dict[str, Tensor]

TAPPED = """
input 3x16x16 -> tap image -> stem: conv3-8 -> relu -> tap early
-> tap aux [pool4 -> flatten -> fc-5] -> deep: conv3-8 -> (tap inner [relu] + id) -> gap
-> head: fc-5 -> tap probabilities [softmax]
"""

UNPOOLED = """
input 3x17x15
-> down1: conv3-4 -> relu -> p1: pool2 -> down2: conv3-6 -> relu -> p2: pool3/2 p1
-> middle: conv3-6 -> unpool p2 -> up2: conv3-4 -> unpool p1 -> up1: conv3-2
"""

SHARED = """
tower = [conv3-4 nobias -> bn -> relu]
input 3x16x16 -> lift: conv1-4 -> (t: tower -> pool2 | pool2 -> again t) -> mix: conv1-4 -> relu
-> m: conv1-4 -> again m -> again m -> gap -> head: fc-3
"""


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def conv(x: Tensor, w: Weights, name: str) -> Tensor:
    kernel_size = w[f"{name}.weight"].shape[-1]
    return f.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), padding=kernel_size // 2)


def tapped(x: Tensor, w: Weights) -> dict[str, Tensor]:
    early = conv(x, w, "stem").relu()
    pooled = f.max_pool2d(early, 4).flatten(1)
    deep = conv(early, w, "deep")
    scores = f.linear(deep.mul(2).mean((2, 3)), w["head.weight"], w["head.bias"])
    return {
        "output": scores,
        "image": x,
        "early": early,
        "aux": f.linear(pooled, w["aux.fc1.weight"], w["aux.fc1.bias"]),
        "inner": deep.relu(),
        "probabilities": scores.softmax(1),
    }


def unpooled(x: Tensor, w: Weights) -> Tensor:
    one = conv(x, w, "down1").relu()
    first, places1 = f.max_pool2d(one, 2, return_indices=True)
    two = conv(first, w, "down2").relu()
    second, places2 = f.max_pool2d(two, 3, 2, 1, return_indices=True)
    x = conv(second, w, "middle")
    x = f.max_unpool2d(x, places2, 3, 2, 1, output_size=two.shape[-2:])
    x = conv(x, w, "up2")
    x = f.max_unpool2d(x, places1, 2, output_size=one.shape[-2:])
    return conv(x, w, "up1")


def shared(x: Tensor, w: Weights) -> Tensor:
    def tower(x: Tensor) -> Tensor:
        x = conv(x, w, "t.conv1")
        mean, variance = w["t.bn1.running_mean"], w["t.bn1.running_var"]
        return f.batch_norm(x, mean, variance, w["t.bn1.weight"], w["t.bn1.bias"]).relu()

    x = conv(x, w, "lift")
    x = torch.cat([f.max_pool2d(tower(x), 2), tower(f.max_pool2d(x, 2))], 1)
    x = conv(x, w, "mix").relu()
    for _ in range(3):
        x = conv(x, w, "m")
    return f.linear(x.mean((2, 3)), w["head.weight"], w["head.bias"])


def compared(network: Network, run: Callable[[Tensor, Weights], Tensor], images: Tensor) -> None:
    """Values and all gradients of a network and of the same in plain torch."""
    network.eval()
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    names = [name for name, _ in network.named_parameters()]
    for name in names:
        weights[name].requires_grad_()
    output, expected = network(images), run(images, weights)
    torch.testing.assert_close(output, expected)
    output.square().sum().backward()
    expected.square().sum().backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-4, atol=1e-5)


def test_taps_give_what_stands_where_they_do(images: Tensor) -> None:
    network = build(TAPPED, seed=0).eval()
    found = network.outputs(images)
    expected = tapped(images, network.state_dict())
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    torch.testing.assert_close(network(images), expected["output"])


def test_gradients_flow_from_taps_too(images: Tensor) -> None:
    network = build(TAPPED, seed=0)
    sum(value.square().mean() for value in network.outputs(images).values()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network = build(TAPPED, seed=0)
    network(images).square().mean().backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert without == {"aux.fc1.weight", "aux.fc1.bias"}


def ran(network: Network, run: Callable[[], object]) -> list[str]:
    """The names of the layers that a call computes, in order."""
    names: list[str] = []
    handles = [
        network.module_of(node).register_forward_hook(
            lambda _module, _inputs, _output, name=node.name: names.append(name)
        )
        for node in network.graph
    ]
    run()
    for handle in handles:
        handle.remove()
    return names


def test_what_only_a_tap_needs_is_not_computed(images: Tensor) -> None:
    network = build(TAPPED, seed=0).eval()
    for_taps = {"aux.pool1", "aux.flatten1", "aux.fc1", "inner.relu1", "probabilities.softmax1"}
    everything = [node.name for node in network.graph]
    assert ran(network, lambda: network.outputs(images)) == everything
    main = [name for name in everything if name not in for_taps]
    assert ran(network, lambda: network(images)) == main
    needed = ["stem", "relu1", "aux.pool1"]
    assert ran(network, lambda: network.run_to(images, ["aux.pool1"])) == needed


def test_a_network_without_taps_has_its_output_alone(images: Tensor) -> None:
    network = build("input 3x16x16 -> gap -> fc-2", seed=0)
    found = network.outputs(images)
    assert list(found) == ["output"]
    torch.testing.assert_close(found["output"], network(images))


def test_an_image_that_only_a_tap_refuses() -> None:
    network = build("input 3x16x16 -> conv3-4 -> tap t [flatten -> fc-2] -> gap -> fc-2", seed=0)
    images = torch.zeros(1, 3, 8, 8)
    assert network(images).shape == (1, 2)
    with pytest.raises(InputError, match=r"they bring 256 values to t\.fc1 in place of 1,024"):
        network.outputs(images)


def test_unpooling_puts_values_back_where_the_pool_found_them() -> None:
    images = torch.randn(2, 3, 17, 15, generator=torch.Generator().manual_seed(0))
    compared(build(UNPOOLED, seed=0), unpooled, images)


def test_unpooling_takes_other_sizes() -> None:
    network = build(UNPOOLED, seed=0).eval()
    for shape in ((1, 3, 22, 31), (1, 3, 8, 9)):
        images = torch.randn(shape)
        torch.testing.assert_close(network(images), unpooled(images, network.state_dict()))


def test_a_pool_that_is_tied_gives_its_values_to_others(images: Tensor) -> None:
    network = build("input 3x16x16 -> p: pool2 -> tap t -> (relu -> unpool p | upsample2)").eval()
    values, places = f.max_pool2d(images, 2, return_indices=True)
    back = f.max_unpool2d(values.relu(), places, 2)
    expected = torch.cat([back, values.repeat_interleave(2, 2).repeat_interleave(2, 3)], 1)
    torch.testing.assert_close(network(images), expected)
    torch.testing.assert_close(network.outputs(images)["t"], values)
    torch.testing.assert_close(network.run_to(images, ["p"])["p"], values)


def test_indices_wait_in_a_slot_and_are_let_go() -> None:
    network = build(UNPOOLED, seed=0)
    steps = network._plan.steps
    pools = [step for step in steps if step.kept is not None]
    assert [network.graph.nodes[step.node].name for step in pools] == ["p1", "p2"]
    for step in pools:
        reader = next(
            other for other in steps if other.node > step.node and step.kept in other.inputs[1:]
        )
        assert step.kept in (*reader.dead, reader.output)
    alone = plan(network.graph, [2])
    assert alone.steps[-1].kept in alone.steps[-1].dead


def test_a_second_use_has_the_weights_of_the_first(images: Tensor) -> None:
    network = build(SHARED, seed=0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(1, 2)
    compared(network, shared, images)


def test_shared_weights_are_held_once() -> None:
    network = build(SHARED, seed=0)
    assert set(network.state_dict()) == {
        *("lift.weight", "lift.bias", "t.conv1.weight", "t.bn1.weight", "t.bn1.bias"),
        *("t.bn1.running_mean", "t.bn1.running_var", "t.bn1.num_batches_tracked"),
        *("mix.weight", "mix.bias", "m.weight", "m.bias", "head.weight", "head.bias"),
    }
    held = sum(parameter.numel() for parameter in network.parameters())
    assert size(SHARED).totals.parameters == held
    assert {n: p.data_ptr() for n, p in network.named_parameters()}.keys() == set(
        dict(network.named_parameters(remove_duplicate=False))
    )


def test_statistics_of_shared_normalisation_count_each_use(images: Tensor) -> None:
    network = build(SHARED, seed=0).train()
    network(images)
    assert network.get_buffer("t.bn1.num_batches_tracked") == 2


def test_seeds_and_checkpoints(images: Tensor) -> None:
    one, two = build(SHARED, seed=3).eval(), build(SHARED, seed=4).eval()
    assert not torch.equal(one(images), two(images))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(images), two(images))


@pytest.mark.parametrize("text", [TAPPED, UNPOOLED.replace("17x15", "16x16"), SHARED])
def test_tracing_exporting_and_compiling(text: str, images: Tensor) -> None:
    network = build(text, seed=0).eval()
    expected = network(images)
    assert torch.equal(torch.fx.symbolic_trace(network)(images), expected)
    exported = torch.export.export(network, (images,)).module()
    torch.testing.assert_close(exported(images), expected)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), expected)


PLAIN = ["conv3-4", "bn", "relu", "(id * gap -> conv1-4 -> sigmoid)", "(conv1-4 + id)"]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Layers of four channels with labels, uses of them, taps, and pools undone in order."""
    items: list[str] = []
    labels: list[str] = []
    pools: list[str] = []
    for i, choice in enumerate(draw(st.lists(st.sampled_from("lgaput"), min_size=1, max_size=12))):
        layer = draw(st.sampled_from(PLAIN))
        if choice == "l":
            items.append(f"l{i}: {layer}")
            labels.append(f"l{i}")
        elif choice == "g":
            inner = f"again {draw(st.sampled_from(labels))}" if labels else "relu"
            items.append(f"l{i}: [{layer} -> {inner}]*{draw(st.integers(1, 2))}")
            labels.append(f"l{i}")
        elif choice == "a" and labels:
            items.append(f"again {draw(st.sampled_from(labels))}")
        elif choice == "p" and len(pools) < 3:
            pools.append(f"l{i}")
            items.append(f"l{i}: {draw(st.sampled_from(['pool2', 'pool3/2 p1', 'pool2 ceil']))}")
        elif choice == "u" and pools:
            items.append(f"unpool {pools.pop()}")
        else:
            items.append(f"tap t{i} [{layer} -> gap -> fc-3]")
    items += [f"unpool {label}" for label in reversed(pools)]
    return " -> ".join(["input 4x19x16", *items, "gap -> fc-2"])


@settings(max_examples=30, deadline=None)
@given(texts())
def test_any_network_of_references_is_what_its_graph_says(text: str) -> None:
    network = build(text, seed=0).eval()
    graph = network.graph
    found = network.outputs(torch.randn(2, 4, 19, 16))
    shapes = {tap.name: graph.shape(tap.node) for tap in graph.taps}
    assert {name: tuple(value.shape[1:]) for name, value in found.items()} == {
        "output": (2,),
        **shapes,
    }
    held = {f"{node.name}.{name}": w for node in graph for name, w in graph.weights(node).items()}
    assert {name: tuple(p.shape) for name, p in network.named_parameters()} == held
    assert size(text).totals.parameters == sum(p.numel() for p in network.parameters())
    names = [node.name for node in graph]
    for name, value in network.run_to(torch.randn(1, 4, 19, 16), names).items():
        assert tuple(value.shape[1:]) == graph.nodes[names.index(name)].output


def test_a_tap_has_the_name_that_the_text_gives_it() -> None:
    network = build("input 1x8x8 -> conv3-2 -> tap conv1 [gap] -> conv3-3 -> gap")
    assert list(network.outputs(torch.zeros(1, 1, 8, 8))) == ["output", "conv1"]
    assert [node.name for node in network.graph] == ["conv2", "conv1.gap1", "conv3", "gap1"]
