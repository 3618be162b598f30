"""Sizes as formulas of the image's, and which images fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from striate import zoo
from striate.errors import NotationError
from striate.graph import load_graph
from striate.sizing.symbolic import symbolic

KINDS = [
    name
    for name in zoo.names()
    if not name.startswith(("resnet", "vgg")) or name in ("resnet18_d", "resnet50", "vgg16")
]
"""The networks of the zoo, without those that differ in depth alone."""
OTHER = {"lenet5": (47, 61), "googlenet": (127, 190), "resnet50": (97, 33), "unet": (204, 188)}


@pytest.mark.parametrize("name", sorted(OTHER))
def test_formulas_are_the_shapes_of_the_network_built_for_another_size(name: str) -> None:
    height, width = OTHER[name]
    found = symbolic(name)
    built = load_graph(name, input=(found.channels, height, width))
    assert [row.output.at(height, width) for row in found.rows] == [n.output for n in built]


@pytest.mark.parametrize("name", KINDS)
def test_a_rule_is_found_for_every_network_of_the_zoo(name: str) -> None:
    for constraint in symbolic(name).constraints:
        assert "no rule" not in constraint.message
        assert "do not hold" not in constraint.message


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("alexnet", ["H and W must be at least 63"]),
        ("unet", ["H and W must be 12 more than a multiple of 16, at least 188"]),
        ("resnet50", ["any H and W fit"]),
        (
            "input 3x64x64 -> ([pool2]*3 -> [upsample2]*3 | id) -> conv1-2",
            ["H and W must be multiples of 8"],
        ),
        (
            "input 3x64x60 -> (pool1x4 -> upsample1x4 + id)",
            ["any H fits", "W must be a multiple of 4"],
        ),
    ],
)
def test_what_the_image_must_be(text: str, messages: list[str]) -> None:
    assert [constraint.message for constraint in symbolic(text).constraints] == messages


@pytest.mark.parametrize("name", ["alexnet", "unet", "fcn8s"])
def test_sizes_that_were_tried_are_so(name: str) -> None:
    (constraint,) = symbolic(name).constraints
    graph = load_graph(name)
    for size in constraint.fits:
        load_graph(graph, input=(graph.input[0], size, graph.input[2]))
    assert constraint.fails
    for size in constraint.fails:
        with pytest.raises(NotationError):
            load_graph(graph, input=(graph.input[0], size, graph.input[2]))


def test_the_table() -> None:
    text = "input 3x32x32 -> conv3-8/2 -> flatten -> relu -> fc-10"
    assert symbolic(text).table().splitlines() == [
        "network · input 3×H×W",
        "",
        "layer                               channels      rows   columns",
        "────────────────────────────────────────────────────────────────",
        "conv1     conv3-8/2                        8  (H+1)//2  (W+1)//2",
        "flatten1  flatten    8·((H+1)//2)·((W+1)//2)",
        "relu1     relu       8·((H+1)//2)·((W+1)//2)",
        "fc1       fc-10                           10",
        "────────────────────────────────────────────────────────────────",
        "any H and W fit",
        "  tried: 1, 2, 31, 32 and 33 fit",
    ]


def test_vectors_side_by_side_add_up() -> None:
    found = symbolic("input 3x8x8 -> (pool2 -> flatten | gap -> flatten) -> fc-10")
    assert found.rows[-2].output.written() == ("3·(H//2)·(W//2) + 3", "", "")
    assert found.rows[-1].output.written() == ("10", "", "")


def test_the_json_is_in_the_signs_of_programs() -> None:
    found = json.loads(symbolic("lenet5").to_json())
    assert found["layers"][3]["output"] == ["16", "H//2-6", "W//2-6"]
    assert found["constraints"] == [
        {"message": "H and W must be at least 32", "fits": [32, 33], "fails": [31]}
    ]


def test_a_file_of_pooling_and_unpooling(tmp_path: Path) -> None:
    path = tmp_path / "mine.net"
    path.write_text("input 1x16x16 -> p: pool2 -> conv3-1 -> unpool p -> conv3-2", encoding="utf-8")
    assert symbolic(path).rows[2].output.written() == ("1", "H", "W")
