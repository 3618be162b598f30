"""`striate prove`."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from PIL import Image

import striate
from striate.equalities import Equality, Pair, Proof


def test_both_sides_are_told(run) -> None:
    status, out, err = run("prove", "im2col")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].startswith("im2col: a convolution is one matrix product")
    assert lines[1] == "on conv3-2 valid over 1×5×5, seed 0"
    assert lines[3] == "output, 2×3×3: largest difference 0"
    assert [line.split("  ")[1] for line in lines[4:6]] == [
        "torch's convolution",
        "filters · patches",
    ]
    assert lines[7:] == ["matrices: filters 2×9, patches 9×9, product 2×9", "equal"]


def test_another_layer_in_json(run) -> None:
    arguments = ("--layer", "conv3-4/2 p1", "--input", "3x9x9", "--seed", "5", "--json")
    found = json.loads(run("prove", "toeplitz", *arguments).out)
    assert found["about"] == "conv3-4/2 p1 over 3×9×9, seed 5"
    assert found["equal"] is True
    assert found["matrices"]["matrix"] == [100, 243]


def test_a_picture(run, tmp_path: Path) -> None:
    path = tmp_path / "flip.png"
    assert run("prove", "flip", "-o", path).err == f"{path} written\n"
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_a_photograph(run, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.radial_gradient("L").resize((40, 30)).save(photo)
    status, out, _ = run("prove", "edges", "--image", photo, "-o", tmp_path / "edges.svg")
    assert status == 0 and f"on {photo}, 30×40" in out


def test_mistakes(run) -> None:
    status, out, err = run("prove", "pointwize")
    assert (status, out) == (2, "")
    assert err == (
        "striate: there is no equality 'pointwize'. Did you mean pointwise? There are im2col, "
        "toeplitz, backward, pointwise, flip, translation, edges\n"
    )
    assert run("prove", "im2col", "--layer", "conv9-1 valid").status == 2
    assert run("prove", "im2col", "--seed", "-1").status == 2


def test_what_differs_fails(run, monkeypatch) -> None:
    """Nothing that a user can give differs, so the answer is put in place."""
    pair = Pair("output", "left", torch.tensor([1.0]), "right", torch.tensor([2.0]), (0.0, 0.0))
    proof = Proof(Equality("flip", "one is two", (pair,), {}), None, "two numbers")
    monkeypatch.setattr(striate, "prove", lambda name, **_: proof)
    status, out, _ = run("prove", "flip")
    assert status == 1 and out.endswith("NOT EQUAL\n")
