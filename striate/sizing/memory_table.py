"""The memory of a training step as a table for people."""

from __future__ import annotations

from striate.layers import show
from striate.sizing.memory import KINDS, Fits, Instant, Memory
from striate.sizing.table import NARROWEST, barred, big_bytes, laid_out, short_names

_DISPENSABLE = ("backward", "output", "bytes")


def table(memory: Memory, width: int) -> str:
    """One line a layer, totals below, then the peak and what it is made of."""
    width = max(width, NARROWEST)
    head, *body, totals = laid_out(_columns(memory), width, _DISPENSABLE)
    rule = "─" * max(len(line) for line in (head, *body, totals))
    lines = [title(memory), "", head, rule, *body, rule, totals, "", *summary(memory, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def title(memory: Memory) -> str:
    """The network, its images, and how the step is done."""
    count = f"batch of {memory.batch}" if memory.batch > 1 else "1 image"
    return f"{memory.name} · input {show(memory.input)} · {count} · {memory.settings}"


def summary(memory: Memory, width: int) -> list[str]:
    """The peak, where it is, and what is alive there."""
    peak = memory.peak
    first = f"peak {big_bytes(peak.bytes)} in the {pass_of(peak)}{where(peak)}"
    return [first, *made(peak, width)]


def pass_of(instant: Instant) -> str:
    """The part of the step that a moment is in."""
    return "optimizer's step" if instant.phase == "optimizer" else f"{instant.phase} pass"


def where(instant: Instant) -> str:
    """`, at layer1.0.conv1 (convolution_backward)`."""
    return f", at {instant.layer} ({instant.operation})" if instant.layer else ""


def made(instant: Instant, width: int = 100) -> list[str]:
    """What is alive at a moment, by kind, the most first."""
    kinds = sorted(zip(instant.live, KINDS, strict=True), reverse=True)
    lines = [" "]
    for part in (f"{kind} {big_bytes(size)}" for size, kind in kinds if size):
        if len(lines[-1]) + 3 + len(part) > width:
            lines.append(" ")
        lines[-1] += f" · {part}" if lines[-1].strip() else f" {part}"
    return lines


def told(fits: Fits) -> str:
    """The largest batch in words."""
    memory = fits.memory
    lines = [
        title(memory),
        "",
        f"a batch of {memory.batch:,} fits {big_bytes(fits.limit)}: "
        f"its step takes {big_bytes(memory.peak.bytes)} in the {pass_of(memory.peak)}"
        f"{where(memory.peak)}",
        *made(memory.peak),
    ]
    if fits.next is not None:
        lines.append(f"a batch of {fits.next.batch:,} does not: {big_bytes(fits.next.peak.bytes)}")
    return "\n".join(lines) + "\n"


def _columns(memory: Memory) -> dict[str, list[str]]:
    rows, totals = memory.rows, memory.totals
    sizes = {
        "params": [row.parameters for row in rows],
        "grads": [row.gradients for row in rows],
        "optimizer": [row.optimizer for row in rows],
        "bytes": [row.output_bytes for row in rows],
        "kept": [row.saved for row in rows],
        "live": [row.live for row in rows],
        "backward": [row.backward for row in rows],
    }
    sums = {
        "params": totals["parameters"],
        "grads": totals["gradients"],
        "optimizer": totals["optimizer"],
        "bytes": totals["output_bytes"],
        "kept": totals["saved"],
    }
    columns = {
        "layer": [*short_names([row.name for row in rows]), "total"],
        "output": [*(show(row.output) for row in rows), ""],
    }
    for header, values in sizes.items():
        total = big_bytes(sums[header]) if header in sums else ""
        cells = [*(big_bytes(value) if value else "–" for value in values), total]
        columns[header] = barred(cells, values) if header in ("kept", "live") else cells
    return columns
