"""The text of a plan with its reasons above it and what each line makes beside it."""

from __future__ import annotations

from collections.abc import Iterator

from striate.layers import show
from striate.patterns.notation import first_line, lines
from striate.patterns.plan import Plan
from striate.patterns.reasons import reasons
from striate.sizing import Ledger, Row
from striate.sizing.table import big, big_bytes

_COLUMN = 40
"""Where the comments of lines begin, at least."""


def annotated(plan: Plan, ledger: Ledger, budget: int | None) -> str:
    """The text with comments; `ledger` is that of the text without them."""
    written = list(lines(plan))
    column = max(_COLUMN, max(map(len, written)) + 2)
    beside = [
        f"{line:<{column}}# {comment}"
        for line, comment in zip(written, _comments(plan, ledger), strict=True)
    ]
    above = [f"# {line}".rstrip() for line in reasons(plan, ledger, budget)]
    return "\n".join([*above, "", first_line(plan), *beside]) + "\n"


def _comments(plan: Plan, ledger: Ledger) -> Iterator[str]:
    """For each line its output, its parameters, its bytes, and what its units see."""
    rows = list(ledger.rows)
    per_block = plan.convolutions * (3 if plan.bn else 2) + 1
    for _ in plan.channels:
        block, rows = rows[:per_block], rows[per_block:]
        yield f"{_made(block)}, sees {_seen(block[-1])}"
    if plan.gap:
        yield f"{_made(rows[:1])}"
        rows = rows[1:]
    if plan.hidden:
        yield _made(rows[: 2 * plan.hidden])
    yield _made(rows[-1:])


def _made(rows: list[Row]) -> str:
    parameters = sum(row.parameters for row in rows)
    held = sum(row.output_bytes for row in rows)
    parts = [show(rows[-1].output), f"{big(parameters)} parameters" if parameters else ""]
    return ", ".join([*filter(None, parts), big_bytes(held)])


def _seen(row: Row) -> str:
    rows, columns = row.receptive_field
    return f"{rows}×{columns}"
