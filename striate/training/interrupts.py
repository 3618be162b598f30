"""Ctrl-C and a request to terminate, as a training takes them: it ends, and what it has is kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_HEARD = 2
"""Signals that interrupt: the first ends the training, the second its last validation."""


class Interrupts:
    """Turns SIGINT and SIGTERM into KeyboardInterrupt, twice; what comes after goes unheard."""

    def __init__(self, *, raises: bool = True) -> None:
        self.raises = raises
        self.wanted = False
        """Whether a signal came that did not interrupt: where processes must end together."""
        self._left = _HEARD
        self._whole = False
        self._waiting = False

    def ignore(self) -> None:
        """From here on nothing is interrupted: what must be written is being written."""
        self._left = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of both signals."""
        if not self.raises:
            self.wanted = True
        elif self._left > 0:
            self._left -= 1
            if not self._whole:
                raise KeyboardInterrupt
            self._waiting = True

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What happens here happens whole: a signal interrupts behind it."""
        self._whole = True
        try:
            yield
        finally:
            self._whole = False
        if self._waiting:
            self._waiting = False
            raise KeyboardInterrupt


@contextmanager
def interruptible(*, raises: bool = True) -> Iterator[Interrupts]:
    """Handle the signals for a while, then as before.

    Without `raises` nothing is interrupted, and `wanted` says whether it was asked for.

    A signal that the process was told to ignore stays ignored. Signals reach the main thread alone:
    in any other nothing is changed.
    """
    interrupts = Interrupts(raises=raises)
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, interrupts.handle)
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
