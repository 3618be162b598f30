"""The roofline, against sums by hand on a machine of round numbers."""

from __future__ import annotations

import dataclasses
import json

import pytest

from striate.sizing.machine import Machine
from striate.sizing.roofline import predict, roofline
from striate.sizing.work import Task, Work

ARITHMETIC = Task("conv", 64, 4_000_000_000, 1_000)  # 8 GFLOP: 1 s at 8 GFLOP/s forwards
MEMORY = Task("copy", 0, 0, 3_000_000_000)  # 3 s at 1 GB/s
TINY = Task("matrix", 8, 1_000, 1_000)  # 0.25 µs of arithmetic; one operation costs 10 µs
BACK = dataclasses.replace(ARITHMETIC, backward=True)  # 2 s at 4 GFLOP/s backwards


def test_each_layer_is_bound_by_what_takes_longest(figures: Machine) -> None:
    works = [
        Work("a", "conv", (64, 8, 8), (ARITHMETIC, BACK)),
        Work("b", "relu", (64, 8, 8), (MEMORY,)),
        Work("c", "fc", (10,), (TINY,)),
        Work("d", "id", (10,), ()),
    ]
    times = predict("net", (3, 8, 8), 2, "float32", works, [250_000_000], figures)
    assert [row.bound for row in times.rows] == ["arithmetic", "memory", "overhead", ""]
    forward = [1 + 10e-6, 3 + 10e-6, 1e-6 + 10e-6, 0]
    assert [row.forward for row in times.rows] == pytest.approx(forward)
    assert [row.backward for row in times.rows] == pytest.approx([2 + 20e-6, 0, 0, 0])
    # SGD with momentum: 5 passes over a GB of weights, 3 operations
    assert times.optimizer == pytest.approx(5 + 30e-6)
    assert times.step == pytest.approx(sum(forward) + 2 + 20e-6 + 5 + 30e-6)
    assert times.error is None


def test_a_gpu_hides_overhead_behind_its_queue() -> None:
    asked = {"arithmetic": 3.0, "memory": 2.0, "overhead": 1.0}
    assert roofline(asked, queued=False) == 4.0
    assert roofline(asked, queued=True) == 3.0
    assert roofline(asked | {"overhead": 5.0}, queued=True) == 5.0


def test_the_json_is_the_documented_one(figures: Machine) -> None:
    works = [Work("a", "conv", (64, 8, 8), (ARITHMETIC,))]
    times = predict("net", (3, 8, 8), 2, "float32", works, [10], figures)
    data = json.loads(times.to_json())
    assert list(data) == [
        *("name", "input", "batch", "precision", "machine", "layers", "totals", "measured"),
        "error",
    ]
    assert list(data["layers"][0]) == [
        *("name", "kind", "output", "forward", "backward", "bound"),
        *("measured_forward", "measured_backward"),
    ]
    assert data["totals"]["step"] == times.step
    assert data["machine"] == {
        "device": "cpu",
        "name": "a machine",
        "threads": 2,
        "torch": "2.0",
        "measured": "2026-01-31",
    }
