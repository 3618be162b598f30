"""Going on with a run: from its folder, by the program, and after it was killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from PIL import Image

import striate
from striate.errors import UserError
from striate.training import train
from striate.training.choosing import Wishes
from striate.training.clock import Clock
from striate.training.folder import alone
from striate.training.progress import Display
from striate.training.resuming import go_on
from striate.training.run import (
    RECORD,
    STATE,
    WEIGHTS,
    open_run,
    read_weights,
)
from striate.training.train import Outcome, fit

TEXT = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> fc-10"
FAULTS = Path(__file__).parents[2] / "benchmarks" / "faults.py"


class Pressed(Display):
    """A display whose user presses Ctrl-C at the first step that is shown from `step` on."""

    def __init__(self, step: int) -> None:
        self.said = io.StringIO()
        super().__init__(self.said)
        self.at = step

    def step(self, moment: object) -> None:
        if getattr(moment, "step", 0) >= self.at:
            self.at = 1 << 62
            os.kill(os.getpid(), signal.SIGINT)


def begin(folder: Path, *, step: int | None = None, epochs: float = 4, **given: object) -> Outcome:
    display = Display(io.StringIO()) if step is None else Pressed(step)
    wishes = Wishes(epochs=epochs, device="cpu", precision="float32")
    return fit(TEXT, "digits", wishes, output=folder, display=display, **given)  # type: ignore[arg-type]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is shown."""
    monkeypatch.setattr(Clock, "to_show", lambda clock: True)


@pytest.mark.usefixtures("shown")
def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    straight = begin(tmp_path / "straight")
    cut = begin(tmp_path / "cut", step=30)
    assert cut.trained.interrupted
    assert (tmp_path / "cut" / STATE).exists()
    display = Pressed(50)
    again = go_on(tmp_path / "cut", display=display)
    assert display.said.getvalue().startswith(f"{tmp_path / 'cut'}: going on from step 30\n")
    assert again.trained.interrupted
    done = go_on(tmp_path / "cut", display=Display(io.StringIO()))
    assert not done.trained.interrupted
    assert not (tmp_path / "cut" / STATE).exists()
    one, other = (read_weights(tmp_path / name / WEIGHTS) for name in ("straight", "cut"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    steps = [row.step for row in straight.trained.rows]
    assert [row.step for row in done.trained.rows] == steps
    record = open_run(tmp_path / "cut").record
    assert record.results["interrupted"] is False
    assert record.results["steps"] == straight.trained.steps


def test_a_training_that_was_killed_before_its_first_look_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = begin(tmp_path / "straight", epochs=1)
    monkeypatch.setattr(train, "train_network", lambda *given, **named: 1 / 0)
    monkeypatch.setattr(train, "removed_without_weights", lambda folder: nullcontext())
    with pytest.raises(ZeroDivisionError):
        begin(tmp_path / "cut", epochs=1)
    monkeypatch.undo()
    said = io.StringIO()
    done = go_on(tmp_path / "cut", display=Display(said))
    assert said.getvalue().startswith(f"{tmp_path / 'cut'}: going on from the beginning\n")
    weights = straight.trained.weights
    assert all(torch.equal(weights[name], done.trained.weights[name]) for name in weights)


def test_a_run_that_starts_from_weights_of_its_own_saves_them_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = striate.build(TEXT, seed=5).state_dict()
    states: list[int] = []
    real = train.write_whole

    def noted(path: Path, content: bytes | str) -> None:
        states.extend([1] * (path.name == STATE and not states))
        real(path, content)

    def before_a_step(clock: Clock) -> None:
        assert states
        raise KeyError

    monkeypatch.setattr(train, "write_whole", noted)
    monkeypatch.setattr(Clock, "stop", before_a_step)
    with pytest.raises(KeyError):
        begin(tmp_path / "run", weights=first)
    monkeypatch.undo()
    done = go_on(tmp_path / "run", display=Display(io.StringIO()))
    straight = begin(tmp_path / "straight", weights=first)
    weights = straight.trained.weights
    assert all(torch.equal(weights[name], done.trained.weights[name]) for name in weights)


def test_a_run_that_is_over_is_not_gone_on_with(tmp_path: Path) -> None:
    begin(tmp_path / "run", epochs=0.2)
    with pytest.raises(UserError) as caught:
        go_on(tmp_path / "run")
    folder = tmp_path / "run"
    assert str(caught.value) == (
        f"{folder}: this training is over, so there is nothing to go on from. striate test "
        f"{folder} tests it, and striate train NET DATA begins a new one"
    )


@pytest.mark.usefixtures("shown")
def test_a_state_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, step=3)
    (folder / STATE).unlink()
    with pytest.raises(UserError) as caught:
        go_on(folder)
    assert str(caught.value).startswith(
        f"{folder}: this training was cut off, and its {STATE} is gone, so there is nothing to go "
    )


@pytest.mark.usefixtures("shown")
def test_two_trainings_in_one_folder(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, step=3)
    with alone(folder), pytest.raises(UserError) as caught:
        go_on(folder)
    assert str(caught.value) == (
        f"{folder}: another training is at work in this folder. Wait until it has ended, or end it"
    )


@pytest.mark.usefixtures("shown")
def test_what_a_killed_writer_left_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, step=3)
    (folder / f".{STATE}.4711.tmp").write_bytes(b"half")
    go_on(folder, display=Display(io.StringIO()))
    assert not list(folder.glob(".*"))


