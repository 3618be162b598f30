"""Receptive fields through any graph, held to published figures, the notation and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import striate
from striate.modules import build
from striate.sizing import Row


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("torchvision:alexnet", 195),
        ("torchvision:vgg16", 212),
        ("torchvision:resnet50", 427),
        ("torchvision:googlenet", 379),
        ("torchvision:inception_v3", 1311),
        ("torchvision:densenet121", 2071),
        ("torchvision:mobilenet_v2", 491),
        ("torchvision:shufflenet_v2_x1_0", 527),
        ("torchvision:convnext_tiny", 1688),
        ("timm:mobilenetv1_100", 315),
    ],
)
def test_the_last_feature_map(name: str, field: int) -> None:
    """As measured by the support of the gradient with positive weights."""
    rows = striate.size(name).rows
    last = [row for row in rows if len(row.output) == 3 and min(row.output[1:]) > 1][-1]
    assert last.receptive_field == (field, field)
    assert last.jump == (32, 32)
    assert not any(row.unknown_field for row in rows)


def test_a_batch_flattened_with_its_positions() -> None:
    """A linear layer along the channels of N×H×W×C, as in ConvNeXt, multiplies one matrix."""
    one, two = (striate.size("torchvision:convnext_tiny", batch=batch) for batch in (1, 2))
    assert [seen(row) for row in one.rows] == [seen(row) for row in two.rows]


def test_gates_see_the_whole_image() -> None:
    rows = striate.size("torchvision:efficientnet_b0").rows
    gate = next(row for row in rows if row.name == "features.1.0.block.1.mul")
    assert gate.whole_input
    assert rows[-1].whole_input


@pytest.mark.parametrize("name", ["lenet5", "googlenet_aux", "se_resnet50", "shufflenet", "unet"])
def test_networks_of_the_zoo_see_what_their_text_says(name: str) -> None:
    found = {row.name: row for row in striate.size(build(name, seed=0)).rows}
    for row in striate.size(name).rows:
        if row.kind != "id":
            assert seen(found[row.name]) == seen(row), row.name


def seen(row: Row) -> tuple[object, ...]:
    fields = (row.jump, row.receptive_field, row.start)
    return (row.whole_input, row.unknown_field, () if row.whole_input else fields)


class Branches(nn.Module):
    """Slices, padding, transposition, splits, enlarging: whatever two numbers choose."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__()
        numbers = (first, second, (first + second) % 7)
        self.steps = [self.step(number) for number in numbers]
        self.enlarges = 6 in numbers

    def step(self, number: int):
        def filtered(x: Tensor, kernel: int = 3, **how: int) -> Tensor:
            return F.conv2d(x, torch.ones(4, 4, kernel, kernel), **how)

        return (
            lambda x: filtered(x, padding=1) + x,
            lambda x: filtered(x, kernel=2, stride=2),
            lambda x: filtered(x, dilation=2)[:, :, 1::2, :],
            lambda x: F.pad(x, (1, 0, 2, 0)),
            lambda x: x.permute(0, 2, 3, 1).matmul(torch.ones(4, 4)).permute(0, 3, 1, 2),
            lambda x: torch.cat([each * 2 for each in x.chunk(2, 1)], 1),
            lambda x: F.conv_transpose2d(x, torch.ones(4, 4, 3, 3), stride=2, padding=1),
        )[number]

    def forward(self, image: Tensor) -> Tensor:
        for step in self.steps:
            image = step(image)
        return image * 1


@given(st.integers(0, 6), st.integers(0, 6))
@settings(max_examples=12, deadline=None)
def test_gradients_reach_as_far(first: int, second: int) -> None:
    """The rows of the image that one unit in the middle of the last map can move."""
    model = Branches(first, second)
    image = torch.ones(1, 4, 41, 37, requires_grad=True)
    output = model(image)
    row = striate.size(model, input=(4, 41, 37)).rows[-1]
    place = output.shape[2] // 2, output.shape[3] // 2
    (moved,) = torch.autograd.grad(output[0, 0][place], image)
    for axis, unit in enumerate(place):
        touched = moved[0].abs().sum((0, 2 - axis)).nonzero().flatten()
        extent = int(touched[-1] - touched[0]) + 1
        if not model.enlarges:
            assert extent == row.receptive_field[axis]
            assert int(touched[0]) == row.start[axis] + row.jump[axis] * unit
        else:  # units of unlike sizes: the largest is given
            assert extent <= row.receptive_field[axis]


def test_what_is_not_known_is_named_once() -> None:
    class Turned(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.flip(image, (2,)) * 2 + 1

    ledger = striate.size(Turned(), input=(3, 8, 8))
    assert [row.unknown_field for row in ledger.rows] == [True, True, True]
    assert ledger.notes == ("it is not known what flip in flip reads, nor what is seen behind it",)


def test_writing_into_a_part_of_a_tensor() -> None:
    """The whole tensor is not said to see less than the part."""

    class Written(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            once = image * 1
            part = once[:, :1]
            part.copy_(F.avg_pool2d(part * 1, 3, 1, 1))
            return once * 2

    last = striate.size(Written(), input=(3, 8, 8)).rows[-1]
    assert last.unknown_field or last.receptive_field == (3, 3)
