"""The rate's share of its peak."""

from __future__ import annotations

import math

import pytest
import torch

from striate.training.schedule import Schedule
from striate.training.settings import Settings


def shares(count: int, epochs: float = 10, **settings: object) -> list[float]:
    schedule = Schedule(Settings(epochs=epochs, **settings))  # type: ignore[arg-type]
    return [schedule.share(i / count, epochs * i / count) for i in range(count + 1)]


@pytest.mark.parametrize(
    ("progress", "warmup", "share"),
    [(0, 0.2, 0.01), (0.1, 0.2, 0.5), (0.2, 0.2, 1), (0.6, 0.2, 0.5), (1, 0.2, 0), (0, 0, 1),
     (0.5, 0, 0.5), (1, 0, 0)],
)  # fmt: skip
def test_the_rate_rises_in_a_line_and_falls_in_a_line(
    progress: float, warmup: float, share: float
) -> None:
    schedule = Schedule(Settings(epochs=1, warmup=warmup))
    assert schedule.share(progress, progress) == pytest.approx(share)


def test_the_cosine_is_torchs() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    expected = [1.0]
    for _ in range(40):
        optimizer.step()
        reference.step()
        expected.append(reference.get_last_lr()[0])
    assert shares(40, schedule="cosine", warmup=0.0) == pytest.approx(expected, abs=1e-9)


def test_drops_are_torchs_steps() -> None:
    found = shares(100, schedule="drops", warmup=0.0, drop=0.94, drop_every=2.0)
    assert found == pytest.approx([0.94 ** math.floor(i / 20 + 1e-9) for i in range(101)])


def test_a_constant_rate_rises_and_stays() -> None:
    assert shares(4, schedule="constant", warmup=0.5) == [0.01, 0.5, 1, 1, 1]


def test_a_plateau_drops_when_the_loss_stands_still() -> None:
    schedule = Schedule(Settings(epochs=9, schedule="plateau", warmup=0.0, drop=0.1, patience=2))
    found = []
    for loss in (1.0, 0.9, 0.9, 0.95, 0.9, 0.8, 0.8, 0.7999):
        schedule.looked(loss)
        found.append(round(schedule.share(0.5, 4), 6))
    assert found == [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01]
    again = Schedule(schedule.settings)
    again.put_back(schedule.numbers())
    assert again.numbers() == schedule.numbers()
    assert again.share(0.5, 4) == schedule.share(0.5, 4)


def test_without_validation_pictures_a_plateau_never_drops() -> None:
    schedule = Schedule(Settings(epochs=9, schedule="plateau", warmup=0.0))
    for _ in range(9):
        schedule.looked(math.nan)
    assert schedule.share(0.5, 4) == 1
