from __future__ import annotations

import math

import pytest
import torch

from striate.training import clock as module
from striate.training.augment import Batches
from striate.training.clock import Clock, Moment, Tally
from striate.training.settings import Settings


class Time:
    """A clock that goes on when told."""

    now = 50.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(module, "time", fake)
    return fake


def clock_of(**wanted: object) -> Clock:
    settings = Settings(batch=10, **wanted)
    images = torch.zeros(100, 2, 2, 1, dtype=torch.uint8)
    return Clock(settings, Batches(images, torch.zeros(100), settings, torch.Generator()))


def run(clock: Clock, time: Time, step: float, look: float = 0.0) -> list[int]:
    """Steps of that many seconds until the clock is over; the steps at which it looks."""
    looks = []
    clock.start()
    while True:
        time.now += step
        clock.stop()
        if clock.to_look():
            looks.append(clock.steps)
            clock.looks += 1
            time.now += look
            clock.start()
        if clock.over:
            return looks


def test_epochs_are_counted_in_steps(time: Time) -> None:
    clock = clock_of(epochs=2.5)
    looks = run(clock, time, 0.3)
    assert (clock.steps, clock.epoch, clock.progress) == (25, 2.5, 1.0)
    assert looks == [9, 17, 25]


@pytest.mark.parametrize("step", [0.013, 0.3, 0.9])
@pytest.mark.parametrize("seconds", [1.0, 7.0])
def test_seconds_are_kept_to_half_a_step(time: Time, step: float, seconds: float) -> None:
    clock = clock_of(seconds=seconds)
    run(clock, time, step, look=20.0)
    assert abs(clock.seconds - seconds) <= step / 2 + 1e-9
    assert clock.seconds == pytest.approx(clock.steps * step)


def test_at_least_one_step_is_made(time: Time) -> None:
    clock = clock_of(seconds=1e-6)
    assert run(clock, time, 5.0) == [1]
    assert clock_of(epochs=1e-6)._total == 1


def test_looks_are_spread_and_not_too_many(time: Time) -> None:
    assert len(run(clock_of(epochs=100), time, 0.1)) == module.LOOKS
    assert len(run(clock_of(seconds=60), time, 0.1)) == module.LOOKS
    assert len(run(clock_of(seconds=3), time, 0.1)) == 2
    looks = run(clock_of(epochs=6), time, 0.1)
    assert looks == [10, 20, 30, 40, 50, 60]


def test_a_moment_tells_the_rate_of_late(time: Time) -> None:
    clock = clock_of(epochs=2)
    assert clock.moment(1.5).rate == 0
    clock.start()
    for _ in range(5):
        time.now += 0.5
        clock.stop()
    assert clock.moment(1.5) == Moment(0.25, 0.5, 5, 2.5, 20.0, 1.5)


def test_news_come_ten_times_a_second(time: Time) -> None:
    clock = clock_of(epochs=2)
    shown = []
    for tick in range(50):
        time.now += 0.011
        if clock.to_show():
            shown.append(tick)
    assert len(shown) == 5


def test_a_tally_is_a_mean_over_pictures() -> None:
    tally = Tally(torch.device("cpu"))
    assert math.isnan(tally.mean_loss()) and math.isnan(tally.accuracy())
    scores = torch.eye(3)
    tally.add(torch.tensor(1.0), scores, torch.tensor([0, 1, 2]))
    tally.add(torch.tensor(5.0), scores[:1], torch.tensor([1]))
    assert tally.mean_loss() == pytest.approx(2.0)
    assert tally.accuracy() == pytest.approx(0.75)
