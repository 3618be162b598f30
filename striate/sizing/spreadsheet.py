"""The ledger as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.sizing.ledger import Row

_PAIRS = ("jump", "receptive_field", "start", "center", "remainder", "lost")


def to_csv(rows: Sequence[Row]) -> str:
    """A line of column names, then one line a layer.

    A shape is written `64x112x112`, a pair in two columns that end in `_h` and `_w`, the span in
    `from` and `to`, the inputs' names with spaces between them.
    """
    lines = [_cells(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _cells(row: Row) -> dict[str, object]:
    cells: dict[str, object] = {
        "name": row.name,
        "kind": row.kind,
        "notation": row.notation,
        "inputs": " ".join(row.inputs),
        "weights": row.weights,
        "output": "x".join(str(n) for n in row.output),
        "parameters": row.parameters,
        "macs": row.macs,
        "backward_macs": row.backward_macs,
        "output_bytes": row.output_bytes,
    }
    for pair in _PAIRS:
        height, width = getattr(row, pair)
        cells |= {f"{pair}_h": _number(height), f"{pair}_w": _number(width)}
    first, last = row.span or ("", "")
    return cells | {
        "whole_input": str(row.whole_input).lower(),
        "from": first,
        "to": last,
        "saved_bytes": "" if row.saved_bytes is None else row.saved_bytes,
        "unknown_field": str(row.unknown_field).lower(),
        "counted": "" if row.counted is None else row.counted,
    }


def _number(value: object) -> object:
    return value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
