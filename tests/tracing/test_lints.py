"""Rules on traced networks, held to torch's gradients and to the same networks in the notation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import striate
from striate.modules import build
from striate.sizing.lints import Lint

RULES = ("unread rows", "checkerboard", "useless bias")


def told(model: nn.Module, size: int) -> list[Lint]:
    lints = striate.size(model, input=(3, size, size), batch=2).lints
    return [lint for lint in lints if lint.rule in RULES]


def unread(model: nn.Module, size: int) -> int:
    """The last rows of an image that nothing depends on, by torch."""
    image = torch.randn(2, 3, size, size, requires_grad=True)
    model(image).sum().backward()
    assert image.grad is not None
    read = image.grad.abs().sum((0, 1, 3)) > 0
    return int(size - 1 - read.nonzero().max())


@pytest.mark.parametrize("size", [31, 32, 33, 34])
@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, stride=2),
        nn.Conv2d(3, 4, 7, stride=4, padding=2),
        nn.Conv2d(3, 4, 3, stride=3, dilation=2),
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.MaxPool2d(3, 2, dilation=2),
        nn.AvgPool2d(4, 3),
        nn.AvgPool2d(4, 3, 1, ceil_mode=True),
        nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2)),
    ],
)
def test_unread_rows_are_those_without_a_gradient(layer: nn.Module, size: int) -> None:
    lost = unread(layer, size)
    found = told(layer, size)
    assert len(found) == (lost > 0)
    if lost:
        assert found[0].level == "warning"
        words = "the last row and column" if lost == 1 else f"the last {lost} rows and columns"
        assert f" leaves {words} of its {size}×{size} input unread" in found[0].message
        row = striate.size(layer, input=(3, size, size)).rows[-1]
        assert row.lost == (lost, lost) and row.remainder >= row.lost


def test_the_whole_warning() -> None:
    (found,) = told(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3, stride=2)), 32)
    assert found.message == (
        "1 leaves the last row and column of its 32×32 input unread. Take padding=1, or another "
        "size of image"
    )


class Fork(nn.Module):
    """Two readers of one volume, of which the second reads all of it."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 2, stride=2)
        self.second = nn.Conv2d(3, 4, 3, stride=2, padding=1) if whole else nn.MaxPool2d(2)

    def forward(self, image: Tensor) -> Tensor:
        return self.first(image).sum() + self.second(image).sum()


def test_a_row_that_another_branch_reads_is_not_lost() -> None:
    assert not told(Fork(whole=True), 33)
    (found,) = told(Fork(whole=False), 33)
    assert found.layers == ("first",)


@pytest.mark.parametrize(
    ("kernel_size", "stride", "dilation"), [(3, 2, 1), (4, 2, 1), (2, 2, 1), (5, 3, 1), (2, 2, 2)]
)
def test_checkerboards_are_those_of_ones(kernel_size: int, stride: int, dilation: int) -> None:
    layer = nn.ConvTranspose2d(3, 2, kernel_size, stride, dilation=dilation, bias=False)
    with torch.no_grad():
        counts = functional.conv_transpose2d(
            torch.ones(1, 1, 9, 9), torch.ones(1, 1, kernel_size, kernel_size), None, stride,
            dilation=dilation,
        )  # fmt: skip
    middle = counts[0, 0, 8:-8, 8:-8]
    found = told(layer, 9)
    assert len(found) == (len(middle.unique()) > 1)
    if found:
        assert f"some pixels get {int(middle.max())} of its {kernel_size**2} weights" in (
            found[0].message
        )


def test_a_bias_before_batch_normalisation_has_no_gradient() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 7, 3), nn.ReLU(),
        nn.BatchNorm2d(7), nn.Flatten(), nn.Linear(7 * 4 * 4, 6), nn.BatchNorm1d(6),
    )  # fmt: skip
    (found,) = told(model, 8)
    assert found.level == "note" and found.layers == ("0", "7")
    assert found.message == (
        "0 adds a bias that the batch normalisation behind it subtracts, as in 1 layer more: "
        "11 parameters without effect. Take bias=False"
    )
    (model(torch.randn(4, 3, 8, 8)) * torch.randn(4, 6)).sum().backward()
    for place in (0, 7):
        assert model[place].bias.grad.abs().max() < 1e-3
    assert model[3].bias.grad.abs().max() > 1e-2


def test_a_frozen_bias_and_one_that_is_needed_elsewhere_are_left_alone() -> None:
    frozen = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
    frozen[0].bias.requires_grad_(False)
    assert not told(frozen, 8)

    class Needed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)

        def forward(self, image: Tensor) -> Tensor:
            x = self.conv(image)
            return self.norm(x) + x

    assert not told(Needed(), 8)


@pytest.mark.parametrize("name", ["vgg16_bn", "segnet", "fcn8s", "alexnet", "zfnet", "resnet50_a"])
def test_they_are_those_of_the_notation(name: str) -> None:
    ours, traced = striate.size(name), striate.size(build(name, seed=0))
    for rule in RULES:
        expected = [layer for lint in ours.lints if lint.rule == rule for layer in lint.layers]
        found = [layer for lint in traced.lints if lint.rule == rule for layer in lint.layers]
        assert sorted(found) == sorted(expected)
    lost = {row.name: (row.remainder, row.lost) for row in ours.rows if max(row.remainder)}
    assert {r.name: (r.remainder, r.lost) for r in traced.rows if max(r.remainder)} == lost
