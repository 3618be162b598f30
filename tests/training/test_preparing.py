"""What a training begins with."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.data import DataSet
from striate.errors import UserError
from striate.training import preparing
from striate.training.prepare import to_input
from striate.training.preparing import scaled, statistics
from striate.training.run import Normalise, open_run


def with_train(data: DataSet, images: np.ndarray) -> DataSet:
    return replace(data, train=replace(data.train, images=images))


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_numpys(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    monkeypatch.setattr(preparing, "_CHUNK_PIXELS", 1000)
    count = len(digits.train)
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 7, channels), np.uint8)
    images[..., 0] //= 3
    found = statistics(with_train(digits, images))
    flat = images.reshape(-1, channels).astype(np.float64)
    assert np.allclose(found.mean, flat.mean(0)) and np.allclose(found.std, flat.std(0))


def test_many_pictures_are_sampled_for_statistics(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_STATISTICS_PIXELS", 100 * 64)
    images = digits.train.images
    step = -(-len(images) // 100)
    assert statistics(digits).mean[0] == pytest.approx(images[::step].mean())


def test_a_channel_that_never_changes_is_divided_by_one(digits: DataSet) -> None:
    found = statistics(with_train(digits, np.full_like(digits.train.images, 7)))
    assert (found.mean, found.std) == ((7.0,), (1.0,))


def test_what_a_network_is_given_of_pixels(digits: DataSet) -> None:
    measured = statistics(digits)
    assert scaled(digits, "std") == measured
    assert scaled(digits, "mean") == Normalise(measured.mean, (127.5,))
    unit = scaled(digits, "unit")
    ends = [(value - unit.mean[0]) / unit.std[0] for value in (0, 255)]
    assert ends == [-1, 1]


def test_the_mean_picture(digits: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_CHUNK_PIXELS", 1000)
    found = scaled(digits, "image")
    images = digits.train.images
    assert found.image is not None
    np.testing.assert_array_equal(found.image, images.mean(0).round())
    given = to_input(torch.from_numpy(images[:5].copy()), found, torch.float32)
    expected = (images[:5] - images.mean(0).round()) / 127.5
    np.testing.assert_allclose(given.permute(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)


def test_a_run_keeps_the_mean_picture_and_goes_on_with_it(tmp_path: Path) -> None:
    text = "input 1x8x8 -> conv3-8 -> relu -> gap -> fc-10"
    run = striate.train(
        text, "digits", epochs=1, output=tmp_path / "run", settings={"scaling": "image"}
    ).run
    assert json.loads((run.folder / "run.json").read_text())["normalise"]["image"] == "mean.png"
    read = open_run(run.folder)
    assert read.record.normalise.image is not None
    assert read.record.normalise.image.shape == (8, 8, 1)
    tested = json.loads((run.folder / "test.json").read_text())["accuracy"]
    assert striate.test(run.folder).accuracy == tested
    place = run.folder / "mean.png"
    Image.new("L", (7, 8)).save(place)
    with pytest.raises(UserError) as refused:
        open_run(run.folder)
    assert str(refused.value) == (
        f"{place}: the mean picture is 8×7×1, but run.json reads pictures of 8×8×1 (rows, columns, "
        "channels). One of the two was changed"
    )
    place.write_bytes(b"no picture")
    with pytest.raises(UserError, match="the mean picture is damaged"):
        open_run(run.folder)
    place.unlink()
    with pytest.raises(UserError, match="this file of the run is missing"):
        open_run(run.folder)


def test_with_nothing_held_out_every_picture_trains_and_the_last_weights_stay(
    tmp_path: Path,
) -> None:
    counts = []
    for name, settings in (("usual", {}), ("run", {"hold_out": 0})):
        folder = tmp_path / name
        striate.train("quick_grey", "digits", epochs=1, settings=settings, output=folder)
        rows = (folder / "split.csv").read_text().splitlines()[1:]
        counts.append(Counter(row.partition(",")[0] for row in rows))
    usual, found = counts
    assert usual["val"] > 0 and found["val"] == 0
    assert found["train"] == usual["train"] + usual["val"] and found["test"] == usual["test"]
    with (folder / "metrics.csv").open() as stream:
        steps = [int(row["step"]) for row in csv.DictReader(stream)]
    assert len(steps) > 1
    assert json.loads((folder / "run.json").read_text())["results"]["best_step"] == steps[-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"schedule": "plateau"},
            "schedule=plateau goes by the validation loss, and there are no validation pictures. "
            "Hold some out, as with hold_out=0.1, or choose another schedule",
        ),
        (
            {"stop_after": 3},
            "stop_after=3 goes by the validation loss, and there are no validation pictures. "
            "Hold some out, as with hold_out=0.1, or say 0",
        ),
    ],
)
def test_what_goes_by_the_validation_loss_wants_pictures_for_it(
    settings: dict[str, str | int], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as error:
        striate.train(
            "quick_grey",
            "digits",
            epochs=1,
            settings=settings | {"hold_out": 0},
            output=tmp_path / "run",
        )
    assert str(error.value) == message
    assert not (tmp_path / "run").exists()
