"""A comparison as a table for people, and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from striate.layers import show
from striate.sizing.markdown import markdown_table
from striate.sizing.table import NARROWEST, Columns, big, big_bytes, laid_out

if TYPE_CHECKING:
    from striate.sizing.compare import Comparison, Pairing

_SIGNS = {"changed": "~", "added": "+", "removed": "−"}
_DISPENSABLE = ("Δ bytes", "output")
_COLUMNS: dict[str, tuple[str, Callable[[int], str]]] = {
    "Δ params": ("parameters", big),
    "Δ MACs": ("macs", big),
    "Δ bytes": ("output_bytes", big_bytes),
}


def table(comparison: Comparison, width: int) -> str:
    """The totals, then a line for each layer that is not the same."""
    width = max(width, NARROWEST)
    lines = [f"{comparison.before.name} → {comparison.after.name}", ""]
    lines += [*laid_out(totals(comparison), width), "", _counts(comparison)]
    if comparison.count("same") < len(comparison.pairings):
        head, *body, total = laid_out(differences(comparison), width, _DISPENSABLE)
        rule = "─" * max(len(line) for line in (head, *body, total))
        lines += ["", head, rule, *body, rule, total]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def markdown(comparison: Comparison) -> str:
    """The same as two Markdown tables."""
    parts = [
        f"**{comparison.before.name} → {comparison.after.name}**",
        markdown_table(totals(comparison)),
        _counts(comparison),
    ]
    if comparison.count("same") < len(comparison.pairings):
        parts.append(markdown_table(differences(comparison)))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def totals(comparison: Comparison) -> Columns:
    """What both networks come to, and the second over the first."""
    before, after = comparison.before, comparison.after
    pairs = {
        "parameters": (before.totals.parameters, after.totals.parameters, big),
        "MACs": (before.totals.macs, after.totals.macs, big),
        "bytes of outputs": (before.totals.output_bytes, after.totals.output_bytes, big_bytes),
        "layers": (len(before.rows), len(after.rows), big),
    }
    values = pairs.values()
    return {
        "notation": ["input", *pairs],
        "before": [show(before.input), *(write(one) for one, _, write in values)],
        "after": [show(after.input), *(write(other) for _, other, write in values)],
        "ratio": ["", *(f"×{other / one:.4g}" if one else "" for one, other, _ in values)],
    }


def _counts(comparison: Comparison) -> str:
    counts = {
        "added": comparison.count("added"),
        "removed": comparison.count("removed"),
        "changed": comparison.count("changed"),
        "the same": comparison.count("same"),
    }
    return "layers: " + " · ".join(f"{count:,} {word}" for word, count in counts.items() if count)


def differences(comparison: Comparison) -> Columns:
    """A line for each layer that is not the same, and one for each run of those that are."""
    lines = [*_lines(comparison), ("", "total", "", "", *_growth(comparison.pairings))]
    headers = (" ", "layer", "notation", "output", *_COLUMNS)
    return dict(zip(headers, map(list, zip(*lines, strict=True)), strict=True))


def _lines(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for same, run in groupby(comparison.pairings, lambda pairing: pairing.change == "same"):
        pairings = tuple(run)
        if same:
            yield "", f"({len(pairings)} the same)", "", "", *("" for _ in _COLUMNS)
        else:
            yield from map(_line, pairings)


def _line(pairing: Pairing) -> tuple[str, ...]:
    rows = [row for row in (pairing.before, pairing.after) if row]
    notations = dict.fromkeys(row.notation for row in rows)
    outputs = dict.fromkeys(show(row.output) for row in rows)
    return (
        _SIGNS[pairing.change],
        pairing.name,
        " → ".join(notations),
        " → ".join(outputs),
        *_growth((pairing,)),
    )


def _growth(pairings: tuple[Pairing, ...]) -> Iterator[str]:
    for count, write in _COLUMNS.values():
        grown = sum(pairing.difference(count) for pairing in pairings)
        yield f"{'+' if grown > 0 else '−'}{write(abs(grown))}" if grown else ""
