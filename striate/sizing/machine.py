"""What a machine was measured to do, as `striate machine` stores it; without torch."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from striate.errors import UserError
from striate.files import write_whole
from striate.sizing.work import PRODUCTS

VERSION = 1
"""That of the file's form."""


@dataclass(frozen=True)
class Figure:
    """The median of some measurements, the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Rate:
    """What was measured at one size, forwards and backwards."""

    at: int
    forward: Figure
    backward: Figure


@dataclass(frozen=True)
class Point:
    """What was measured at one size."""

    at: int
    figure: Figure


@dataclass(frozen=True)
class Machine:
    """The figures of one device under one version of torch, with so many threads."""

    device: str
    """`cpu` or `cuda`."""
    name: str
    threads: int
    torch: str
    measured: str
    """The day, as 2026-01-31."""
    bandwidth: tuple[Point, ...]
    """GB/s, read and written together, of copies that move so many bytes."""
    overhead: Mapping[str, Rate]
    """Microseconds of one operation on next to nothing, by family."""
    rates: Mapping[str, Mapping[str, tuple[Rate, ...]]]
    """By precision and family: GFLOP/s of products by channels, two FLOPs for each MAC; of all
    else billions of values a second."""

    @property
    def key(self) -> tuple[str, int, str]:
        """What there is one set of figures for in the file."""
        return self.name, self.threads, self.torch

    def __str__(self) -> str:
        threads = f", {self.threads} threads" if self.device == "cpu" else ""
        return f"{self.name}{threads}, torch {self.torch}, measured {self.measured}"

    def bytes_per_second(self, moved: int) -> float:
        """The bandwidth for an operation that moves so many bytes."""
        points = [(point.at, point.figure.median) for point in self.bandwidth]
        return 1e9 * _between(points, moved)

    def per_second(self, precision: str, family: str, at: int, *, backward: bool) -> float:
        """MACs, or values of what is no product, a second."""
        rates = self.rates[precision][family]
        points = [(r.at, (r.backward if backward else r.forward).median) for r in rates]
        return (0.5e9 if family in PRODUCTS else 1e9) * _between(points, at)

    def seconds_each(self, family: str, *, backward: bool) -> float:
        """What one operation costs beside its arithmetic and its bytes."""
        rate = self.overhead[family]
        return 1e-6 * (rate.backward if backward else rate.forward).median

    def to_json(self) -> str:
        """All figures as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"


def _between(points: Sequence[tuple[int, float]], at: int) -> float:
    """On the straight lines through points, both axes logarithmic; level beyond the ends."""
    if at <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            share = math.log(at / left) / math.log(right / left)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    return points[-1][1]


def path() -> Path:
    """Where the figures are stored: `striate/machine.json` in the user's folder for settings."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(folder) if Path(folder).is_absolute() else Path.home() / ".config"
    return home / "striate" / "machine.json"


def stored() -> tuple[Machine, ...]:
    """All figures that are stored, the newest last. Raises UserError for a file of another form."""
    try:
        text = path().read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"it is of version {data['version']}")
        return tuple(_read(each) for each in data["machines"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise UserError(
            f"{path()} does not hold figures of this version of striate ({told}). Remove it, then "
            "run striate machine"
        ) from error


def store(found: Sequence[Machine]) -> Path:
    """Write figures in place of older ones of the same device, threads and torch."""
    keys = {machine.key for machine in found}
    kept = [machine for machine in stored() if machine.key not in keys]
    data = {"version": VERSION, "machines": [asdict(machine) for machine in (*kept, *found)]}
    path().parent.mkdir(parents=True, exist_ok=True)
    write_whole(path(), json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    return path()


def find(device: str = "auto") -> Machine:
    """The newest stored figures of `cpu` or `cuda`; `auto` is the GPU where one was measured.

    Raises UserError where there are none.
    """
    known = stored()
    wanted = ("cuda", "cpu") if device == "auto" else (device,)
    for each in wanted:
        for machine in reversed(known):
            if machine.device == each:
                return machine
    what = "this machine" if device == "auto" else f"a device '{device}' of this machine"
    raise UserError(
        f"{path()} has no figures of {what}: times are told from what it was measured to do. Run "
        "striate machine, once"
    )


def _read(data: dict[str, Any]) -> Machine:
    return Machine(
        **{name: data[name] for name in ("device", "name", "threads", "torch", "measured")},
        bandwidth=tuple(Point(p["at"], Figure(**p["figure"])) for p in data["bandwidth"]),
        overhead={name: _rate(rate) for name, rate in data["overhead"].items()},
        rates={
            precision: {name: tuple(map(_rate, rates)) for name, rates in families.items()}
            for precision, families in data["rates"].items()
        },
    )


def _rate(data: dict[str, Any]) -> Rate:
    return Rate(data["at"], Figure(**data["forward"]), Figure(**data["backward"]))
