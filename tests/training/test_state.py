"""A training that was stopped goes on as if it never had been."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from striate.data import DataSet
from striate.errors import UserError
from striate.modules import build
from striate.source import Source
from striate.training.clock import Clock, Moment, Row
from striate.training.device import Machine
from striate.training.loop import Resume, Trained, train_network
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.state import FORMAT, State, read_state
from striate.training.watching import Watcher

NORMALISE = Normalise((78.0,), (96.0,))
TEXT = (
    "input 1x8x8 -> conv3-18 nobias -> bn -> relu -> dropout0.3 -> conv3-16 nobias -> pool2 -> bn "
    "-> relu -> tap side [fc-10] -> (conv3-16 -> droppath0.3 + id) -> fc-10"
)
LONG = Settings(epochs=4, batch=64, shift=0.1, rotate=5.0, zoom=0.1)
KINDS = {
    "muon": (LONG, torch.float32),
    "muon in bfloat16": (replace(LONG, flip=True), torch.bfloat16),
    "sgd": (replace(LONG, optimizer="sgd", lr=0.02, weight_decay=1e-3), torch.float32),
    "lamb with a mean": (
        replace(LONG, optimizer="lamb", lr=0.01, ema=0.99, schedule="cosine", clip=1.0),
        torch.bfloat16,
    ),
    "rmsprop on a plateau": (
        replace(LONG, optimizer="rmsprop", lr=0.01, eps=1.0, schedule="plateau", patience=1),
        torch.float32,
    ),
    "sgd without momentum": (replace(LONG, optimizer="sgd", lr=0.02, momentum=0.0), torch.float32),
}


class Stopped(Exception):  # noqa: N818
    """What a killed training is to the test."""


def learn(
    data: DataSet,
    kind: str,
    watcher: Watcher | None = None,
    resume: Resume | None = None,
    text: str = TEXT,
) -> Trained:
    settings, dtype = KINDS[kind]
    network = build(Source(text), seed=settings.seed)
    machine = Machine(torch.device("cpu"), dtype)
    return train_network(
        network, data, NORMALISE, settings, machine, watcher or Watcher(), resume=resume
    )


def alike(one: Trained, other: Trained) -> None:
    """All that does not tell the time is the same."""

    def timeless(row: Row) -> Row:
        return replace(row, seconds=0.0, images_per_second=0.0)

    assert list(one.weights) == list(other.weights)
    for name, weight in one.weights.items():
        assert torch.equal(weight, other.weights[name]), name
    assert [timeless(row) for row in one.rows] == [timeless(row) for row in other.rows]
    assert (one.steps, one.best.step) == (other.steps, other.best.step)


@pytest.fixture(scope="module")
def straight(digits: DataSet) -> dict[str, Trained]:
    return {kind: learn(digits, kind) for kind in KINDS}


STEPS = 80
"""Those of four epochs of 20."""


@pytest.fixture
def saving_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps at which a training saves its state, in place of every half minute."""
    steps: list[int] = []
    monkeypatch.setattr(Clock, "to_save", lambda clock: clock.steps in steps)
    return steps


PLACES = [(kind, step) for kind in KINDS for step in sorted(Random(kind).sample(range(1, 80), 4))]


@pytest.mark.parametrize(("kind", "step"), PLACES)
def test_at_random_steps_the_weights_become_the_same_bit_for_bit(
    digits: DataSet,
    straight: dict[str, Trained],
    saving_at: list[int],
    tmp_path: Path,
    kind: str,
    step: int,
) -> None:
    saving_at.append(step)
    path = tmp_path / "state.safetensors"

    def save(state: State) -> None:
        if state.step == step:
            path.write_bytes(state.encode())
            raise Stopped

    with pytest.raises(Stopped):
        learn(digits, kind, Watcher(save=save))
    torch.manual_seed(77)
    torch.rand(5)
    state = read_state(path)
    assert state.step == step
    alike(learn(digits, kind, resume=Resume(state, path)), straight[kind])


