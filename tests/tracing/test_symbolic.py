"""Formulas from passes, held to those that layers' own shape rules give."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import striate
from striate.errors import UserError
from striate.sizing.symbolic import Symbol
from striate.tracing.finding import Found, find
from striate.tracing.symbolic import trace_symbolic


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "mobilenet_v3_small", "googlenet"])
def test_the_formulas_of_networks_that_have_words(name: str) -> None:
    """At sizes that no pass had."""
    network = f"torchvision:{name}"
    found = trace_symbolic(find(network))
    ours = [row.output for row in found.rows if row.notation == "Conv2d"]
    for size in (97, 160, 231, 300):
        graph = striate.load_graph(network, input=(3, size, size))
        expected = [node.output for node in graph if node.kind in ("conv", "dwconv")]
        assert all(isinstance(each, Symbol) for each in ours)
        assert sorted(e.at(size, size) for e in ours if isinstance(e, Symbol)) == sorted(expected)


@pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "mobilenet_v3_small"])
def test_the_sizes_that_fit_really_run(name: str) -> None:
    (constraint,) = trace_symbolic(find(f"torchvision:{name}")).constraints
    model = find(f"torchvision:{name}", real=True).model.eval()
    for size in constraint.fits:
        model(torch.zeros(1, 3, size, size))
    for size in constraint.fails:
        with pytest.raises(RuntimeError):
            model(torch.zeros(1, 3, size, size))


class Hourglass(nn.Module):
    """Halves its image twice and doubles it again, with sums across: only multiples of 4 fit."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = (nn.Conv2d(3, 3, 3, 2, 1) for _ in range(2))

    def forward(self, image: Tensor) -> Tensor:
        half = self.down1(image).cumsum(1)
        quarter = self.down2(half)
        half = half + functional.interpolate(quarter, scale_factor=2)
        return image + functional.interpolate(half, scale_factor=2)


def trace(model: nn.Module, *input: int) -> striate.SymbolicSizes:
    return trace_symbolic(Found(model, "mine", input))


def test_a_constraint_is_found_by_trying() -> None:
    found = trace(Hourglass(), 3, 24, 24)
    assert [each.told() for each in found.constraints] == [
        ["H and W must be multiples of 4", "  tried: 4, 8 and 24 fit, 3, 5, 23 and 25 do not"]
    ]
    assert [row.output.written() for row in found.rows if row.name.startswith("down")] == [
        ("3", "H//2", "W//2"),
        ("3", "H//4", "W//4"),
    ]


class Patches(nn.Module):
    """Tokens of an image of one size."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(3, 8, 4, 4)
        self.places = nn.Parameter(torch.zeros(1, 12, 8))
        self.out = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self.out((self.cut(image).flatten(2).transpose(1, 2) + self.places).mean(1))


def test_tokens_that_are_counted() -> None:
    found = trace(Patches(), 3, 16, 12)
    assert [each.told() for each in found.constraints] == [
        ["H: no rule was found, only what was tried", "  tried: 16 and 17 fit, 15 and 64 do not"],
        ["W: no rule was found, only what was tried", "  tried: 12 and 13 fit, 11 and 60 do not"],
    ]
    assert [row.output.written() for row in found.rows] == [
        ("8", "4", "3"),
        ("8", "12", "1"),
        ("8", "", ""),
        ("5", "", ""),
    ]


class Rows(nn.Module):
    """Rows and columns apart, channels last, and tokens whose number is a product."""

    def forward(self, image: Tensor) -> Tensor:
        wide = functional.max_pool2d(image, (2, 3))
        last = torch.roll(wide.permute(0, 2, 3, 1).contiguous(), 1, 1)
        return last.flatten(1, 2).cumsum(1)


def test_rows_columns_channels_last_and_what_has_no_formula() -> None:
    found = trace(Rows(), 3, 12, 12)
    written = {row.name: row.output.written() for row in found.rows}
    assert written["max_pool2d_with_indices"] == ("3", "H//2", "W//3")
    assert written["roll"] == ("3", "H//2", "W//3")
    assert written["cumsum"] == ("?", "?", "")
    assert ["?", "?"] in [each["output"] for each in json.loads(found.to_json())["layers"]]
    assert "?" in found.table()


def test_what_has_no_formulas_is_told() -> None:
    with pytest.raises(UserError) as caught:
        trace(nn.Conv3d(3, 4, 1), 3, 2, 8, 8)
    assert str(caught.value) == (
        "mine takes 3×2×8×8, and formulas are of the height and width of images C×H×W"
    )
    with pytest.raises(UserError) as caught:
        trace(nn.Linear(7, 2), 3, 8, 8)
    assert str(caught.value).startswith("mine does not run on images of its own size: RuntimeError")


def test_passes_are_counted() -> None:
    told: list[tuple[int, int]] = []
    trace_symbolic(
        Found(Hourglass(), "mine", (3, 24, 24)), progress=lambda *each: told.append(each)
    )
    assert [done for done, _ in told[:-1]] == list(range(1, len(told)))
    assert told[-1] == (len(told) - 1, len(told) - 1)
    assert all(done < total for done, total in told[:-1])
