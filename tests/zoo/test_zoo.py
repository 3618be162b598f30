from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision

from striate import zoo
from striate.graph import Graph, load_graph
from striate.sizing import size

FOLDER = Path(zoo.__file__).parent


def weights(graph: Graph) -> list[tuple[int, ...]]:
    return [
        shape for node in graph for shape in node.layer.weights(graph.shapes_into(node)).values()
    ]


def test_all_that_the_readme_promises_are_there() -> None:
    resnets = [
        *(f"resnet18{form}" for form in ("", "_c", "_cifar", "_d", "_preact")),
        "resnet20",
        *(f"resnet34{form}" for form in ("", "_c", "_d", "_preact")),
        *(f"resnet50{form}" for form in ("", "_a", "_c", "_d", "_preact")),
        "resnet56",
        *(f"resnet101{form}" for form in ("", "_a", "_c", "_d", "_preact")),
        "resnet110",
        *(f"resnet152{form}" for form in ("", "_a", "_c", "_d", "_preact")),
    ]
    assert zoo.names() == [
        *("alexnet", "alexnet_2012", "allcnn_c", "autoencoder", "fcn8s", "googlenet"),
        *(
            "googlenet_aux",
            "inception_v3",
            "lenet5",
            "mobilenet_v1",
            "mobilenet_v2",
            "nin",
            "p4cnn",
        ),
        *("quick", "quick_grey"),
        *resnets,
        *("se_resnet50", "segnet", "shufflenet", "speedrun", "sprint", "unet"),
        *("vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
        "zfnet",
    ]


@pytest.mark.parametrize("name", zoo.names())
def test_each_is_under_forty_lines_and_names_its_paper(name: str) -> None:
    text = (FOLDER / f"{name}.net").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    assert text.startswith("# ")
    assert max(len(line) for line in text.splitlines()) <= 100
    heading = "".join(line for line in text.splitlines() if line.startswith("#"))
    assert re.search(r"\b(19|20)\d\d\b|quick\.net", heading)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        zoo.read("../zoo/vgg16")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lenet5", 61_706),
        ("alexnet", 61_100_840),
        ("vgg16", 138_357_544),
        ("vgg19", 143_667_240),
        ("googlenet", 6_624_904),
        ("googlenet_aux", 13_004_888),
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
        ("mobilenet_v1", 4_231_976),
        ("mobilenet_v2", 3_504_872),
    ],
)
def test_published_parameter_counts(name: str, parameters: int) -> None:
    assert size(name).totals.parameters == parameters


@pytest.mark.parametrize("name", zoo.names())
def test_nothing_is_left_unread(name: str) -> None:
    assert load_graph(name).warnings == ()


@pytest.mark.parametrize("alpha", ["0.5", "0.75", "1.4"])
def test_the_width_of_mobilenet_v2(alpha: str) -> None:
    text = zoo.read("mobilenet_v2").text.replace("alpha = 1", f"alpha = {alpha}")
    with torch.device("meta"):
        expected = torchvision.models.mobilenet_v2(weights=None, width_mult=float(alpha))
    assert weights(load_graph(text)) == [tuple(weight.shape) for weight in expected.parameters()]
