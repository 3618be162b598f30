from __future__ import annotations

import io
import math
import os

import pytest

from striate.training import progress
from striate.training.clock import Moment, Row
from striate.training.progress import Display, bar, clock

ROW = Row(200, 2.5, 75.4, 1234.5, 0.05, 0.51234, 0.87654, 0.4, 0.9)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Time:
    """The clock of the module, set by hand."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(progress, "time", fake)
    return fake


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def moment(share: float, seconds: float = 30.0, loss: float = 0.5) -> Moment:
    return Moment(share, 10 * share, int(1000 * share), seconds, 1234.5, loss)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (7.4, "0:07"),
        (59.6, "1:00"),
        (750, "12:30"),
        (7500, "2:05:00"),
        (math.inf, "?"),
        (math.nan, "?"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_bars() -> None:
    assert bar(0) == "[" + "·" * 20 + "]"
    assert bar(0.5) == "[" + "█" * 10 + "·" * 10 + "]"
    assert bar(1) == bar(7) == "[" + "█" * 20 + "]"


def test_a_live_line_is_overwritten_and_taken_away(time: Time) -> None:
    stream = Terminal()
    display = Display(stream, epochs=10)
    display.step(moment(0.25))
    line = "epoch 2.5 of 10 [█████···············]  25%  1,234 images/s  1:30 left  loss 0.500"
    assert stream.getvalue() == f"\r\x1b[2K{line}"
    display.step(moment(0.5, loss=math.nan))
    line = "epoch 5.0 of 10 [██████████··········]  50%  1,234 images/s  0:30 left"
    assert stream.getvalue().endswith(f"\r\x1b[2K{line}")
    display.end()
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\n" not in stream.getvalue()


def test_without_epochs_the_line_tells_none(time: Time) -> None:
    stream = Terminal()
    Display(stream).step(moment(0.25))
    assert "epoch 2.5 [" in stream.getvalue()


def test_at_the_start_the_time_left_is_not_known(time: Time) -> None:
    stream = Terminal()
    Display(stream).step(moment(0.0, seconds=0.0))
    assert "? left" in stream.getvalue()


def test_rows_stay_below_one_header(time: Time) -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.row(ROW)
    display.row(ROW)
    header, first, second = stream.getvalue().splitlines()
    assert header == " epoch    time   images/s   train loss  accuracy     val loss  accuracy"
    assert first == second
    assert first == "   2.5    1:15      1,234       0.5123    87.65%       0.4000    90.00%"


def test_what_is_not_known_is_a_dash(time: Time) -> None:
    stream = io.StringIO()
    nan = math.nan
    Display(stream).row(Row(0, 0.0, 0.0, 0.0, 0.01, nan, nan, nan, nan))
    line = stream.getvalue().splitlines()[1]
    assert line == "   0.0    0:00          0            –         –            –         –"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_line_fits_the_terminal(time: Time, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    display = Display(stream, epochs=100_000)
    display.step(Moment(0.5, 50_000.1, 10**9, 360_000.0, 9_999_999.0, 123456.789))
    assert 30 < len(stream.getvalue().removeprefix("\r\x1b[2K")) < width


def test_lines_are_narrow(time: Time) -> None:
    stream = io.StringIO()
    display = Display(stream, epochs=1000)
    time.now += 100
    display.step(Moment(0.5, 500.1, 10**6, 36_000.0, 123_456.0, 12.345))
    display.row(Row(10**6, 500.1, 36_000.0, 123_456.0, 0.1, 12.3456, 1.0, 12.3456, 1.0))
    assert all(len(line) < 100 for line in stream.getvalue().splitlines())


def test_a_log_gets_a_line_every_half_minute(time: Time) -> None:
    stream = io.StringIO()
    display = Display(stream)
    said = []
    for second in range(1, 121):
        time.now += 1
        before = stream.getvalue()
        display.step(moment(second / 200))
        if stream.getvalue() != before:
            said.append(second)
    assert said == [30, 60, 90, 120]
    assert "\r" not in stream.getvalue() and "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 4


def test_rows_in_a_log_count_as_a_sign_of_life(time: Time) -> None:
    stream = io.StringIO()
    display = Display(stream)
    time.now += 29
    display.row(ROW)
    time.now += 29
    display.step(moment(0.5))
    assert len(stream.getvalue().splitlines()) == 2


def test_reading_is_told_after_a_second(time: Time) -> None:
    stream = Terminal()
    display = Display(stream)
    display.reading(10, 100)
    assert stream.getvalue() == ""
    time.now += 10
    display.reading(25, 100)
    line = "reading pictures [█████···············] 25 of 100  0:30 left"
    assert stream.getvalue() == f"\r\x1b[2K{line}"
    display.reading(100, 100)
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_reading_nothing_says_nothing(time: Time) -> None:
    stream = Terminal()
    display = Display(stream)
    time.now += 10
    display.reading(0, 0)
    assert stream.getvalue() == ""


def test_a_word_takes_the_live_line_away_first(time: Time) -> None:
    stream = Terminal()
    display = Display(stream)
    display.step(moment(0.25))
    display.say("note: hello")
    assert stream.getvalue().endswith("left  loss 0.500\r\x1b[2Knote: hello\n")


def test_stderr_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    Display().say("hello")
    found = capsys.readouterr()
    assert (found.out, found.err) == ("", f"hello{os.linesep}")
