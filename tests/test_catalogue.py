"""The zoo beside what was published: the page, each figure, and torch's own counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision import models

from striate import zoo
from striate.catalogue import Entry, entry, names, page
from striate.modules import outline
from striate.sizing import size
from striate.zoo.figures import FIGURES, SOURCES, Figure

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"


@pytest.fixture(scope="module")
def counted() -> dict[str, tuple[Entry, int]]:
    """Every network with the FLOPs that torch counts while two images go through it."""
    found = {}
    for name in names():
        with FlopCounterMode(display=False) as counter:
            each = entry(name)
        found[name] = each, counter.get_total_flops()
    return found


def test_the_page_is_what_the_command_prints(counted: dict[str, tuple[Entry, int]]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page([found for found, _ in counted.values()])


def test_all_of_the_zoo_is_on_it(counted: dict[str, tuple[Entry, int]]) -> None:
    assert set(zoo.names()) <= set(counted)


@pytest.mark.parametrize("name", names())
def test_macs_are_half_of_the_flops_that_torch_counts(
    counted: dict[str, tuple[Entry, int]], name: str
) -> None:
    found, flops = counted[name]
    assert 2 * 2 * found.macs == flops


@pytest.mark.parametrize("name", zoo.names())
def test_each_goes_forward_and_backward(name: str) -> None:
    """Shapes, taps and gradients of every weight, on the meta device."""
    network = outline(name).train()
    graph = network.graph
    outputs = network.outputs(torch.empty((2, *graph.input), device="meta"))
    assert {key: tuple(value.shape[1:]) for key, value in outputs.items()} == {
        "output": graph.output,
        **{tap.name: graph.shape(tap.node) for tap in graph.taps},
    }
    torch.stack([value.sum() for value in outputs.values()]).sum().backward()
    weights = list(network.parameters())
    assert all(weight.grad is not None for weight in weights)
    assert sum(weight.numel() for weight in weights) == size(graph).totals.parameters


def test_figures_that_differ_say_why(counted: dict[str, tuple[Entry, int]]) -> None:
    for figure in FIGURES:
        agrees = figure.agrees(counted[figure.network][0].counted(figure))
        assert agrees == (not figure.why), figure


def test_every_source_is_used() -> None:
    assert {figure.source for figure in FIGURES} == set(SOURCES)


@pytest.mark.parametrize(
    ("said", "counted", "agrees"),
    [
        ("138 M", 138_357_544, True),
        ("138 M", 137_500_000, True),
        ("138 M", 138_999_999, True),
        ("138 M", 137_499_999, False),
        ("138 M", 139_000_000, False),
        ("0.27 M", 269_722, True),
        ("0.27 M", 280_000, False),
        ("61,706", 61_706, True),
        ("61,706", 61_705, False),
        ("61,706", 61_707, False),
        ("< 25 M", 24_999_999, True),
        ("< 25 M", 25_000_000, False),
    ],
)
def test_a_figure_is_as_exact_as_its_last_digit(said: str, counted: int, agrees: bool) -> None:
    assert Figure("vgg16", "parameters", said, "Simonyan 2014").agrees(counted) is agrees


def test_torchvisions_figures_are_those_of_its_weights() -> None:
    """`num_params` and, as it calls billions of multiply-adds, `_ops`."""
    for figure in FIGURES:
        if figure.source == "torchvision":
            about = models.get_model_weights(figure.network).IMAGENET1K_V1.meta
            expected = {
                "parameters": f"{about['num_params']:,}",
                "macs": f"{about['_ops']:g} G",
            }
            assert figure.said == expected[figure.quantity]


def test_numbers_in_the_reasons() -> None:
    """GoogLeNet as its paper has it; MobileNetV2 without batch normalisation."""
    own = zoo.read("googlenet").text.replace("unit(3, e)", "unit(5, e)")
    plain = own.replace(", bias=false)", ")").replace(" nobias", "").replace("bn(eps=0.001)", "id")
    assert size(plain).totals.parameters == 6_998_552
    for name, said in (("mobilenet_v2", 3.47e6), ("mobilenet_v2(alpha=1.4)", 6.06e6)):
        rows = [row for row in size(name).rows if row.kind != "bn"]
        assert round(sum(row.parameters for row in rows), -4) == said
    assert size("lenet5").totals.parameters == 60_000 + 900 - 44 + 850
    assert round(size("resnet50_a").totals.macs / 1e9, 2) == 3.86
