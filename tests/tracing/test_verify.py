"""Receptive fields held to the support of gradients; and that the check can fail."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import striate
from striate import UserError
from striate.tracing.verify import verify


@pytest.mark.parametrize(
    "text",
    [
        "lenet5",
        "input 3x41x64 -> conv4-8/2 -> conv3x5-8 d2 -> pool3/2 -> conv3-5",
        "input 3x24x24 -> conv3-4/2 -> (conv5-4 | conv1-4 | [pool3/1 p1]) -> conv3-5",
        "input 3x24x24 -> conv3-4/2 -> tconv4-4/2 -> conv3-5",
        "input 3x24x24 -> conv3-4 -> conv3-4 -> (id * [gap -> conv1-4 -> sigmoid]) -> conv3-5",
    ],
)
def test_every_layer_of_a_text(text: str) -> None:
    found = striate.verify(text)
    assert found.agrees, found.table()
    assert len(found.layers) >= 3


@pytest.mark.parametrize(
    ("what", "layer"),
    [
        ("resnet20", "stage3.block2.main.conv2"),
        ("torchvision:alexnet", "avgpool"),
        ("torchvision:resnet18", "layer4.1.conv2"),
        ("torchvision:mobilenet_v2", "features.18.0"),
        ("torchvision:googlenet", "inception5b.branch2.1.conv"),
        ("torchvision:densenet121", "features.denseblock3.denselayer24.conv2"),
        ("torchvision:shufflenet_v2_x0_5", "conv5.0"),
        ("timm:convnext_atto", "stages.2.blocks.5.conv_dw"),
    ],
)
def test_a_deep_layer_of_a_published_network(what: str, layer: str) -> None:
    size = 32 if what == "resnet20" else 96
    found = striate.verify(what, input=(3, size, size), layers=[layer])
    assert found.agrees, found.table()
    assert len(found.layers[0].units) == 3


class Functions(nn.Module):
    """Pools and activations called as functions, with ceil mode and dilation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=2, dilation=2)
        self.second = nn.Conv2d(4, 4, 3, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu6(self.first(image)).clamp_(-1, 1)
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        x = functional.max_pool2d(x, 2, 1, dilation=2)
        return self.second(functional.layer_norm(x, x.shape[1:]))


def test_a_live_network_is_checked_and_left_alone() -> None:
    model = Functions()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = striate.verify(model, input=(3, 40, 33))
    assert found.agrees and [layer.name for layer in found.layers] == ["first", "second"]
    assert model.training and not model.first._forward_hooks
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize("change", [{"receptive_field": (13, 13)}, {"start": (-5, -4)}])
def test_a_wrong_ledger_is_found_out(change: dict[str, tuple[int, int]]) -> None:
    ledger = striate.size("lenet5")
    rows = tuple(replace(row, **change) if row.name == "conv2" else row for row in ledger.rows)
    model = striate.build("lenet5", seed=0)
    found = verify(model, replace(ledger, rows=rows))
    assert [layer.name for layer in found.layers if not layer.agrees] == ["conv2"]
    assert " DIFFERS" in found.table() and found.table().endswith(": 1 of them differ\n")
    assert json.loads(found.to_json())["agrees"] is False


def test_layers_by_name_and_the_table() -> None:
    found = striate.verify("lenet5", layers=["conv2"])
    assert [layer.name for layer in found.layers] == ["conv2"]
    lines = found.table().splitlines()
    assert lines[0] == "lenet5 · input 1×32×32"
    assert lines[-1] == "3 units of 1 layers checked on 1×32×32: all agree"
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("what", "given", "message"),
    [
        (
            "lenet5",
            {"layers": ["conv9"]},
            "lenet5 has no layer 'conv9' whose field can be checked. There are conv1, ",
        ),
        (
            "segnet",
            {"input": (3, 32, 32)},
            "where max-unpooling puts a value depends on the pictures, so that gradients do not ",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 2)),
            {"input": (3, 8, 8)},
            "Sequential cannot be run to be checked: mat1 and mat2 shapes cannot be multiplied",
        ),
    ],
)
def test_what_cannot_be_checked(what: object, given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        striate.verify(what, **given)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)
