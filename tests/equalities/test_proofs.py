"""Equalities by name: what is told, drawn and refused."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

import striate
from striate.equalities import EQUALITIES, Equality, Pair, Proof, prove
from striate.errors import UserError


@pytest.mark.parametrize("name", EQUALITIES)
def test_each_is_equal_told_and_drawn(name: str, tmp_path: Path) -> None:
    proof = prove(name)
    assert proof.equal and proof.equality.name == name
    told = proof.table().splitlines()
    assert told[0] == f"{name}: {proof.equality.statement}"
    assert told[-1] == "equal"
    proof.draw(tmp_path / "proof.svg")
    ElementTree.parse(tmp_path / "proof.svg")
    proof.draw(tmp_path / "proof.png")
    with Image.open(tmp_path / "proof.png") as picture:
        assert picture.width > 600


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("im2col", "conv3-6/2 p1 g2", (4, 9, 8)),
        ("im2col", "conv5-8", (3, 40, 40)),
        ("toeplitz", "conv3-2/2 p1", (3, 8, 8)),
        ("toeplitz", "conv4x2-3 d2", (2, 9, 12)),
        ("backward", "dwconv3/2 d2", (6, 11, 11)),
        ("backward", "conv7-2/3 valid", (1, 30, 20)),
        ("pointwise", "conv1-20/2", (9, 8, 8)),
        ("flip", "conv2x3-4", (2, 9, 9)),
        ("translation", "conv5-3/2", (3, 40, 50)),
    ],
)
def test_other_layers_are_drawn_too(name: str, layer: str, shape, assert_whole) -> None:
    proof = prove(name, layer=layer, input=shape, seed=4)
    assert proof.equal
    assert_whole(proof.picture())


@pytest.mark.parametrize("name", EQUALITIES)
def test_pictures_hold_together(name: str, assert_whole) -> None:
    assert_whole(prove(name).picture())


def test_a_seed_gives_the_same_picture() -> None:
    assert prove("im2col", seed=2).picture() == prove("im2col", seed=2).picture()
    assert prove("im2col", seed=2).picture() != prove("im2col", seed=3).picture()


def test_json() -> None:
    found = prove("backward", layer="conv3-4", input=(2, 6, 6), seed=9).to_dict()
    assert [pair["what"] for pair in found["pairs"]] == [
        "image's gradient",
        "weights' gradient",
        "bias's gradient",
    ]
    assert [pair["shape"] for pair in found["pairs"]] == [[2, 6, 6], [4, 2, 3, 3], [4]]
    assert found["equal"] is True and found["about"] == "conv3-4 over 2×6×6, seed 9"
    assert found["matrices"]["stretched"] == [4, 8, 8]
    assert all(len(pair["seconds"]) == 2 for pair in found["pairs"])


def test_what_differs_is_said() -> None:
    """No convolution can be found that does this; two numbers can."""
    one, other = torch.tensor([1.0]), torch.tensor([1.5])
    pair = Pair("output", "left", one, "right", other, (0.001, 0.002))
    proof = Proof(
        Equality("im2col", "one is one and a half", (pair,), {"one": one}), None, "two numbers"
    )
    assert not proof.equal
    assert proof.table() == (
        "im2col: one is one and a half\n"
        "on two numbers\n"
        "\n"
        "output, 1: largest difference 0.5\n"
        "  left       1.00 ms\n"
        "  right      2.00 ms\n"
        "\n"
        "matrices: one 1\n"
        "NOT EQUAL"
    )
    assert proof.to_dict()["equal"] is False


def test_edges_of_a_photograph(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").save(path)
    proof = prove("edges", image=path)
    assert proof.equal and proof.about == f"{path}, 256×256"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "im2cal"},
            "there is no equality 'im2cal'. Did you mean im2col? There are im2col, toeplitz, "
            "backward, pointwise, flip, translation, edges",
        ),
        (
            {"name": "flip", "image": "cat.jpg"},
            "an image is given to 'edges' alone, and flip draws its numbers itself",
        ),
        (
            {"name": "edges", "layer": "conv3-1"},
            "'edges' has its own filter and takes the size of its picture: leave out the layer "
            "and the input",
        ),
    ],
)
def test_mistakes(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        striate.prove(**arguments)
    assert str(caught.value) == message


def test_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        prove("flip").draw(tmp_path / "flip.txt")
    assert str(caught.value) == (
        f"{tmp_path}/flip.txt ends in .txt, but an equality is drawn as .svg or .png. "
        f"For example {tmp_path}/flip.svg"
    )


def test_an_empty_layer_is_not_the_usual_one() -> None:
    with pytest.raises(UserError) as caught:
        prove("im2col", layer="")
    assert str(caught.value) == (
        "<text>:1:13: nothing follows this '->'. Add a layer\n  input 1x5x5 ->\n              ^^"
    )
