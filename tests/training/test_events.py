"""Curves for TensorBoard, read back with its own reader."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import striate
from striate.errors import UserError

TEXT = "input 1x8x8 -> conv3-8 -> relu -> gap -> fc-10"


def test_the_curves_are_those_of_the_metrics(tmp_path: Path) -> None:
    run = striate.train(TEXT, "digits", epochs=3, output=tmp_path / "run", log="tensorboard").run
    read = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    rows = list(csv.DictReader((run.folder / "metrics.csv").open()))
    for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "epoch"):
        curve = read.Scalars(name.replace("_", "/"))
        assert [each.step for each in curve] == [int(row["step"]) for row in rows]
        wanted = [float(row[name]) for row in rows]
        assert [each.value for each in curve] == pytest.approx(wanted, abs=1e-5)
    assert read.Scalars("loss")


def test_without_tensorboard_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in sys.modules if each.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        striate.train(TEXT, "digits", epochs=1, log="tensorboard")
    assert str(refused.value) == (
        "log: tensorboard is not installed. Install it with: python -m pip install "
        "'striate[tensorboard]'"
    )
    assert not list(tmp_path.iterdir())