def test_stopped_again_and_again(
    digits: DataSet, straight: dict[str, Trained], saving_at: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "state.safetensors"
    resume = None

    def save(state: State) -> None:
        if state.step == step:
            path.write_bytes(state.encode())
            raise Stopped

    for step in (7, 20, 21, 60, 79):
        saving_at[:] = [step]
        with pytest.raises(Stopped):
            learn(digits, "muon", Watcher(save=save), resume)
        resume = Resume(read_state(path), path)
        assert resume.state.step == step
    saving_at.clear()
    alike(learn(digits, "muon", resume=resume), straight["muon"])


def test_ctrl_c_saves_the_state_before_anything_else(
    digits: DataSet,
    straight: dict[str, Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Clock, "to_show", lambda clock: True)
    states: list[State] = []
    told: list[str] = []

    def step(moment: Moment) -> None:
        if moment.step == 33:
            told.append("pressed")
            raise KeyboardInterrupt

    def save(state: State) -> None:
        states.append(state)
        told.append("saved")

    def row(row: Row, weights: dict[str, Tensor] | None) -> None:
        told.append("looked")

    found = learn(digits, "muon", Watcher(step, row, save))
    assert found.interrupted
    assert told == ["saved", "looked", "pressed", "saved", "looked"]
    assert states[-1].step == 33
    path = tmp_path / "state.safetensors"
    path.write_bytes(states[-1].encode())
    again = learn(digits, "muon", resume=Resume(read_state(path), path))
    alike(again, straight["muon"])


def test_an_interrupt_in_the_middle_of_a_step_waits_for_its_end(
    digits: DataSet, straight: dict[str, Trained], tmp_path: Path
) -> None:
    import os
    import signal

    from striate.training.interrupts import interruptible
    from striate.training.optimise import Optimizer

    states: list[State] = []
    real = Optimizer.step
    count = 0

    def pressed(optimizer: Optimizer, share: float) -> None:
        nonlocal count
        count += 1
        if count == 45:
            os.kill(os.getpid(), signal.SIGINT)
        real(optimizer, share)

    with pytest.MonkeyPatch.context() as patch, interruptible() as interrupts:
        patch.setattr(Optimizer, "step", pressed)
        found = learn(digits, "muon", Watcher(save=states.append, whole=interrupts.whole))
    assert (found.interrupted, found.steps, states[-1].step) == (True, 45, 45)
    path = tmp_path / "state.safetensors"
    path.write_bytes(states[-1].encode())
    alike(learn(digits, "muon", resume=Resume(read_state(path), path)), straight["muon"])


def some_state(data: DataSet) -> State:
    found: list[State] = []

    def save(state: State) -> None:
        found.append(state)
        raise Stopped

    with pytest.raises(Stopped):
        learn(data, "muon", Watcher(save=save))
    return found[0]


def test_the_state_of_another_network_is_refused(digits: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(some_state(digits).encode())
    with pytest.raises(UserError) as caught:
        learn(
            digits,
            "muon",
            resume=Resume(read_state(path), path),
            text="input 1x8x8 -> conv3-8 -> relu -> fc-10",
        )
    assert str(caught.value) == (
        f"{path}: this is the state of another training: its network, its settings or its pictures "
        "were others. Train anew, or put the run's own files back"
    )


@pytest.mark.parametrize("cut", [0, 7, 300, -100])
def test_a_damaged_state_is_told(digits: DataSet, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "state.safetensors"
    path.write_bytes(some_state(digits).encode()[:cut])
    with pytest.raises(UserError) as caught:
        read_state(path)
    assert str(caught.value).startswith(f"{path}: the state of the training is damaged (")
    assert str(caught.value).endswith(
        "Put the file back from a copy, or remove it: the training then begins again"
    )


def test_a_state_of_a_newer_program_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    numbers = json.dumps({"format": FORMAT + 1})
    save_file({"x": torch.zeros(1)}, path, {"striate": numbers})
    with pytest.raises(UserError) as caught:
        read_state(path)
    assert str(caught.value) == (
        f"{path}: the state was written by a newer Striate (format {FORMAT + 1}; this one reads up "
        f"to {FORMAT}). Update Striate to go on"
    )


@pytest.mark.parametrize("metadata", [None, {"striate": "[]"}, {"striate": "{}"}])
def test_another_safetensors_file_is_told(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "state.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata)
    with pytest.raises(UserError) as caught:
        read_state(path)
    assert str(caught.value) == f"{path}: this is not the state of a training"
