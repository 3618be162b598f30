"""What a machine was measured to do, as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from striate.sizing.machine import Figure, Machine, Rate
from striate.sizing.table import big_bytes
from striate.sizing.work import PRODUCTS


def table(machine: Machine) -> str:
    """Bandwidth, overhead and rates, each the median with the lowest and the highest."""
    copies = [(big_bytes(p.at), _told(p.figure)) for p in machine.bandwidth]
    overhead = [(name, *_both(rate)) for name, rate in machine.overhead.items()]
    parts = [
        str(machine),
        _lines("copies, by bytes moved", ("GB/s",), copies),
        _lines("overhead of one operation", ("forward µs", "backward µs"), overhead),
    ]
    for precision, families in machine.rates.items():
        for title, unit, chosen in (
            ("products", "GFLOP/s", True),
            ("other arithmetic", "G values/s", False),
        ):
            rows = [
                (f"{name} {rate.at}" if rate.at else name, *_both(rate))
                for name, rates in families.items()
                for rate in rates
                if (name in PRODUCTS) == chosen
            ]
            head = (f"forward {unit}", f"backward {unit}")
            parts.append(_lines(f"{title} in {precision}", head, rows))
    return "\n\n".join(parts) + "\n"


def _both(rate: Rate) -> tuple[str, str]:
    return _told(rate.forward), _told(rate.backward)


def _told(figure: Figure) -> str:
    return f"{_three(figure.median)} ({_three(figure.low)}–{_three(figure.high)})"


def _three(value: float) -> str:
    """Three digits."""
    return f"{value:.{0 if value >= 99.95 else 1 if value >= 9.995 else 2}f}"


def _lines(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = (title, *head)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (head, *rows)
    ]
    return "\n".join(lines)
