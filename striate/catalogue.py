"""The networks of the zoo with their numbers beside the published ones, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from striate import zoo
from striate.layers import Shape, show
from striate.modules.saved import saved_bytes
from striate.sizing import size
from striate.sizing.ledger import Ledger, Row
from striate.sizing.table import big, big_bytes
from striate.zoo.figures import FIGURES, SOURCES, Figure, Quantity

_HEADING = """\
# The zoo

Networks from the literature, each one short text in the notation: `striate zoo NAME` prints one
with its paper, and every other verb takes the name. This page is what `striate zoo --table` prints.

| column | meaning |
|---|---|
| parameters, MACs | of the whole network at this size of image, taps included, as in [the ledger](ledger.md) |
| kept | what torch keeps of a forward for the backward pass, for each of two images in float32 (`striate.saved_bytes`): image and volumes, pooling indices of 8 bytes, masks of dropout, no weights |
| sees | rows of the image that a unit of the last volume with several rows sees, and its jump |

Published figures stand beside what is counted, with the number of their [source](#sources). One in
bold is not what is counted, neither rounded nor cut off to its last digit: [why](#where-a-published-figure-differs).
"""  # noqa: E501
_MEMORY = (
    "- `vgg16`, memory: course notes add up its volumes to “24M * 4 bytes ~= 93MB”. Their own rows "
    "add up to 15.2 M values, 60.95 MB: [memory](memory.md#how-much-memory-does-vgg-16-take) "
    "shows the sum."
)


@dataclass(frozen=True)
class Entry:
    """One network with what is counted of it."""

    name: str
    input: Shape
    parameters: int
    macs: int
    saved: int
    """Bytes kept for the backward pass, for each of two images."""
    last: Row
    """The last volume that has several rows."""
    fields: dict[str, int]
    """The receptive fields, in rows, of the layers that published figures name."""

    def counted(self, figure: Figure) -> int:
        """What is counted here of a published figure's quantity."""
        if figure.quantity == "receptive field":
            return self.fields[figure.layer]
        return self.parameters if figure.quantity == "parameters" else self.macs


def names() -> list[str]:
    """The networks of the page: those of the zoo, some also with multipliers of their papers."""
    varied = dict.fromkeys(figure.network for figure in FIGURES if "(" in figure.network)
    return [
        each
        for name in zoo.names()
        for each in (name, *(v for v in varied if v.partition("(")[0] == name))
    ]


def entry(name: str) -> Entry:
    """What is counted of one network. Raises UserError as `striate.size` does."""
    ledger = size(name)
    last = last_volume(ledger)
    totals = ledger.totals
    return Entry(
        name=name,
        input=ledger.input,
        parameters=totals.parameters,
        macs=totals.macs,
        saved=saved_bytes(name, batch=2) // 2,
        last=last,
        fields={"": last.receptive_field[0], **_fields(name, ledger)},
    )


def last_volume(ledger: Ledger) -> Row:
    """The last layer whose output has several rows, the one that a receptive field is told of."""
    return [row for row in ledger.rows if len(row.output) == 3 and row.output[1] > 1][-1]


def _fields(name: str, ledger: Ledger) -> dict[str, int]:
    wanted = {figure.layer for figure in FIGURES if figure.network == name}
    return {row.name: row.receptive_field[0] for row in ledger.rows if row.name in wanted}


def page(entries: Sequence[Entry]) -> str:
    """The page of these networks."""
    lines = [
        "| network | input | parameters | published | MACs | published | kept | sees | published |",
        "|---|---|--:|---|--:|---|--:|--:|---|",
        *(_line(each) for each in entries),
    ]
    differing = [line for each in entries for line in _differences(each)]
    numbered = [f"{number}. {text}" for number, text in enumerate(SOURCES.values(), start=1)]
    return "\n".join(
        [
            *(_HEADING, *lines, ""),
            *("## Where a published figure differs", "", *differing, _MEMORY, ""),
            *("## Sources", "", *numbered, ""),
        ]
    )


def _line(entry: Entry) -> str:
    seen = "whole" if entry.last.whole_input else f"{entry.fields['']}, {entry.last.jump[0]}"
    return _row(
        f"`{entry.name}`",
        show(entry.input),
        f"{entry.parameters:,}",
        _said(entry, "parameters"),
        big(entry.macs),
        _said(entry, "macs"),
        big_bytes(entry.saved),
        seen,
        _said(entry, "receptive field"),
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _figures(name: str) -> Iterable[Figure]:
    return (figure for figure in FIGURES if figure.network == name)


def _said(entry: Entry, quantity: Quantity) -> str:
    """The published figures of one quantity with the numbers of their sources."""
    known = [figure for figure in _figures(entry.name) if figure.quantity == quantity]
    return ", ".join(
        f"{_marked(figure, entry)}{_where(figure)} [{_number(figure)}]" for figure in known
    )


def _marked(figure: Figure, entry: Entry) -> str:
    return figure.said if figure.agrees(entry.counted(figure)) else f"**{figure.said}**"


def _where(figure: Figure) -> str:
    """The layer that a figure is of, where that is not the one that the table shows."""
    return f" at `{figure.layer}`" if figure.layer else ""


def _number(figure: Figure) -> int:
    return list(SOURCES).index(figure.source) + 1


def _differences(entry: Entry) -> list[str]:
    return [
        f"- `{entry.name}`, {_WORDS[figure.quantity]}: {figure.said} published "
        f"[{_number(figure)}], {entry.counted(figure):,} counted: {figure.why}."
        for figure in _figures(entry.name)
        if not figure.agrees(entry.counted(figure))
    ]


_WORDS: dict[Quantity, str] = {
    "parameters": "parameters",
    "macs": "MACs",
    "receptive field": "receptive field",
}
