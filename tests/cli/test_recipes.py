"""`striate recipes`, and recipes and settings of `striate train`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from striate import recipes

NET = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> fc-10"


def test_they_stand_side_by_side(run) -> None:
    status, out, err = run("recipes")
    assert (status, err) == (0, "")
    head, _, *rows = out.splitlines()
    assert head.split() == ["recipe", "optimizer", "rate", "schedule", "batch", "decay"]
    assert [row.split()[0] for row in rows[: len(recipes.names())]] == recipes.names()
    (resnet,) = (row for row in rows if row.startswith("resnet "))
    assert resnet.split() == [
        *("resnet", "sgd", "0.9", "0.1·b/256", "plateau", "×0.1", "256", "0.0001", "on", "all")
    ]
    assert "  He et al. 2015, arXiv 1512.03385, section 3.4" in rows
    assert "  beside: label_smoothing 0.1, mixup 0.2, crop 0.08, lighting 0.1, zero_gamma" in rows
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", recipes.names())
def test_one_is_printed_and_taken_back(run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(run("recipes", name).out)
    one, other = recipes.read(name), recipes.read(str(path))
    assert (one.settings, one.lr_batch, one.about) == (other.settings, other.lr_batch, other.about)


def test_as_json(run) -> None:
    (found,) = json.loads(run("recipes", "tricks", "--json").out)
    assert (found["name"], found["lr_batch"], found["settings"]["mixup"]) == ("tricks", 256, 0.2)


def test_one_that_there_is_not(run) -> None:
    status, out, err = run("recipes", "resnets")
    assert (status, out) == (2, "")
    assert err.startswith("striate: there is no recipe 'resnets'. Did you mean 'resnet'? ")


def test_a_training_by_a_recipe_and_settings_above_it(run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = ["--recipe", "mobilenet", "--set", "mixup=0.2", "--set", "schedule=cosine"]
    status, _, _ = run(
        "train", NET, "digits", "--epochs", "0.3", "--device", "cpu", "-o", folder, *given
    )
    assert status == 0
    record = json.loads((folder / "run.json").read_text())
    settings, origins = record["settings"], record["origins"]
    assert (settings["optimizer"], settings["mixup"], settings["schedule"]) == (
        *("rmsprop", 0.2, "cosine"),
    )
    assert (origins["optimizer"], origins["mixup"], origins["flip"]) == (
        *("recipe mobilenet", "asked for", "data"),
    )
    page = (folder / "report.html").read_text()
    assert "--set schedule=cosine --set mixup=0.2" in page


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mixup", "Invalid value for '--set': expected a name and a value, as in mixup=0.2, found "
         "'mixup'."),
        ("mixupp=1", "settings: there is no setting 'mixupp'. Did you mean 'mixup'?"),
        ("mixup=much", "settings: mixup is 'much'; expected a number from 0 to 100"),
        ("flip=1", "settings: flip is 1; expected true or false"),
    ],
)  # fmt: skip
def test_settings_that_are_none(run, given: str, message: str) -> None:
    status, out, err = run("train", NET, "digits", "--set", given)
    assert (status, out, err) == (2, "", f"striate: {message}\n")
