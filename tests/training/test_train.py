from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.errors import ShapeError, StriateError, UserError
from striate.training import preparing, train
from striate.training.choosing import Wishes
from striate.training.clock import Row
from striate.training.progress import Display
from striate.training.run import (
    METRICS,
    NETWORK,
    RECORD,
    SPLIT,
    STATE,
    WEIGHTS,
    open_run,
    read_weights,
)
from striate.training.train import Outcome, fit, metrics_csv
from striate.training.watching import Watcher

TEXT = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> fc-10"
FILES = {METRICS, NETWORK, RECORD, SPLIT, WEIGHTS}


def quietly(
    network: str = TEXT, data: str = "digits", said: io.StringIO | None = None, **given: object
) -> Outcome:
    wished = {f.name: given.pop(f.name) for f in fields(Wishes) if f.name in given}
    wishes = Wishes(**{"epochs": 2, "device": "cpu", "precision": "float32"} | wished)
    return fit(network, data, wishes, display=Display(said or io.StringIO()), **given)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return quietly(output=tmp_path_factory.mktemp("runs") / "kept" / "digits")


def test_every_file_is_written(outcome: Outcome) -> None:
    folder = outcome.run.folder
    assert {path.name for path in folder.iterdir()} == FILES
    weights = read_weights(folder / WEIGHTS)
    assert all(torch.equal(weights[name], value) for name, value in outcome.trained.weights.items())
    with (folder / METRICS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(Row)]
    assert [float(row["epoch"]) for row in rows] == [1, 2]
    assert float(rows[-1]["val_accuracy"]) == pytest.approx(
        outcome.trained.rows[-1].val_accuracy, abs=1e-6
    )


def test_the_record_tells_how_it_was_trained(outcome: Outcome) -> None:
    record = open_run(outcome.run.folder).record
    assert (record.network, record.data) == ("network", "digits")
    assert record.settings.epochs == 2 and record.settings.device == "cpu"
    assert record.results["interrupted"] is False
    assert record.results["steps"] == outcome.trained.steps
    assert record.results["best_step"] == outcome.trained.best.step
    assert record.results["val_accuracy"] == outcome.trained.best.val_accuracy
    assert record.environment["precision"] == "float32"


def test_a_run_can_be_loaded_and_is_right(outcome: Outcome) -> None:
    network = outcome.run.load_network()
    test = outcome.data.test
    normalise = outcome.run.record.normalise
    images = torch.from_numpy(test.images).permute(0, 3, 1, 2).float()
    found = network((images - normalise.mean[0]) / normalise.std[0]).argmax(1)
    assert (found.numpy() == test.labels).mean() > 0.8


def test_the_seed_gives_the_same_run(outcome: Outcome, tmp_path: Path) -> None:
    again = quietly(output=tmp_path / "again")
    other = quietly(output=tmp_path / "other", seed=1)
    names = outcome.trained.weights
    assert all(torch.equal(names[k], again.trained.weights[k]) for k in names)
    assert not all(torch.equal(names[k], other.trained.weights[k]) for k in names)
    split = outcome.run.folder / SPLIT
    assert split.read_text() == (tmp_path / "again" / SPLIT).read_text()


def test_folders_are_numbered(tmp_path: Path) -> None:
    found = [quietly(epochs=0.1).run.folder for _ in range(2)]
    assert [str(folder) for folder in found] == ["runs/digits-network", "runs/digits-network-2"]


