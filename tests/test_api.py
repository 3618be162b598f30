"""What is left of a training when its test or its report cannot be finished."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from PIL import Image

import striate
from striate import api
from striate.errors import InterruptedRunError, StriateError, UserError
from striate.training.progress import Display

TEXT = "input 1x8x8 -> conv3-4 -> bn -> relu -> gap -> fc-10"


def failing(monkeypatch: pytest.MonkeyPatch, folder: Path, error: BaseException) -> StriateError:
    """What a training tells when writing its report raises an error."""

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(api, "write_report", fails)
    with pytest.raises(StriateError) as told:
        striate.train(TEXT, "digits", output=folder, epochs=1, display=Display(io.StringIO()))
    return told.value


def test_an_interrupt_after_the_training_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    error = failing(monkeypatch, folder, KeyboardInterrupt())
    assert isinstance(error, InterruptedRunError)
    assert error.exit_status == 130
    assert str(error) == (
        f"interrupted after the training: {folder} holds the weights, but not all of the test and "
        f"the report. striate test {folder} tests it"
    )
    assert striate.test(folder).images == 355


def test_a_full_disk_after_the_training_says_what_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "report.html"))
    error = failing(monkeypatch, folder, full)
    assert isinstance(error, UserError)
    assert str(error) == (
        f"{folder / 'report.html'}: No space left on device. The training is whole, and {folder} "
        "holds its weights; what comes after it could not be written. Make room there, then run "
        f"striate test {folder}"
    )
    assert striate.test(folder).images == 355


def test_paths_may_be_texts_or_paths(tmp_path: Path) -> None:
    for name, value in (("dark", 40), ("light", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            Image.new("L", (8, 8), value + number).save(tmp_path / "data" / name / f"{number}.png")
    quiet = Display(io.StringIO())
    plot = tmp_path / "rates.svg"
    striate.find_rate(TEXT, tmp_path / "data", output=str(plot), root=str(tmp_path), display=quiet)
    assert plot.read_text().startswith("<svg")
    for place, data in ((str(tmp_path / "one"), tmp_path / "data"), (tmp_path / "two", "digits")):
        result = striate.train(TEXT, data, output=place, epochs=0.5, display=quiet)
        assert result.run.folder == Path(place)
    assert striate.test(tmp_path / "one", tmp_path / "data").images == 4
    picture = tmp_path / "data" / "dark" / "1.png"
    for paths in (str(picture), picture, [str(picture)]):
        assert len(list(striate.predict(tmp_path / "one", paths))) == 1
