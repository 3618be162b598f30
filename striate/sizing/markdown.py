"""The ledger as a Markdown table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from striate.sizing.table import Columns, cells, tally_line, title, totals_line

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger

_LEFT = ("layer", "notation")


def to_markdown(ledger: Ledger, *, backward: bool = False) -> str:
    """A title, a row for each layer, the totals in bold, and a line that sums up."""
    columns = cells(ledger, backward=backward)
    for texts in columns.values():
        texts[-1] = f"**{texts[-1]}**" if texts[-1] else ""
    parts: tuple[str, ...] = (
        f"**{_escaped(title(ledger))}**",
        markdown_table(columns),
        totals_line(ledger),
    )
    if ledger.tally:
        parts = (*parts, tally_line(ledger.tally))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def markdown_table(columns: Columns) -> str:
    """Columns of ready cells as a table of GitHub's Markdown: words to the left, numbers right."""
    headers = ["" if header == "notation" else header.strip() for header in columns]
    rules = [":--" if header in _LEFT else "--:" for header in columns]
    rows = [headers, rules, *zip(*columns.values(), strict=True)]
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return _escaped(text.strip())


def _escaped(text: str) -> str:
    """Names as they are: `_` and `*` set no type, `|` ends no cell and `<` begins no tag."""
    bold = re.fullmatch(r"\*\*(.*)\*\*", text)
    if bold:
        return f"**{_escaped(bold[1])}**"
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", text)