def test_two_trainings_at_once_get_a_folder_each(tmp_path: Path) -> None:
    """In threads, where signals are not ours to handle."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(quietly, epochs=0.1, seed=seed) for seed in (1, 2)]
        folders = {job.result().run.folder for job in jobs}
    assert len(folders) == 2
    assert all({path.name for path in folder.iterdir()} == FILES for folder in folders)


def test_what_is_said(tmp_path: Path) -> None:
    said = io.StringIO()
    text = "input 3x32x32 -> conv3-8 -> bn -> relu -> gap -> fc-7 -> softmax"
    quietly(text, said=said, output=tmp_path / "run", epochs=1)
    lines = said.getvalue().splitlines()
    assert lines[:4] == [
        "note: input 1×8×8, as the pictures are, in place of 3×32×32",
        "note: 10 classes in place of 7",
        f"note: {preparing.SOFTMAX_NOTICE}",
        f"{tmp_path / 'run'}: 1,302 training, 140 validation, 355 test pictures in 10 classes",
    ]
    assert len(lines) == 7  # a header and two looks
    assert "fc-10 -> softmax" in (tmp_path / "run" / NETWORK).read_text()


@pytest.mark.parametrize(
    ("given", "kind", "start"),
    [
        ({"network": "resnet19"}, UserError, "unknown network 'resnet19'. Did you mean resnet18"),
        ({"network": "input 1x8x8 -> conv3-10"}, ShapeError, ""),
        ({"network": "input 1x8x8 -> conv9-8 valid -> fc-10"}, ShapeError, ""),
        ({"data": "nothing/here"}, UserError, ""),
        ({"lr": float("nan")}, UserError, "settings: lr is nan; expected a number above 0"),
        ({"batch": 0}, UserError, "settings: batch is 0; expected a whole number from 1"),
        ({"epochs": -1}, UserError, "settings: epochs is -1; expected a number above 0"),
        ({"seconds": 1}, UserError, "give either a number of epochs or a number of seconds"),
        ({"recipe": "alexnit"}, UserError, "there is no recipe 'alexnit'. Did you mean 'alexnet'?"),
        ({"input": (2, 8, 8)}, UserError, "the network's input has 2 channels"),
        ({"precision": "half"}, UserError, "settings: precision is 'half'"),
    ],
)
def test_a_mistake_leaves_no_folder(
    tmp_path: Path, given: dict[str, object], kind: type[Exception], start: str
) -> None:
    with pytest.raises(kind) as error:
        quietly(**{"output": tmp_path / "run"} | given)
    assert start in str(error.value)
    assert not (tmp_path / "run").exists()


def test_wishes_are_checked_before_pictures_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "open_data", lambda *given, **named: pytest.fail("read"))
    with pytest.raises(UserError, match=r"^settings: batch is 0"):
        quietly(batch=0)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError) as error:
        quietly(output=tmp_path / "taken")
    assert str(error.value) == (
        f"{tmp_path / 'taken'}: a run of this name is there already. Give another one with -o, or "
        "leave -o out for a numbered one"
    )


def test_a_training_that_diverges_leaves_no_empty_folder(tmp_path: Path) -> None:
    text = "input 1x8x8 -> conv3-8 -> relu -> fc-10"
    with pytest.raises(StriateError, match=r"^the training diverged: "):
        quietly(text, output=tmp_path / "run", recipe="sgd", lr=1e8)
    assert not (tmp_path / "run").exists()


def test_what_was_good_before_a_divergence_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights become infinite after the first look."""
    learn = train.train_network

    def spoilt(network: torch.nn.Module, *given: object, **named: object) -> object:
        *first, watcher = given

        def row(row: Row, weights: object) -> None:
            watcher.row(row, weights)
            with torch.no_grad():
                for module in network.modules():
                    if isinstance(module, torch.nn.BatchNorm2d):
                        module.running_mean.fill_(float("nan"))

        return learn(network, *first, Watcher(watcher.step, row), **named)

    monkeypatch.setattr(train, "train_network", spoilt)
    with pytest.raises(StriateError) as error:
        quietly(output=tmp_path / "run")
    folder = tmp_path / "run"
    assert str(error.value).endswith(f"\nThe best weights before that are in {folder}")
    assert error.value.exit_status == 1
    run = open_run(folder)
    assert run.record.results["interrupted"] is True
    assert all(torch.isfinite(weight).all() for weight in run.load_network().parameters())


