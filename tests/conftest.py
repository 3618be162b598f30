"""What tests of several parts need."""

from __future__ import annotations

import importlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from striate.sizing.machine import Figure, Machine, Point, Rate
from striate.sizing.work import PRODUCTS, VALUES

if TYPE_CHECKING:
    from torch import nn


def pytest_configure() -> None:
    """A shell's job in the background is told to ignore Ctrl-C; tests of it are not."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def attention(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A network of images 3×16×16 that the notation has no words for; also `wordless:make`."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    made: nn.Module = importlib.import_module("wordless").make()
    return made


@pytest.fixture
def figures() -> Machine:
    """A CPU of round numbers, half as fast backwards; one operation costs 10 µs, then 20.

    8 GFLOP/s, 1 billion values a second, 1 GB/s.
    """

    def rate(at: int, forward: float, backward: float) -> Rate:
        return Rate(at, Figure(forward, forward, forward), Figure(backward, backward, backward))

    families = {
        **{family: (rate(1, 8, 4), rate(4096, 8, 4)) for family in PRODUCTS},
        **{family: (rate(0, 1, 0.5),) for family in VALUES},
    }
    return Machine(
        device="cpu",
        name="a machine",
        threads=2,
        torch="2.0",
        measured="2026-01-31",
        bandwidth=(Point(1, Figure(1, 1, 1)), Point(10**9, Figure(1, 1, 1))),
        overhead={family: rate(0, 10, 20) for family in ("copy", *PRODUCTS, *VALUES)},
        rates={"float32": families, "bfloat16": families},
    )
