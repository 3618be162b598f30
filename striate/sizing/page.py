"""The ledger as one page of HTML, which needs no other file and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from striate.sizing.table import amounts, cells, tally_line, title, totals_line

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger

_STYLE = Path(__file__).with_name("page.css")
_LEFT = ("layer", "notation")


def to_html(ledger: Ledger) -> str:
    """The whole page: the table, which the reader sorts by a click on a header, and the warnings.

    Each row carries its places in the orders there are; the choice of one is a radio button, and
    the style sheet puts the rows into that order.
    """
    orders = _orders(ledger)
    parts = [
        f"<h1>{_text(title(ledger))}</h1>",
        f"<p>{_text(totals_line(ledger))}</p>",
        *([f"<p>{_text(tally_line(ledger.tally))}</p>"] if ledger.tally else []),
        _table(ledger, orders),
        *(f"<pre>{_text(lint.level)}: {_text(lint.shown)}</pre>" for lint in ledger.lints),
    ]
    body = "\n".join(parts)
    columns = len(cells(ledger, backward=True))
    style = _STYLE.read_text(encoding="utf-8") + _sorting(columns, tuple(orders))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{_text(ledger.name)}: the ledger</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _orders(ledger: Ledger) -> dict[str, list[int]]:
    """The place of each row by each header that sorts: as in the network, or the largest first."""
    sees = [
        (row.whole_input, row.receptive_field[0] * row.receptive_field[1]) for row in ledger.rows
    ]
    measures: dict[str, Sequence[object]] = {**amounts(ledger), "sees": sees}
    orders = {"layer": list(range(len(ledger.rows)))}
    return orders | {header: _places(values) for header, values in measures.items()}


def _places(values: Sequence[object]) -> list[int]:
    by_value = sorted(range(len(values)), key=lambda i: values[i], reverse=True)  # type: ignore[arg-type, return-value]
    places = dict(zip(by_value, range(len(values)), strict=True))
    return [places[i] for i in range(len(values))]


def _sorting(columns: int, orders: Sequence[str]) -> str:
    rules = [f"table {{ grid-template-columns: repeat({columns}, auto); }}\n"]
    for i in range(len(orders)):
        rules.append(f"table:has(#by{i}:checked) tbody td {{ order: var(--o{i}); }}\n")
    return "".join(rules)


def _table(ledger: Ledger, orders: dict[str, list[int]]) -> str:
    columns = cells(ledger, backward=True)
    sizes = amounts(ledger)
    head = "".join(_head(header, list(orders)) for header in columns)
    body = []
    for i in range(len(ledger.rows)):
        places = ";".join(f"--o{k}:{order[i]}" for k, order in enumerate(orders.values()))
        shares = {header: values[i] / max(1, *values) for header, values in sizes.items()}
        row = "".join(_cells(columns, i, shares))
        body.append(f'<tr role="row" style="{places}">{row}</tr>')
    total = "".join(_cells(columns, len(ledger.rows), {}))
    inside = "\n".join(body)
    return (
        f'<div class="scroll"><table role="table">\n<thead role="rowgroup"><tr role="row">{head}'
        f'</tr></thead>\n<tbody role="rowgroup">\n{inside}\n</tbody>\n'
        f'<tfoot role="rowgroup"><tr role="row">{total}</tr></tfoot>\n</table></div>'
    )


def _head(header: str, orders: Sequence[str]) -> str:
    shown = "" if header == "notation" else _text(header)
    if header in orders:
        i = orders.index(header)
        checked = "" if i else " checked"
        shown = f'<label><input type="radio" name="by" id="by{i}"{checked}>{shown}</label>'
    return f'<th role="columnheader"{_side(header)}>{shown}</th>'


def _cells(columns: dict[str, list[str]], i: int, shares: dict[str, float]) -> Iterator[str]:
    for header, texts in columns.items():
        share = shares.get(header, 0)
        bar = f' style="--share:{100 * share:.1f}%"' if share else ""
        yield f'<td role="cell"{_side(header)}{bar}>{_text(texts[i])}</td>'


def _side(header: str) -> str:
    return ' class="l"' if header in _LEFT else ""


def _text(value: str) -> str:
    """Escaped, and without the control characters that a page cannot hold."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in value))