def test_a_full_disk_keeps_the_weights_that_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files may be no larger than the first weights from the second look on."""
    resource = pytest.importorskip("resource")
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    write, written = train.write_weights, []

    def limited(folder: Path, weights: dict[str, torch.Tensor]) -> None:
        if written:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, kept[1]))
        write(folder, weights)
        written.append((folder / WEIGHTS).read_bytes())

    monkeypatch.setattr(train, "write_weights", limited)
    try:
        with pytest.raises(UserError) as error:
            quietly(output=tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert str(error.value) == (
        f"{tmp_path / 'run' / WEIGHTS}: File too large. What was written before is whole. Make "
        f"room there, then go on: striate train --resume {tmp_path / 'run'}"
    )
    assert (tmp_path / "run" / WEIGHTS).read_bytes() == written[0]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {*FILES, STATE}
    assert open_run(tmp_path / "run").load_network()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError) as error:
        quietly(output=tmp_path / "closed" / "run")
    assert error.value.filename == str(tmp_path / "closed" / "run")


def test_a_place_where_no_folder_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as error:
        quietly(output=tmp_path / "file" / "run")
    assert error.value.filename == str(tmp_path / "file" / "run")


class Pressed(Display):
    """A display whose user presses keys at the steps that are shown."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(io.StringIO())
        self.numbers = list(numbers)

    def step(self, moment: object) -> None:
        if self.numbers:
            os.kill(os.getpid(), self.numbers.pop(0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_training_with_its_weights(tmp_path: Path, number: int) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    found = fit(TEXT, "digits", Wishes(epochs=50), output=tmp_path / "run", display=Pressed(number))
    assert found.trained.interrupted
    run = open_run(tmp_path / "run")
    assert run.record.results["interrupted"] is True
    assert all(torch.isfinite(weight).all() for weight in run.load_network().parameters())
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert after == handlers


def test_more_signals_while_weights_are_written_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = train.write_weights

    def impatient(folder: Path, weights: dict[str, torch.Tensor]) -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        write(folder, weights)

    monkeypatch.setattr(train, "write_weights", impatient)
    display = Pressed(signal.SIGINT)
    found = fit(TEXT, "digits", Wishes(epochs=50), output=tmp_path / "run", display=display)
    assert found.trained.interrupted
    weights = read_weights(tmp_path / "run" / WEIGHTS)
    assert all(torch.equal(weights[k], value) for k, value in found.trained.weights.items())
    assert {path.name for path in (tmp_path / "run").iterdir()} == {*FILES, STATE}


def test_an_interrupt_before_the_first_step_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*given: object, **named: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(train, "train_network", pressed)
    with pytest.raises(KeyboardInterrupt):
        quietly(output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


PROGRAM = """
import sys
from pathlib import Path
from striate.training.progress import Display
from striate.training.choosing import Wishes
from striate.training.train import fit

class Loud(Display):
    def step(self, moment):
        self.say("a step")

output = Path(sys.argv[2])
outcome = fit(sys.argv[1], "digits", Wishes(epochs=100000), output=output, display=Loud())
slow = "torch._dynamo torch._inductor sympy torchvision sklearn matplotlib pandas".split()
print(outcome.trained.interrupted, [name for name in slow if name in sys.modules])
"""


def test_a_training_of_its_own_process_ends_on_ctrl_c_and_imports_nothing_slow(
    tmp_path: Path,
) -> None:
    """One process for both, since each takes seconds to start."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, TEXT, str(tmp_path / "run")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    guard = threading.Timer(240, process.kill)
    guard.start()
    try:
        assert process.stderr is not None
        opening, step = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    finally:
        guard.cancel()
        process.kill()
    assert opening.startswith(f"{tmp_path / 'run'}: 1,302 training") and step == "a step\n"
    assert (process.returncode, out) == (0, "True []\n"), err
    assert open_run(tmp_path / "run").record.results["interrupted"] is True


def test_an_interrupt_at_the_first_word_leaves_no_folder(tmp_path: Path) -> None:
    class Early(Display):
        def say(self, text: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(TEXT, "digits", output=tmp_path / "run", display=Early(io.StringIO()))
    assert not (tmp_path / "run").exists()


def test_few_pictures_of_two_classes_train(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(10):
            pixels = random.normal(level, 20, (12, 14, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    text = "input 3x12x14 -> conv3-8 -> bn -> relu -> pool2 -> conv3-8 -> bn -> relu -> gap -> fc-5"
    outcome = quietly(text, str(tmp_path / "photos"), epochs=20)
    settings = outcome.run.record.settings
    assert settings.batch == 8 and settings.rotate > 0 and settings.flip
    assert str(outcome.run.folder) == "runs/photos-network"
    network = outcome.run.load_network()
    normalise = outcome.run.record.normalise
    images = torch.from_numpy(outcome.data.train.images.copy()).float()
    images = (images - torch.tensor(normalise.mean)) / torch.tensor(normalise.std)
    found = network(images.permute(0, 3, 1, 2)).argmax(1).numpy()
    assert (found == outcome.data.train.labels).all()


def test_three_pictures_without_validation_train(tmp_path: Path) -> None:
    for name, count in (("a", 2), ("b", 1)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(count):
            Image.new("L", (9, 9), 100 * index).save(tmp_path / "photos" / name / f"{index}.png")
    outcome = quietly(
        "input 1x9x9 -> conv3-4 -> bn -> relu -> gap -> fc-2", str(tmp_path / "photos")
    )
    assert len(outcome.data.val) == 0
    assert outcome.run.record.results["val_accuracy"] is None
    assert "nan" in (outcome.run.folder / METRICS).read_text()
    assert json.loads((outcome.run.folder / RECORD).read_text())


def test_metrics_are_a_table() -> None:
    rows = [Row(3, 1 / 3, 0.25, 100.0, 0.1, 2.0, 0.5, float("nan"), 1.0)]
    assert metrics_csv(rows) == (
        "step,epoch,seconds,images_per_second,lr,train_loss,train_accuracy,val_loss,val_accuracy\n"
        "3,0.333333,0.25,100.0,0.1,2.0,0.5,nan,1.0\n"
    )
