"""What a person sees while something runs: one live line on a terminal, few lines in a log."""

from __future__ import annotations

import io
import math
import shutil
import sys
import time
from typing import TextIO

from striate.training.clock import Moment, Row

_BAR = 20
_LOG_EVERY = 30.0
"""Seconds between two lines about steps where there is no terminal."""


class Display:
    """Shows a job's progress on a stream, by default stderr."""

    def __init__(self, stream: TextIO | None = None, *, epochs: float | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.epochs = epochs
        self._spoke = time.monotonic()
        self._began = time.monotonic()
        self._header = False

    @classmethod
    def silent(cls) -> Display:
        """One that nobody sees."""
        return cls(io.StringIO())

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        print(text, file=self.stream, flush=True)
        self._spoke = time.monotonic()

    def reading(self, done: int, total: int) -> None:
        """Progress in decoding pictures."""
        self._counted("reading pictures", done, total)

    def checking(self, done: int, total: int) -> None:
        """Progress in checking layers."""
        self._counted("checking layers", done, total)

    def measuring(self, done: int, total: int) -> None:
        """Progress in measuring a machine or steps of training."""
        self._counted("measuring", done, total)

    def _counted(self, words: str, done: int, total: int) -> None:
        """Progress in what can be counted; short jobs are not worth a word."""
        spent = time.monotonic() - self._began
        if spent < 1 or not total:
            return
        left = spent / done * (total - done) if done else math.inf
        text = f"{words} {bar(done / total)} {done:,} of {total:,}  {clock(left)} left"
        self._pass(text, done >= total)

    def step(self, moment: Moment) -> None:
        """Progress in training."""
        left = moment.seconds / moment.progress - moment.seconds if moment.progress else math.inf
        epochs = f" of {self.epochs:g}" if self.epochs else ""
        loss = f"  loss {moment.loss:.3f}" if math.isfinite(moment.loss) else ""
        text = (
            f"epoch {moment.epoch:.1f}{epochs} {bar(moment.progress)} {moment.progress:4.0%}  "
            f"{moment.rate:,.0f} images/s  {clock(left)} left{loss}"
        )
        self._pass(text, moment.progress >= 1)

    def row(self, row: Row) -> None:
        """A look at the validation pictures."""
        if not self._header:
            self._header = True
            self.say(" epoch    time   images/s   train loss  accuracy     val loss  accuracy")
        self.say(
            f"{row.epoch:6.1f} {clock(row.seconds):>7} {row.images_per_second:>10,.0f}   "
            f"{_or_dash(row.train_loss, '10.4f')}  {_or_dash(row.train_accuracy, '8.2%')}   "
            f"{_or_dash(row.val_loss, '10.4f')}  {_or_dash(row.val_accuracy, '8.2%')}"
        )

    def end(self) -> None:
        """Nothing more of this job: what stays on the screen are its rows."""
        self._clear()

    def _pass(self, text: str, last: bool) -> None:
        """A line that the next one overwrites; in a log, one now and then."""
        now = time.monotonic()
        if self.live:
            shown = text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[2K{shown}", end="", file=self.stream, flush=True)
            if last:
                self._clear()
        elif now - self._spoke >= _LOG_EVERY:
            self.say(text)

    def _clear(self) -> None:
        if self.live:
            print("\r\x1b[2K", end="", file=self.stream)


def bar(share: float) -> str:
    """A bar of twenty cells."""
    full = round(min(1.0, max(0.0, share)) * _BAR)
    return f"[{'█' * full}{'·' * (_BAR - full)}]"


def clock(seconds: float) -> str:
    """A duration as people read it: `0:07`, `12:30`, `2:05:00`."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _or_dash(value: float, form: str) -> str:
    width = int(form.split(".")[0])
    return f"{'–':>{width}}" if math.isnan(value) else format(value, form)
