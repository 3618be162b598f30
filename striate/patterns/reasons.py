"""Why a plan's numbers are what they are: the rules of the notes, with this network's figures.

"Layer Sizing Patterns", Karpathy et al., CS231n course notes; stacks of small filters: Simonyan &
Zisserman 2014; global average pooling: Lin, Chen & Yan 2013.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from striate.layers import product
from striate.patterns.notation import notation
from striate.patterns.plan import Plan, divisible_sizes, factored, fitting_blocks, halvings
from striate.sizing import Ledger, size
from striate.sizing.table import big, big_bytes
from striate.source import Source

WIDE = 98
LARGE_IMAGE = 128
"""Rows from which on the first block's memory is worth a compromise."""


def reasons(plan: Plan, ledger: Ledger, budget: int | None) -> list[str]:
    """The lines above the network, without their `#`."""
    totals = ledger.totals
    lines = [
        f"INPUT -> [[CONV -> RELU]*N -> POOL]*M -> [FC -> RELU]*K -> FC with N = "
        f"{plan.convolutions}, M = {plan.blocks}, K = {plan.hidden}:",
        f"{totals.parameters:,} parameters, {big(totals.macs)} MACs and "
        f"{big_bytes(totals.output_bytes)} of outputs for an image.",
        "",
    ]
    for reason in _reasons(plan, ledger, budget):
        lines += textwrap.wrap(
            reason, WIDE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False
        )
    return lines


def _reasons(plan: Plan, ledger: Ledger, budget: int | None) -> Iterator[str]:
    if plan.blocks:
        yield _image(plan)
        yield _filters(plan)
        yield _pools(plan)
        yield from _widths(plan, ledger, budget)
        yield from _memory(plan, ledger)
        yield _field(plan, ledger)
        if plan.bn:
            yield (
                "Batch normalisation subtracts the mean, and with it any bias of the convolution "
                "before: nobias."
            )
    yield from _head(plan, ledger)


def _image(plan: Plan) -> str:
    factors = ", ".join(f"{side} = {factored(side)}" for side in dict.fromkeys(plan.input[1:]))
    rows, columns = plan.map_at(plan.blocks)
    halved = f"{plan.blocks} pools halve it" if plan.blocks > 1 else "1 pool halves it"
    reason = f"Image: {factors}, so that {halved} to {rows}×{columns} without leaving a row over."
    more = fitting_blocks(plan.input)
    if more > plan.blocks == min(map(halvings, plan.input[1:])):
        other = " or ".join(divisible_sizes(plan.input, more))
        reason += f" No more are possible; {other} could be halved {more} times."
    return reason


def _filters(plan: Plan) -> str:
    begin = "Filters: 3×3 at stride 1; a padding of 1 keeps rows and columns, pools alone shrink."
    count = plan.convolutions
    if count == 1:
        return begin
    view = 2 * count + 1
    return (
        f"{begin} {count} in a row see {view}×{view} with {9 * count}·C² weights and "
        f"{count} relus, where one {view}×{view} filter has {view * view}·C² and one relu."
    )


def _pools(plan: Plan) -> str:
    return (
        "Pools: 2×2 with stride 2 keep the largest of 4 values, 75 % are dropped; windows do not "
        "overlap, and larger ones lose too much."
    )


def _widths(plan: Plan, ledger: Ledger, budget: int | None) -> Iterator[str]:
    channels = plan.channels
    shown = ", ".join(str(n) for n in channels)
    chosen = (
        f"; {plan.width} first is the most, in steps of 8, with which the network keeps to "
        f"{budget:,} parameters"
        if budget is not None
        else ""
    )
    if len(set(channels)) == 1:
        yield f"Channels: {channels[0]}{chosen}."
        return
    capped = f", up to {channels[-1]}" if channels[-1] == channels[-2] else ""
    yield (
        f"Channels: {shown}{chosen}. Doubled where a pool quarters the positions{capped}: half as "
        "many values, as many MACs for a convolution from C to C channels."
    )


def _memory(plan: Plan, ledger: Ledger) -> Iterator[str]:
    total = ledger.totals.output_bytes
    layers = plan.convolutions * (3 if plan.bn else 2) + 1
    first = sum(row.output_bytes for row in ledger.rows[:layers])
    yield (
        f"Memory: the first block holds {big_bytes(first)} of the {big_bytes(total)}, "
        f"{first / total:.0%}; a gradient for each value takes as much again."
    )
    if min(plan.input[1:]) >= LARGE_IMAGE:
        small = _with_large_stride(plan).totals.output_bytes
        yield (
            f"If that is too much: conv7-{plan.width}/2 -> relu in place of the first block, as in "
            f"ZFNet, brings it to {big_bytes(small)}."
        )


def _with_large_stride(plan: Plan) -> Ledger:
    """The ledger with the compromise of the notes: one 7×7 filter with stride 2 comes first."""
    head, _, *rest = notation(plan).splitlines()
    lines = [head, f"-> conv7-{plan.width}/2 -> relu", *rest]
    return size(Source("\n".join(lines)))


def _field(plan: Plan, ledger: Ledger) -> str:
    last = [row for row in ledger.rows if row.kind == "pool"][-1]
    rows, columns = last.receptive_field
    seen = f"a unit of the last pool sees {rows}×{columns} pixels"
    share = min(1.0, rows / plan.input[1]) * min(1.0, columns / plan.input[2])
    return f"Receptive field: {seen}, {share:.0%} of the image when it lies in its middle."


def _head(plan: Plan, ledger: Ledger) -> Iterator[str]:
    total = ledger.totals.parameters
    connected = sum(row.parameters for row in ledger.rows if row.kind == "fc")
    channels = plan.channels[-1] if plan.channels else plan.input[0]
    rows, columns = plan.map_at(plan.blocks)
    taken = channels if plan.gap else channels * product((rows, columns))
    source = f"{channels} means" if plan.gap else f"{channels}·{rows}·{columns} = {taken:,} values"
    each = " each" if plan.hidden > 1 else ""
    twice = ", twice the channels" if plan.blocks else ""
    hidden = f" {plan.neurons} neurons{each}{twice}, then" if plan.hidden else ""
    yield (
        f"Fully connected layers: from {source} to{hidden} {plan.classes} scores, "
        f"{connected:,} of the parameters ({connected / total:.1%})."
    )
    if not plan.gap and plan.blocks:
        averaged = _with_gap(plan).totals.parameters
        yield f"With --gap and K = 0 the network would have {averaged:,} parameters."


def _with_gap(plan: Plan) -> Ledger:
    return size(Source(notation(replace(plan, gap=True, hidden=0))))
