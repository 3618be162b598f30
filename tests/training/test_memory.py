"""How much of a batch fits into memory."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch

import striate
from striate.errors import UserError
from striate.graph import load_graph
from striate.sizing.memory import StepSettings
from striate.training import preparing
from striate.training.device import Machine
from striate.training.memory import MARGIN, free_bytes, parts_that_fit
from striate.training.progress import Display

TEXT = "input 1x8x8 -> conv3-16 -> relu -> conv3-16 -> relu -> pool2 -> fc-10"
CPU = Machine(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("share", [1.2, 0.6, 0.3, 0.1])
def test_each_part_fits_and_no_fewer_do(share: float) -> None:
    graph, batch, step = load_graph(TEXT), 64, StepSettings()
    whole = striate.memory(graph, batch=batch, settings=step).peak.bytes
    free = int(share * whole / MARGIN)
    parts = parts_that_fit(graph, batch, "sgd", CPU, free)
    assert (parts == 1) == (share > 1)
    part = -(-batch // parts)
    assert striate.memory(graph, batch=part, settings=step).peak.bytes <= share * whole
    if parts > 1:
        larger = -(-batch // (parts - 1))
        assert striate.memory(graph, batch=larger, settings=step).peak.bytes > share * whole


def test_nothing_fits() -> None:
    with pytest.raises(UserError):
        parts_that_fit(load_graph(TEXT), 64, "adamw", CPU, 1000)


def test_some_memory_is_free() -> None:
    assert 1e6 < free_bytes(CPU) < 1e13


def test_a_training_in_parts_is_the_same_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without batch normalisation; the record says how many parts, and why."""

    def train(name: str, batch: object) -> striate.api.TrainResult:
        return striate.train(
            TEXT, "digits", output=tmp_path / name, epochs=0.5, batch=batch, device="cpu",
            precision="float32", lr=0.01, display=Display(io.StringIO()),
        )  # fmt: skip

    graph = load_graph(TEXT)
    half = striate.memory(graph, batch=32, settings=StepSettings()).peak.bytes
    monkeypatch.setattr(preparing, "free_bytes", lambda machine: int(half / MARGIN) + 1)
    one, other = train("whole", None), train("parts", "auto")
    record = other.run.record
    assert (one.run.record.settings.batch, record.settings.batch) == (64, 64)
    assert record.settings.accumulate == 2
    assert record.origins["accumulate"] == "a batch of 64 in 0.0 GB of free memory"
    weights = one.run.load_network().state_dict()
    for name, each in other.run.load_network().state_dict().items():
        torch.testing.assert_close(each, weights[name], rtol=1e-3, atol=1e-4)
