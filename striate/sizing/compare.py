"""Two ledgers beside each other: totals, and each layer with its counterpart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from striate.sizing.align import align, are_one_kind

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger, Row

Change = Literal["same", "changed", "added", "removed"]

COUNTS: dict[str, Callable[[Row], int]] = {
    "parameters": lambda row: row.parameters,
    "macs": lambda row: row.macs,
    "output_bytes": lambda row: row.output_bytes,
}
"""What adds up over rows and is compared, under the names that it has in totals."""


@dataclass(frozen=True)
class Pairing:
    """A layer of the first network and its counterpart in the second; None where there is none."""

    before: Row | None
    after: Row | None

    @property
    def change(self) -> Change:
        """What became of the layer. One that has another name or field alone is the same."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        same = _measures(self.before) == _measures(self.after)
        return "same" if same or are_one_kind(self.before, self.after) else "changed"

    @property
    def name(self) -> str:
        """Its name in the second network, or where it is not there in the first."""
        row = self.after or self.before
        assert row is not None
        return row.name

    def difference(self, count: str) -> int:
        """By how much one of `COUNTS` grew."""
        before, after = (COUNTS[count](row) if row else 0 for row in (self.before, self.after))
        return after - before


def _measures(row: Row) -> tuple[object, ...]:
    counts = tuple(count(row) for count in COUNTS.values())
    return row.kind, row.notation, row.output, bool(row.weights), *counts


@dataclass(frozen=True)
class Comparison:
    """Two networks, or two versions of one. The pairings' differences sum to the totals'."""

    before: Ledger
    after: Ledger
    pairings: tuple[Pairing, ...]
    """Every layer of both once, in the order of both networks."""

    def count(self, change: Change) -> int:
        """How many layers are the same, changed, added or removed."""
        return sum(pairing.change == change for pairing in self.pairings)

    def to_json(self) -> str:
        """The comparison as JSON, in the form that docs/ledger.md promises."""
        layers = ",\n".join(f"  {_dumps(_layer(pairing))}" for pairing in self.pairings)
        totals = {
            side: vars(ledger.totals)
            for side, ledger in (("before", self.before), ("after", self.after))
        }
        ratios = {
            count: _ratio(totals["before"][count], totals["after"][count]) for count in COUNTS
        }
        return (
            f'{{\n "before": {_dumps(self.before.name)},\n "after": {_dumps(self.after.name)},\n'
            f' "layers": [\n{layers}\n ],\n "totals": {_dumps({**totals, "ratio": ratios})}\n}}\n'
        )

    def to_markdown(self) -> str:
        """The tables in Markdown, to paste."""
        from striate.sizing.compare_table import markdown

        return markdown(self)

    def table(self, width: int = 100) -> str:
        """The comparison for people, in lines of at most `width` characters."""
        from striate.sizing.compare_table import table

        return table(self, width)


def compare(before: Ledger, after: Ledger) -> Comparison:
    """Two ledgers, with the layers of one beside their counterparts in the other.

    Layers are matched in their order, by kind first, then by name, notation and output, so that
    most of both is matched. Layers of two kinds are not counterparts, but for
    a layer of a text and a torch module of the same numbers.
    """
    pairs = align(before.rows, after.rows)
    return Comparison(before, after, tuple(Pairing(*pair) for pair in pairs))


def _layer(pairing: Pairing) -> dict[str, Any]:
    return {
        "change": pairing.change,
        "before": _side(pairing.before),
        "after": _side(pairing.after),
    }


def _side(row: Row | None) -> dict[str, Any] | None:
    if row is None:
        return None
    words = {field: getattr(row, field) for field in ("name", "kind", "notation", "output")}
    return words | {name: count(row) for name, count in COUNTS.items()}


def _ratio(before: int, after: int) -> float | None:
    return after / before if before else None


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
