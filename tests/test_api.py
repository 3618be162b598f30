"""What is left of a training when its test or its report cannot be finished."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

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
