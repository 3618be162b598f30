"""`striate train`, `test` and `predict`, on a small network trained for a moment on the digits."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from striate.cli import train
from striate.data import open_data
from striate.training.settings import DEVICES, PRECISIONS

PROGRAM = Path(sys.executable).with_name("striate")
NET = "input 1x8x8 -> conv3-16 -> bn -> relu -> pool2 -> fc-10"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that the program wrote."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    arguments = ["train", NET, "digits", "--epochs", "6", "--device", "cpu", "-o", folder]
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "accuracy" in result.stdout
    assert result.stderr.endswith(f"report: {folder / 'report.html'}\n")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three digits as PNG files, and a text that says it is one."""
    folder = tmp_path_factory.mktemp("pictures")
    images = open_data("digits", None, splits=("test",)).test.images
    for number in range(3):
        Image.fromarray(images[number, :, :, 0]).save(folder / f"{number}.png")
    (folder / "text.png").write_text("not a picture", encoding="utf-8")
    return folder


def test_the_choices_are_those_of_the_settings() -> None:
    assert DEVICES == train.DEVICES
    assert PRECISIONS == train.PRECISIONS


def test_a_run_folder_is_left_behind(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"network.net", "run.json", "split.csv", "metrics.csv", "weights.safetensors"} <= names
    assert "report.html" in names


