"""Branches that cross on their way: nested as far as they go, and the rest by name."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.modules.network import Network
from striate.transcribing import Transcription, transcribe

Check = Callable[[nn.Module, tuple[int, int, int]], Transcription]
Settled = Callable[[nn.Module], nn.Module]


class Crossing(nn.Module):
    """What `wiring` says of a few small convolutions: `forward` is a function of them and an image.

    Every convolution is from 4 channels to 4.
    """

    def __init__(self, wiring: Callable[..., Any], count: int, channels: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(count))
        self.wiring = wiring
        self.last = nn.Conv2d(channels, 2, 1)

    def forward(self, image: Tensor) -> Any:
        found = self.wiring(image, *self.layers)
        if isinstance(found, tuple):
            return self.last(found[0]), *found[1:]
        return self.last(found)


def _ladder(x: Tensor, a: nn.Module, b: nn.Module, c: nn.Module, d: nn.Module) -> Tensor:
    one, other = F.relu(a(x)), F.relu(b(x))
    one, other = c(one) + other, one + d(other)
    return torch.cat([one, other, one * other], 1)


def _res2(x: Tensor, *layers: nn.Module) -> Tensor:
    parts, last = [], torch.zeros_like(x)[:0]
    for layer in layers:
        last = layer(F.relu(x)) if not parts else layer(last + F.relu(x))
        parts.append(last)
    return torch.cat([*parts, x], 1)


def _nested(x: Tensor, *layers: nn.Module) -> Tensor:
    x = layers[0](x)
    inner = _ladder(x, *layers[1:5])[:, :4]
    outer = layers[5](inner) + x
    return torch.cat([outer, F.relu(outer + inner), inner, x], 1)


def _sides(x: Tensor, *layers: nn.Module) -> tuple[Tensor, ...]:
    one, other = layers[0](x), layers[1](x)
    both = one + F.relu(other)
    return both, layers[2](other), F.tanh(layers[3](one) + other), x * one


CROSSINGS: dict[str, tuple[Crossing, str]] = {
    "a sum of both, and one of them": (
        Crossing(lambda x, a, b: torch.cat([a(x), F.relu(a(x) + b(x))], 1), 2, 8),
        "(shared1: conv3-4 | (again shared1 + conv3-4) -> relu) -> conv1-2",
    ),
    "a ladder": (
        Crossing(_ladder, 4, 12),
        "[ x: id -> conv3-4 -> x1: relu -> from x -> conv3-4 -> x2: relu "
        "-> x3: (from x1 -> conv3-4 + id) -> (from x1 + from x2 -> conv3-4) "
        "-> (from x3 | id | (from x3 * id)) ] -> conv1-2",
    ),
    "as in Res2Net": (
        Crossing(_res2, 3, 16),
        "[ x: id -> relu -> x1: conv3-4 -> (id + from x -> relu) -> conv3-4 "
        "-> (from x1 | id | (id + from x -> relu) -> conv3-4 | from x) ] -> conv1-2",
    ),
    "inside each other": (
        Crossing(_nested, 6, 16),
        "conv3-4 -> [ x: id -> [ x: id -> conv3-4 -> x1: relu -> from x -> conv3-4 -> x2: relu "
        "-> x3: (from x1 -> conv3-4 + id) -> (from x1 + from x2 -> conv3-4) "
        "-> (from x3 | id | (from x3 * id)) ] -> x1: slice0-4 -> (conv3-4 + from x) "
        "-> (id | (id + from x1) -> relu | from x1 | from x) ] -> conv1-2",
    ),
    "side outputs from between": (
        Crossing(_sides, 4, 4),
        "image: id -> x1: conv3-4 -> from image -> x2: conv3-4 -> tap output1 [conv3-4] "
        "-> (from x1 + relu) -> conv1-2 "
        "-> tap output2 [(from x1 -> conv3-4 + from x2) -> tanh] "
        "-> tap output3 [(from image * from x1)]",
    ),
}


@pytest.mark.parametrize("name", CROSSINGS)
def test_branches_that_cross_have_named_values(name: str, check: Check) -> None:
    model, text = CROSSINGS[name]
    found = check(model, (4, 12, 10)).source.text
    assert " ".join(found.split()) == f"input 4x12x10 {text}"


class Tangle(nn.Module):
    """Layers that read any of the values before them, and a sum of what no other reads."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        choose = Random(seed)
        self.layers = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(30))
        self.plan: list[tuple[str, int, int]] = []
        for index in range(1, choose.randint(5, 25)):
            near = max(0, index - choose.randint(1, 6))
            kind = choose.choice(["conv", "relu", "add", "multiply", "concat"])
            self.plan.append((kind, choose.randint(near, index - 1), choose.randint(0, index - 1)))
        self.sides = choose.random() < 0.3

    def forward(self, image: Tensor) -> Any:
        values, unread = [image], {0}
        for layer, (kind, one, other) in zip(self.layers, self.plan, strict=False):
            x, y = values[one], values[other]
            unread -= {one, other} if kind in ("add", "multiply", "concat") else {one}
            unread.add(len(values))
            if kind == "concat":
                values.append(torch.cat([x, y], 1)[:, 1:3])
            elif kind in ("add", "multiply"):
                values.append(x + y if kind == "add" else torch.sigmoid(x) * y)
            else:
                values.append(layer(x) if kind == "conv" else F.relu(x))
        last = F.tanh(sum(values[i] for i in sorted(unread)))
        middle = len(values) // 2
        return (last, self.layers[-1](values[middle]), values[-1] + last) if self.sides else last


@pytest.mark.parametrize("seed", range(40))
def test_any_tangle_of_layers_is_written(seed: int, settled: Settled) -> None:
    model = Tangle(seed)
    used = {i for i, (kind, *_) in enumerate(model.plan) if kind == "conv"}
    settled(model)
    found = transcribe(model, input=(2, 6, 5))
    network = Network(found.graph).eval()
    network.load_state_dict(found.state_dict(), strict=True)
    image = torch.rand(3, 2, 6, 5)
    with torch.no_grad():
        expected = model(image)
        outputs = network.outputs(image)
    wanted = expected if isinstance(expected, tuple) else (expected,)
    assert len(outputs) == len(wanted)
    for name, each in zip(["output", "output1", "output2"], wanted, strict=False):
        torch.testing.assert_close(outputs[name], each, rtol=1e-4, atol=1e-5)
    convolutions = sum(node.kind == "conv" for node in found.graph)
    assert convolutions == len(used) + model.sides