@pytest.mark.usefixtures("shown")
def test_pictures_that_were_changed_since(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name, shade in (("dark", 30), ("light", 220)):
        (photos / name).mkdir(parents=True)
        for number in range(12):
            picture = Image.new("L", (8, 8), shade + number)
            picture.save(photos / name / f"{number}.png")
    wishes = Wishes(epochs=30, device="cpu", precision="float32")
    folder = tmp_path / "run"
    fit(TEXT, str(photos), wishes, output=folder, display=Pressed(2))
    (photos / "dark" / "0.png").unlink()
    with pytest.raises(UserError) as caught:
        go_on(folder, display=Display(io.StringIO()))
    assert str(caught.value) == (
        f"{photos}: the pictures are no longer those that {folder} was begun with: some were "
        "added, removed or changed. Put them back, or train anew"
    )


@pytest.mark.usefixtures("shown")
def test_another_number_of_threads_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, step=3)
    record = json.loads((folder / RECORD).read_text())
    threads = record["environment"]["threads"]
    record["environment"]["threads"] = 64
    (folder / RECORD).write_text(json.dumps(record))
    said = io.StringIO()
    go_on(folder, display=Display(said))
    assert (
        f"note: threads {threads} in place of 64: the weights will not be bit for bit those of a "
        "training that was never interrupted\n"
    ) in said.getvalue()


@pytest.mark.usefixtures("shown")
def test_the_whole_of_a_training_from_python(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    begin(folder, step=30)
    result = striate.resume(folder, display=Display(io.StringIO()))
    assert result.test is not None and result.test.accuracy > 0.8
    assert not result.interrupted
    assert (folder / "report.html").exists()


def test_faults_in_a_short_form(tmp_path: Path) -> None:
    """`benchmarks/faults.py` at full count has its figures in docs/reliability.md."""
    path = tmp_path / "found.json"
    counts = ["--kills", "5", "--full", "2", "--signals", "2", "--short", "1"]
    subprocess.run(
        [sys.executable, str(FAULTS), *counts, "--json", str(path)],
        check=True,
        capture_output=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = json.loads(path.read_text())
    killed, full, asked = found["killed"], found["full"], found["asked"]
    assert (killed["kills"], killed["unreadable"], killed["litter"]) == (5, 0, 0)
    assert killed["the same weights"] is True
    assert (full["unreadable"], full["untold"], full["litter"]) == (0, 0, 0)
    assert (asked["without a state"], asked["other status"]) == (0, 0)
    assert asked["longest seconds"] < 10
    short = found["short"]
    assert (short["whole"] + short["in parts"] + short["told"], short["unreadable"]) == (1, 0)