def test_the_result_as_json(run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = ["--epochs", 1, "--device", "cpu", "--seed", 3, "--batch", 100, "--lr", 0.05]
    status, out, _ = run("train", NET, "digits", *arguments, "-o", folder, "--json")
    assert status == 0
    assert json.loads(out)["run"] == str(folder)
    settings = json.loads((folder / "run.json").read_text(encoding="utf-8"))["settings"]
    assert (settings["epochs"], settings["batch"], settings["lr"]) == (1, 100, 0.05)
    assert (settings["seed"], settings["device"]) == (3, "cpu")


def test_a_name_that_is_taken(run, trained: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.iterdir()}
    status, out, err = run("train", NET, "digits", "-o", trained)
    assert (status, out) == (2, "")
    assert err.startswith(f"striate: {trained}: a run of this name is there already.")
    assert {path: path.stat().st_mtime_ns for path in trained.iterdir()} == before


def test_epochs_and_seconds_together(run, tmp_path: Path) -> None:
    arguments = ["--epochs", 1, "--seconds", 1, "-o", tmp_path / "run"]
    assert run("train", NET, "digits", *arguments) == (
        2,
        "",
        "striate: give either a number of epochs or a number of seconds, not both\n",
    )
    assert not (tmp_path / "run").exists()


def test_data_that_is_not_there(run) -> None:
    status, out, err = run("train", NET, "digit")
    assert (status, out) == (2, "")
    assert err.startswith("striate: digit: no such folder, and no built-in data set of that name.")
    assert "Did you mean 'digits'?" in err


def test_an_interrupted_training_keeps_its_weights(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [PROGRAM, "train", NET, "digits", "--seconds", "120", "--device", "cpu", "-o", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 100
    while not (folder / "weights.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (
        f"interrupted: the best weights so far are in {folder}. striate train --resume {folder} "
        "goes on\n"
    ) in err
    assert "Traceback" not in err
    assert (folder / "report.html").exists()


def test_an_interrupted_training_goes_on(run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [PROGRAM, "train", NET, "digits", "--epochs", "100", "--device", "cpu", "-o", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 100
    while not (folder / "weights.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    status, out, err = run("train", "--resume", folder, "--json")
    assert status == 0
    assert json.loads(out)["training"]["epochs"] == 100
    assert err.startswith(f"{folder}: going on from step ")
    status, out, err = run("train", "--resume", folder)
    assert (status, out) == (2, "")
    assert err.startswith(f"striate: {folder}: this training is over, so there is nothing to ")


def test_a_training_goes_on_with_its_own_settings(run, tmp_path: Path) -> None:
    status, _, err = run("train", "--resume", tmp_path, "--epochs", "3")
    assert status == 2
    assert err.startswith(
        f"striate: --resume goes on with the settings that {tmp_path} was begun with: leave epochs "
        "out.\n"
    )
    status, _, err = run("train", NET, "--resume", tmp_path)
    assert status == 2
    assert "leave network out." in err


def test_a_batch_is_a_number_or_auto(run) -> None:
    status, out, err = run("train", NET, "digits", "--batch", "much")
    assert (status, out) == (2, "")
    assert err == (
        "striate: Invalid value for '--batch': expected a whole number or auto, found 'much'.\n"
    )


@pytest.mark.parametrize(("given", "missing"), [([], "NET"), ([NET], "DATA")])
def test_what_a_training_needs(run, given: list[str], missing: str) -> None:
    status, out, err = run("train", *given)
    assert (status, out) == (2, "")
    assert err.startswith(f"striate: Missing argument '{missing}'.\n")


def test_several_are_trained_and_asked_together(run, tmp_path: Path) -> None:
    given = ["--epochs", "1", "--device", "cpu", "--ensemble", "2", "-o", tmp_path / "run"]
    status, out, _ = run("train", NET, "digits", *given, "--json")
    assert status == 0
    found = json.loads(out)
    folders = [str(tmp_path / f"run-{number}") for number in (1, 2)]
    assert [each["run"] for each in found["alone"]] == folders
    assert found["run"] == " + ".join(folders)
    assert json.loads(run("test", *folders, "--json").out)["accuracy"] == found["accuracy"]
    status, out, _ = run("test", *folders)
    assert f"{folders[0]} alone: " in out
    splits = [(Path(folder) / "split.csv").read_text() for folder in folders]
    assert splits[0] == splits[1]
    assert run("test", *folders, "nowhere").err.startswith("striate: nowhere: no such folder")


def test_folds_test_every_picture_once(run, tmp_path: Path) -> None:
    given = ["--epochs", "1", "--device", "cpu", "--folds", "2", "-o", tmp_path / "run"]
    status, out, _ = run("train", NET, "digits", *given, "--json")
    assert status == 0
    found = json.loads(out)
    folders = [tmp_path / f"run-{number}" for number in (1, 2)]
    assert [each["run"] for each in found["folds"]] == [str(folder) for folder in folders]
    assert found["images"] == 1797
    alone = [each["accuracy"] for each in found["folds"]]
    right = sum(each["accuracy"] * each["images"] for each in found["folds"])
    assert found["accuracy"] == pytest.approx(right / 1797)
    assert found["spread"] == pytest.approx(abs(alone[0] - alone[1]) / 2**0.5)
    tested = [json.loads(run("test", folder, "--json").out)["accuracy"] for folder in folders]
    assert tested == alone


def test_folds_that_cannot_be(run) -> None:
    assert run("train", NET, "digits", "--folds", "400").err == (
        "striate: digits: 400 folds take that many pictures of a class, and the largest class has "
        "183 pictures. Give fewer folds\n"
    )
    status, _, err = run("train", NET, "digits", "--folds", "2", "--ensemble", "2")
    assert (status, err.splitlines()[0]) == (2, "striate: Give --ensemble or --folds, not both.")


def test_test_prints_json_of_the_held_out_pictures(run, trained: Path) -> None:
    status, out, _ = run("test", trained, "--json")
    result = json.loads(out)
    low, high = result["interval"]
    assert status == 0
    assert low <= result["accuracy"] <= high
    assert result["images"] == 355
    assert result["accuracy"] > 0.8


def test_test_prints_a_table(run, trained: Path) -> None:
    status, out, _ = run("test", trained)
    assert status == 0
    assert "of 355 right)" in out


def test_a_folder_that_is_no_run(run, tmp_path: Path) -> None:
    for arguments in (["test", tmp_path], ["predict", tmp_path, "a.png"]):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith(f"striate: {tmp_path}: this is not a run: it holds no run.json.")


def test_predictions_as_csv(run, trained: Path, pictures: Path) -> None:
    names = [pictures / f"{number}.png" for number in range(3)]
    status, out, err = run("predict", trained, *names, "--csv", "--top", 2)
    rows = list(csv.DictReader(out.splitlines()))
    assert (status, err) == (0, "")
    assert [row["file"] for row in rows] == [str(name) for name in names]
    assert all(float(row["probability 1"]) >= float(row["probability 2"]) for row in rows)
    assert "probability 3" not in rows[0]


def test_predictions_of_a_folder_with_a_bad_file(run, trained: Path, pictures: Path) -> None:
    status, out, _ = run("predict", trained, pictures, "--json")
    found = {Path(entry["file"]).name: entry for entry in json.loads(out)}
    assert status == 1
    assert sorted(found) == ["0.png", "1.png", "2.png", "text.png"]
    assert "error" in found["text.png"]
    assert len(found["0.png"]["classes"]) == 5


def test_only_a_bad_file(run, trained: Path, pictures: Path) -> None:
    status, out, _ = run("predict", trained, pictures / "text.png")
    assert status == 2
    assert "not read: " in out
