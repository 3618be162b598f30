"""The ledger as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from striate.layers import product, show
from striate.sizing.counts import FLOAT_BYTES

if TYPE_CHECKING:
    from striate.sizing.conventions.tally import Tally
    from striate.sizing.ledger import Ledger, Row

NARROWEST = 72
SHORTEST_NAME = 12
_LEFT = ("layer", "notation")
_DISPENSABLE = ("from", "notation", "jump")
"""Columns that are left out, in this order, where the width is too small."""
_LAST = ("kept", "sees", "output")
"""Those that are left out where it is still too small when names are cut."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = 2
"""Characters of a share bar."""
_PREFIXES = "kMGTPEZY"
_LARGEST = 3
"""How many of the largest layers the summary names."""

Columns = dict[str, list[str]]
"""The cells of each column by its header: one for each layer, then the total."""


def table(ledger: Ledger, width: int, *, backward: bool = False) -> str:
    """One line a layer under a line of headers, totals below.

    A bar beside a number is its share of the largest one in its column. `backward` adds the column
    of the backward pass's MACs.
    """
    width = max(width, NARROWEST)
    head, *body, totals = laid_out(_columns(ledger, backward=backward), width)
    rule = "─" * max(len(line) for line in (head, *body, totals))
    lines = [title(ledger), "", head, rule, *body, rule, totals, "", *_summary(ledger, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def title(ledger: Ledger) -> str:
    """The network, its image, and the image's bytes."""
    batch = f" · batch of {ledger.batch}" if ledger.batch > 1 else ""
    size = big_bytes(ledger.batch * FLOAT_BYTES * product(ledger.input))
    return f"{ledger.name} · input {show(ledger.input)}{batch} · {size}"


def cells(ledger: Ledger, *, backward: bool = False) -> Columns:
    """What the table says, header by header: one text for each layer, then the total's."""
    rows, totals = ledger.rows, ledger.totals
    parameters = ["shared" if row.weights else _count(row.parameters, big) for row in rows]
    return {
        "layer": [*(row.name for row in rows), "total"],
        "notation": [*(row.notation for row in rows), ""],
        "output": [*(show(row.output) for row in rows), ""],
        "params": [*parameters, big(totals.parameters)],
        "MACs": [*(_count(row.macs, big) for row in rows), big(totals.macs)],
        **{header: _summed(values) for header, values in _more(ledger, backward).items()},
        "bytes": [
            *(_count(row.output_bytes, big_bytes) for row in rows),
            big_bytes(totals.output_bytes),
        ],
        **_kept(ledger),
        "jump": [*("" if _nowhere(row) else _pair(row.jump) for row in rows), ""],
        "sees": [*(_seen(row) for row in rows), ""],
        "from": [*("" if _nowhere(row) else _pair(row.start) for row in rows), ""],
    }


def amounts(ledger: Ledger) -> dict[str, list[int]]:
    """The numbers of the columns that add up, one for each layer."""
    return {
        "params": [row.parameters for row in ledger.rows],
        "MACs": [row.macs for row in ledger.rows],
        "bytes": [row.output_bytes for row in ledger.rows],
    }


def _more(ledger: Ledger, backward: bool) -> dict[str, list[int]]:
    """Counts that are shown when they are asked for: another convention's, the backward pass's."""
    found: dict[str, list[int]] = {}
    if ledger.tally:
        found[ledger.tally.name] = [row.counted or 0 for row in ledger.rows]
    if backward:
        found["backward"] = [row.backward_macs for row in ledger.rows]
    return found


def _summed(values: Sequence[int]) -> list[str]:
    return [*(_count(value, big) for value in values), big(sum(values))]


def _kept(ledger: Ledger) -> Columns:
    """The column of what is kept for the backward pass, where that is known."""
    total = ledger.totals.saved_bytes
    if total is None:
        return {}
    return {
        "kept": [
            *(_count(row.saved_bytes or 0, big_bytes) for row in ledger.rows),
            big_bytes(total),
        ]
    }


def _nowhere(row: Row) -> bool:
    """Whether a row's units see all of the image, nothing of it, or what is not known."""
    return row.whole_input or row.unknown_field or not any(row.receptive_field)


def _seen(row: Row) -> str:
    if row.unknown_field:
        return "?"
    if not any(row.receptive_field):
        return "–"
    return "whole" if row.whole_input else _pair(row.receptive_field)


def _count(value: int, write: Callable[[int], str]) -> str:
    return write(value) if value else "–"


def _columns(ledger: Ledger, *, backward: bool) -> Columns:
    sizes = amounts(ledger) | _more(ledger, backward)
    columns: Columns = {}
    for header, texts in cells(ledger, backward=backward).items():
        if header in sizes:
            columns[_blank(header)] = barred(texts, sizes[header])
        else:
            columns[header] = texts
    columns["layer"] = [*short_names([row.name for row in ledger.rows]), "total"]
    return columns


def short_names(names: Sequence[str]) -> list[str]:
    """Names with the scopes that they share with the name above left blank."""
    shown, above = [], ""
    for name in names:
        shared = 0
        for i, (a, b) in enumerate(zip(name, above, strict=False)):
            if a != b:
                break
            if a == ".":
                shared = i
        shown.append(" " * shared + name[shared:])
        above = name
    return shown


def barred(cells: Sequence[str], values: Sequence[int]) -> list[str]:
    """Cells with the shares of their values; the last one, the total, has none."""
    most = max(values)
    shown = [
        f"{cell} {_bar(value, most)}" if value else _blank(cell)
        for cell, value in zip(cells, values, strict=False)
    ]
    return [*shown, _blank(cells[-1])]


def _bar(value: int, largest: int) -> str:
    eighths = round(8 * _BAR * value / largest)
    return "".join(_EIGHTHS[max(0, min(8, eighths - 8 * i))] for i in range(_BAR))


def _blank(text: str) -> str:
    """A text with the room of a bar behind it."""
    return text + " " * (_BAR + 1)


def _pair(pair: tuple[int | Fraction, int | Fraction]) -> str:
    rows, columns = (f"{float(n):.4g}" if isinstance(n, Fraction) else str(n) for n in pair)
    text = rows if rows == columns else f"{rows}×{columns}"
    return text.replace("-", "−")


def laid_out(
    columns: Columns, width: int, dispensable: tuple[str, ...] = _DISPENSABLE
) -> list[str]:
    """Lines of cells, the headers first. Columns are left out, then names cut, until they fit."""
    aligned = {header: _aligned(header, cells) for header, cells in columns.items()}
    for header in dispensable:
        if _width(aligned, gap=1) > width:
            del aligned[header]
    for header in _LAST:
        if header in aligned and _width(aligned, gap=1) - _spare(aligned) > width:
            del aligned[header]
    if (excess := _width(aligned, gap=1) - width) > 0:
        room = max(SHORTEST_NAME, len(aligned["layer"][0]) - excess)
        aligned["layer"] = [_cut(name, room) for name in aligned["layer"]]
    gap = "  " if _width(aligned, gap=2) <= width else " "
    return [gap.join(line) for line in zip(*aligned.values(), strict=True)]


def _spare(aligned: Columns) -> int:
    """By how much names can be cut."""
    return max(0, len(aligned["layer"][0]) - SHORTEST_NAME)


def _width(aligned: Columns, gap: int) -> int:
    return sum(len(cells[0]) for cells in aligned.values()) + gap * (len(aligned) - 1)


def _cut(name: str, room: int) -> str:
    name = name.rstrip()
    return (name if len(name) <= room else "…" + name[len(name) - room + 1 :]).ljust(room)


def _aligned(header: str, cells: list[str]) -> list[str]:
    width = max(map(len, (header, *cells)))
    if header in _LEFT:
        return [text.ljust(width) for text in ("" if header == "notation" else header, *cells)]
    return [text.rjust(width) for text in (header, *cells)]


def totals_line(ledger: Ledger) -> str:
    """`25.56 M parameters · 4.089 G MACs (8.178 G FLOPs) · 166.3 MB of outputs`."""
    totals = ledger.totals
    return (
        f"{big(totals.parameters)} parameters · {big(totals.macs)} MACs ({big(totals.flops)} FLOPs)"
        f" · {big_bytes(totals.output_bytes)} of outputs"
    )


def tally_line(tally: Tally) -> str:
    """`fvcore 0.1.5: 1.819 G flops`, and what the tool itself prints where that differs."""
    own = "" if tally.printed == tally.counted else f"; the tool itself prints {big(tally.printed)}"
    return f"{tally.title}: {big(tally.counted)} {tally.word}{own}"


def _summary(ledger: Ledger, width: int) -> list[str]:
    names = [row.name for row in ledger.rows]
    return [
        totals_line(ledger),
        f"backward: {big(ledger.totals.backward_macs)} MACs",
        *([tally_line(ledger.tally)] if ledger.tally else []),
        *(
            largest(f"most {'parameters' if name == 'params' else name}:", names, values, width)
            for name, values in amounts(ledger).items()
        ),
        *(_cut(f"tap {tap.name}: {show(tap.output)} of {tap.layer}", width) for tap in ledger.taps),
    ]


def largest(line: str, names: Sequence[str], values: Sequence[int], width: int) -> str:
    """Those that hold most, as many as the line has room for."""
    total = sum(values)
    if not total:
        return f"{line} none"
    sign = " "
    for i in sorted(range(len(names)), key=lambda i: -values[i])[:_LARGEST]:
        more = f"{sign}{names[i]} {values[i] / total:.0%}"
        if values[i] and len(line) + len(more) <= width:
            line += more
            sign = " · "
    return line


def big(count: int) -> str:
    """A count in four digits: `9,408`, `25.56 M`."""
    return _scaled(count, "")


def big_bytes(count: int) -> str:
    """Bytes in four digits and powers of ten: `12.85 MB`."""
    return _scaled(count, "B")


def _scaled(count: int, unit: str) -> str:
    if count < (1000 if unit else 10_000):
        return f"{count:,} {unit}".rstrip()
    value, power = float(count), 0
    while value >= 999.95 and power < len(_PREFIXES):
        value, power = value / 1000, power + 1
    decimals = 3 - (value >= 9.9995) - (value >= 99.995)
    return f"{value:.{decimals}f} {_PREFIXES[power - 1]}{unit}"
