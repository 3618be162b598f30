"""What a training begins with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from striate.data import DataSet
from striate.training import preparing
from striate.training.preparing import scaled, statistics
from striate.training.run import Normalise


def with_train(data: DataSet, images: np.ndarray) -> DataSet:
    return replace(data, train=replace(data.train, images=images))


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_numpys(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    monkeypatch.setattr(preparing, "_CHUNK_PIXELS", 1000)
    count = len(digits.train)
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 7, channels), np.uint8)
    images[..., 0] //= 3
    found = statistics(with_train(digits, images))
    flat = images.reshape(-1, channels).astype(np.float64)
    assert np.allclose(found.mean, flat.mean(0)) and np.allclose(found.std, flat.std(0))


def test_many_pictures_are_sampled_for_statistics(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_STATISTICS_PIXELS", 100 * 64)
    images = digits.train.images
    step = -(-len(images) // 100)
    assert statistics(digits).mean[0] == pytest.approx(images[::step].mean())


def test_a_channel_that_never_changes_is_divided_by_one(digits: DataSet) -> None:
    found = statistics(with_train(digits, np.full_like(digits.train.images, 7)))
    assert (found.mean, found.std) == ((7.0,), (1.0,))


def test_what_a_network_is_given_of_pixels() -> None:
    measured = Normalise((100.0, 50.0), (30.0, 20.0))
    assert scaled(measured, "std") == measured
    assert scaled(measured, "mean") == Normalise((100.0, 50.0), (127.5, 127.5))
    unit = scaled(measured, "unit")
    ends = [(value - unit.mean[0]) / unit.std[0] for value in (0, 255)]
    assert ends == [-1, 1]
