"""The time of a training step as a table for people."""

from __future__ import annotations

from collections import Counter

from striate.layers import show
from striate.sizing.roofline import Measured, Times
from striate.sizing.table import NARROWEST, barred, laid_out, short_names

_DISPENSABLE = ("output", "forward", "backward")
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def table(times: Times, width: int) -> str:
    """One line a layer, totals below, then the step and what bounds it."""
    width = max(width, NARROWEST)
    head, *body, totals = laid_out(_columns(times), width, _DISPENSABLE)
    rule = "─" * max(len(line) for line in (head, *body, totals))
    lines = [title(times), "", head, rule, *body, rule, totals, "", *summary(times)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def title(times: Times) -> str:
    """The network, its images, and the precision."""
    count = f"batch of {times.batch}" if times.batch > 1 else "1 image"
    return f"{times.name} · input {show(times.input)} · {count} · {times.precision}"


def summary(times: Times) -> list[str]:
    """The step, what bounds it, the real one, and the machine."""
    bounds = Counter[str]()
    for row in times.rows:
        bounds[row.bound] += row.seconds  # type: ignore[assignment]
    total = sum(bounds.values())
    shares = [f"{bound} {value / total:.0%}" for bound, value in bounds.most_common() if value]
    return [
        f"predicted step {duration(times.step)}: forward {duration(times.forward)} · backward "
        f"{duration(times.backward)} · optimizer {duration(times.optimizer)}",
        *_real(times, times.measured),
        f"bound by {' · '.join(shares)}",
        f"on {times.machine}",
    ]


def _real(times: Times, measured: Measured | None) -> list[str]:
    if measured is None:
        return []
    parts = ("step", "forward", "backward", "optimizer")
    step, *others = (duration(getattr(measured, part).median) for part in parts)
    told = " · ".join(f"{part} {took}" for part, took in zip(parts[1:], others, strict=True))
    low, high = duration(measured.step.low), duration(measured.step.high)
    rows = [row.measured for row in times.rows if row.measured is not None]
    lines = [
        f"measured step {step}: {told}",
        f"{measured.steps} steps took {low} to {high}; the prediction is {_error(times.error)}",
    ]
    if rows:
        lines.append(
            f"layers are timed one operation after the other: {duration(sum(rows))} in all"
        )
    else:
        lines.append("its operations differ from one pass to the next: no layer's time is known")
    return lines


def _columns(times: Times) -> dict[str, list[str]]:
    rows = times.rows
    seconds = [row.seconds for row in rows]
    nanoseconds = [round(1e9 * each) for each in seconds]
    both = [*map(_cell, seconds), duration(sum(seconds))]
    columns = {
        "layer": [*short_names([row.name for row in rows]), "total"],
        "output": [*(show(row.output) for row in rows), ""],
        "forward": [*(_cell(row.forward) for row in rows), duration(times.forward)],
        "backward": [*(_cell(row.backward) for row in rows), duration(times.backward)],
        "both": barred(both, nanoseconds) if any(nanoseconds) else both,
        "bound": [*(row.bound for row in rows), ""],
    }
    if times.measured is not None:
        took = [row.measured for row in rows]
        columns["measured"] = [*map(_cell, took), duration(sum(each or 0 for each in took))]
        columns["error"] = [
            *(_error(s / t - 1) if s and t else "" for s, t in zip(seconds, took, strict=True)),
            "",
        ]
    return columns


def _cell(seconds: float | None) -> str:
    return duration(seconds) if seconds else "–"


def _error(error: float | None) -> str:
    return "" if error is None else f"{error:+.0%}".replace("-", "−")


def duration(seconds: float) -> str:
    """Seconds in three digits: `1.25 s`, `30.4 ms`, `0.5 µs`."""
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    value = seconds / size
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f} {unit}"
