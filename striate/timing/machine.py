"""Measures what this machine does: matrix and convolution rates, bandwidth, overhead."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from striate.errors import UserError
from striate.sizing.machine import Figure, Machine, Point, Rate, store
from striate.sizing.work import PRODUCTS
from striate.timing.probes import COPIES, Probe, of_overhead, of_rates
from striate.training.device import keep_large_blocks

SAMPLES = 7
SAMPLE_SECONDS = 0.01
"""How long one sample takes at least."""
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Progress = Callable[[int, int], None]


def machine(*, threads: int | None = None, progress: Progress | None = None) -> tuple[Machine, ...]:
    """Measure this machine and store its figures: those of the CPU, and of a GPU where one is.

    `threads` are those that torch computes with on the CPU; as many as it has if not given. The
    figures go to `striate/machine.json` in the user's folder for settings. `progress(done, total)`
    is told of what was measured. Raises UserError for fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise UserError(f"threads is {threads}; expected 1 or more")
    keep_large_blocks()
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    measurings = [_Measuring(device) for device in devices]
    total, done = sum(each.total for each in measurings), 0
    had = torch.get_num_threads()
    torch.set_num_threads(threads or had)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for each in measurings:
                for _ in each.steps():
                    done += 1
                    if progress is not None:
                        progress(done, total)
            found = tuple(each.machine() for each in measurings)
    finally:
        torch.set_num_threads(had)
    store(found)
    return found


class _Measuring:
    """The figures of one device, one after the other."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.tiny = list(of_overhead(device))
        self.probes = {
            precision: list(of_rates(dtype, device)) for precision, dtype in PRECISIONS.items()
        }
        self.total = len(COPIES) + len(self.tiny) + sum(map(len, self.probes.values()))
        self.bandwidth: list[Point] = []
        self.overhead: dict[str, Rate] = {}
        self.rates: dict[str, dict[str, tuple[Rate, ...]]] = {name: {} for name in PRECISIONS}

    def steps(self) -> Iterator[None]:
        """Measure; each step is one thing that was measured."""
        for count in COPIES:
            self.bandwidth.append(_copied(count, self.device))
            yield
        entry = _entry(self.device)
        for probe in self.tiny:
            self.overhead[probe.family] = _overhead(probe, entry)
            yield
        for precision, probes in self.probes.items():
            rates = self.rates[precision]
            for probe in probes:
                rate = _rate(probe, entry, self.overhead[probe.family])
                rates[probe.family] = (*rates.get(probe.family, ()), rate)
                yield

    def machine(self) -> Machine:
        """All figures."""
        return Machine(
            device=self.device,
            name=name_of(self.device),
            threads=torch.get_num_threads(),
            torch=str(torch.__version__),
            measured=datetime.now(UTC).date().isoformat(),
            bandwidth=tuple(self.bandwidth),
            overhead=self.overhead,
            rates=self.rates,
        )


def name_of(device: str) -> str:
    """The name of a GPU or of the processor, as it gives it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def samples(work: Callable[[], object], device: str, count: int = SAMPLES) -> list[float]:
    """Seconds that some work takes, measured `count` times after it has run twice."""
    work()
    repeats, took = 1, _seconds(work, 1, device)
    if took < SAMPLE_SECONDS:
        repeats = int(SAMPLE_SECONDS / max(took, 1e-7)) + 1
    return [_seconds(work, repeats, device) for _ in range(count)]


def figure(values: list[float]) -> Figure:
    """The median, the lowest and the highest."""
    return Figure(statistics.median(values), min(values), max(values))


def _seconds(work: Callable[[], object], repeats: int, device: str) -> float:
    begun = now(device)
    for _ in range(repeats):
        work()
    return (now(device) - begun) / repeats


def now(device: str) -> float:
    """Seconds, once a GPU is done with what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _copied(count: int, device: str) -> Point:
    source = torch.ones(count, device=device)
    target = torch.empty_like(source)
    moved = source.nbytes + target.nbytes
    found = samples(lambda: target.copy_(source), device)
    return Point(moved, figure([1e-9 * moved / seconds for seconds in found]))


def _entry(device: str) -> float:
    """Seconds that a call of the backward pass takes before it comes to any operation."""
    given = torch.zeros(1, device=device, requires_grad=True)
    output, gradient = given.view_as(given), torch.ones(1, device=device)
    work = partial(torch.autograd.grad, output, given, gradient, retain_graph=True)
    return statistics.median(samples(work, device))


def _both(probe: Probe, entry: float) -> tuple[list[float], list[float]]:
    """Seconds of an operation forwards and backwards."""
    given = probe.tensors()
    output = probe.function(*given)
    gradient = torch.randn_like(output)
    forward = partial(probe.function, *given)
    backward = partial(torch.autograd.grad, output, given, gradient, retain_graph=True)
    found = samples(backward, probe.device)
    return samples(forward, probe.device), [max(each - entry, 0.1 * each) for each in found]


def _overhead(probe: Probe, entry: float) -> Rate:
    forward, backward = _both(probe, entry)
    return Rate(
        probe.at,
        figure([1e6 * seconds for seconds in forward]),
        figure([1e6 * seconds for seconds in backward]),
    )


def _rate(probe: Probe, entry: float, overhead: Rate) -> Rate:
    """Billions a second beside the overhead; a product's backward pass is two of its forward."""
    forward, backward = _both(probe, entry)
    twice = 2 if probe.family in PRODUCTS else 1

    def told(amount: int, seconds: float, beside: Figure) -> float:
        return 1e-9 * amount / max(seconds - 1e-6 * beside.median, 0.5 * seconds)

    return Rate(
        probe.at,
        figure([told(probe.amount, each, overhead.forward) for each in forward]),
        figure([told(twice * probe.amount, each, overhead.backward) for each in backward]),
    )
