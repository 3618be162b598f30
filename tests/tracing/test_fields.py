"""Receptive fields through any graph, held to published figures, the notation and gradients."""

from __future__ import annotations

from collections.abc import Callable

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


def filtered(image: Tensor) -> Tensor:
    return F.conv2d(image, torch.ones(4, image.shape[1], 3, 3), padding=1)


def space_to_depth(image: Tensor) -> Tensor:
    count, _, height, width = image.shape
    cut = filtered(image).view(count, 4, height // 4, 4, width // 4, 4)
    return filtered(cut.permute(0, 1, 3, 5, 2, 4).reshape(count, 64, height // 4, width // 4))


def rolled(image: Tensor) -> Tensor:
    return filtered(torch.roll(filtered(image), (-3, 2), (2, 3)))


def stacked(image: Tensor) -> Tensor:
    return torch.stack((image, filtered(image)), 2).sum(2)


def bicubic(image: Tensor) -> Tensor:
    return F.interpolate(filtered(image), size=(16, 16), mode="bicubic")


def corners(image: Tensor) -> Tensor:
    return F.interpolate(filtered(image), size=(63, 63), mode="bilinear", align_corners=True)


def patched(image: Tensor) -> Tensor:
    """A convolution of stride 2 as a product with what `unfold` lays out."""
    columns = F.unfold(filtered(image), 5, stride=2, padding=2)
    return (torch.ones(4, 100) @ columns).view(1, 4, 16, 16)


def put_back(image: Tensor) -> Tensor:
    columns = F.unfold(filtered(image), 4, stride=4)
    return F.fold(columns, (32, 32), 4, stride=4)


def sliding_windows(image: Tensor) -> Tensor:
    return filtered(image).unfold(2, 3, 2).unfold(3, 5, 1).sum((-2, -1))


def unshuffled(image: Tensor) -> Tensor:
    return filtered(F.pixel_unshuffle(filtered(image), 2))


def attention_in_windows(image: Tensor) -> Tensor:
    """Each 8×8 window attends to itself, as in Swin (Liu et al. 2021, section 3.2)."""
    image = filtered(image).permute(0, 2, 3, 1)
    cut = image.view(1, 4, 8, 4, 8, 4).permute(0, 1, 3, 2, 4, 5).reshape(16, 64, 4)
    scores = (cut @ cut.transpose(1, 2) / 1000).softmax(-1) @ cut
    whole = scores.view(1, 4, 4, 8, 8, 4).permute(0, 1, 3, 2, 4, 5).reshape(1, 32, 32, 4)
    return whole.permute(0, 3, 1, 2)


def with_a_place_before(image: Tensor) -> Tensor:
    """Positions in a row with room for a token, as CoaT pads them."""
    positions = F.pad(filtered(image).flatten(2), (1, 0))
    return filtered(positions[:, :, 1:].view(1, 4, 32, 32))


def each_channel_apart(image: Tensor) -> Tensor:
    """A convolution along rows, columns and channels, as in lambda layers (Bello 2021)."""
    cube = filtered(image).permute(0, 2, 3, 1)[:, None]
    found = F.conv3d(cube, torch.ones(2, 1, 3, 5, 1), padding=(1, 2, 0))
    return found.sum(1).permute(0, 3, 1, 2)


EVEN = (
    with_a_place_before,
    each_channel_apart,
    space_to_depth,
    rolled,
    stacked,
    patched,
    sliding_windows,
    unshuffled,
    bicubic,
)
UNEVEN = (corners, put_back, attention_in_windows)
"""Whose units see fields of unlike sizes, or at unlike distances: the largest is told."""


@pytest.mark.parametrize("forward", [*EVEN, *UNEVEN])
def test_windows_blocks_and_patches(forward: Callable[[Tensor], Tensor]) -> None:
    """No unit reads beyond the rows and columns that are told, and one reads all of them.

    What `roll` brings in from the other end is left aside.
    """

    class Wrapped(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return forward(image) * 1

    image = torch.rand(1, 4, 32, 32).add_(0.5).requires_grad_()
    output = forward(image)
    row = striate.size(Wrapped(), input=(4, 32, 32)).rows[-1]
    assert not row.unknown_field
    assert not row.whole_input
    largest = [0, 0]
    for axis in (0, 1):
        for unit in range(output.shape[2 + axis]):
            line = output[0].sum(0).select(axis, unit)
            (moved,) = torch.autograd.grad(line[len(line) // 2], image, retain_graph=True)
            touched = moved[0].abs().sum((0, 2 - axis)).nonzero().flatten()
            first, last = int(touched[0]), int(touched[-1])
            begin = row.start[axis] + unit * row.jump[axis]
            end = begin + row.receptive_field[axis] - 1
            if forward is rolled and (begin < 1 or end > 30):
                continue
            if forward in EVEN:
                assert begin <= first <= last <= end, (axis, unit)
            largest[axis] = max(largest[axis], last - first + 1)
    if forward is put_back:  # which value of its patch a unit gets is not told apart
        largest = [size + 3 for size in largest]
    assert row.receptive_field == tuple(largest)


def test_a_layer_of_tokens_alone_reads_nothing_of_the_image() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.ones(1, 4, 8))
            self.prompt, self.image = nn.Linear(8, 8), nn.Conv2d(3, 8, 3)

        def forward(self, image: Tensor) -> Tensor:
            positions = self.image(image).flatten(2).transpose(1, 2)
            prompt = self.prompt(self.token).expand(len(image), -1, -1)
            return torch.cat((prompt, positions), 1)

    ledger = striate.size(Tokens(), input=(3, 8, 8))
    image, prompt, _ = ledger.rows
    assert (prompt.receptive_field, prompt.unknown_field) == ((0, 0), False)
    assert image.receptive_field == (3, 3)
    assert ledger.notes == ()


def test_a_recurrent_layer_reads_its_whole_sequence() -> None:
    """Rows of a feature map as sequences, both ways: as `requires_grad` shows."""

    class AlongRows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.filters = nn.Conv2d(3, 4, 3, padding=1)
            self.rows = nn.LSTM(4, 5, batch_first=True, bidirectional=True)

        def forward(self, image: Tensor) -> Tensor:
            found = self.filters(image).permute(0, 2, 3, 1)
            count, height, width, channels = found.shape
            given, _ = self.rows(found.reshape(count * height, width, channels))
            return given.view(count, height, width, 10).permute(0, 3, 1, 2) * 1

    ledger = striate.size(model := AlongRows(), input=(3, 8, 12))
    row = ledger.rows[-1]
    assert ledger.notes == () and not row.unknown_field
    image = torch.rand(1, 3, 8, 12, requires_grad=True)
    (moved,) = torch.autograd.grad(model(image)[0, :, 4, 2].sum(), image)
    touched = moved[0].abs().sum(0)
    assert touched.sum(1).nonzero().flatten().tolist() == [3, 4, 5]
    assert touched.sum(0).nonzero().flatten().tolist() == list(range(12))
    assert (row.receptive_field[0], row.start[0], row.jump[0]) == (3, -1, 1)
    assert row.receptive_field[1] >= 12 and not row.whole_input


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
