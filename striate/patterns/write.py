"""`striate.pattern`: a network by the layer and sizing patterns of the CS231n course notes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from striate.errors import UserError
from striate.layers import Shape
from striate.patterns.notation import notation
from striate.patterns.plan import MOST_CHANNELS, Plan, choose_blocks
from striate.patterns.text import annotated
from striate.sizing import Ledger, size
from striate.source import Source

WIDTH = 64
"""Filters of the first block, as in VGG."""
WIDTH_STEP = 8
"""What a width chosen for a number of parameters is a multiple of."""
NAME = "<pattern>"


@dataclass(frozen=True)
class Pattern:
    """A network that the rules gave: its choices, its text with the reasons, its ledger."""

    plan: Plan
    text: str
    ledger: Ledger

    def to_json(self) -> str:
        """The choices, the text and the totals as JSON, in the form that docs/pattern.md has."""
        content = {
            "text": self.text,
            "plan": asdict(self.plan) | {"channels": self.plan.channels},
            "totals": vars(self.ledger.totals),
            "warnings": [lint.to_json() for lint in self.ledger.lints if lint.level == "warning"],
            "notes": [lint.to_json() for lint in self.ledger.lints if lint.level == "note"],
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def pattern(
    input: Shape,
    classes: int,
    *,
    convolutions: int = 2,
    blocks: int | None = None,
    hidden: int | None = None,
    width: int | None = None,
    parameters: int | None = None,
    bn: bool = False,
    gap: bool = False,
) -> Pattern:
    """A network `input -> [[conv3 -> relu]*N -> pool2]*M -> [fc -> relu]*K -> fc` by the rules.

    `input` is C, H, W. `convolutions`, `blocks` and `hidden` are N, M and K; without `blocks`
    pools halve the image until 4 to 7 rows are left of a size that allows it, and without `hidden`
    there is one hidden layer, or none behind `gap`. `width` is the number of filters of the first
    block, 64 if not given, or the largest multiple of 8 with which the network has at most
    `parameters`. Raises UserError for a wish that cannot be had.
    """
    if width is not None and parameters is not None:
        raise UserError(
            "the width and the number of parameters decide each other: give one of them"
        )
    pools = choose_blocks(input, blocks)
    if pools and not convolutions:
        raise UserError(
            f"--N 0 leaves {pools} pools with nothing between them that learns. Give --N 1 or "
            "more, or --M 0 for fully connected layers alone"
        )
    if gap and not pools:
        raise UserError(
            "--gap averages what filters found, and --M 0 leaves no filters. Give --M 1 or more, "
            "or leave --gap out"
        )
    plan = Plan(
        input=input,
        classes=classes,
        convolutions=convolutions if pools else 0,
        blocks=pools,
        hidden=(0 if gap else 1) if hidden is None else hidden,
        width=width or WIDTH,
        bn=bn,
        gap=gap,
    )
    if parameters is not None:
        plan = _within(plan, parameters)
    text = annotated(plan, _ledger(plan), parameters)
    return Pattern(plan, text, size(Source(text, NAME)))


def _ledger(plan: Plan) -> Ledger:
    return size(Source(notation(plan), NAME))


def _parameters(plan: Plan) -> int:
    return _ledger(plan).totals.parameters


def _within(plan: Plan, most: int) -> Plan:
    """The plan with the widest first block that keeps to a number of parameters."""
    if not plan.blocks and not plan.hidden:
        return _checked(plan, most)
    widths = range(WIDTH_STEP, MOST_CHANNELS + 1, WIDTH_STEP)
    low, high = 0, len(widths)
    while low < high:
        middle = (low + high) // 2
        fits = _parameters(replace(plan, width=widths[middle])) <= most
        low, high = (middle + 1, high) if fits else (low, middle)
    return _checked(replace(plan, width=widths[max(0, low - 1)]), most)


def _checked(plan: Plan, most: int) -> Plan:
    needed = _parameters(plan)
    if needed > most:
        fix = "" if plan.gap or not plan.blocks else ", --gap, which needs fewer,"
        raise UserError(
            f"at most {most:,} parameters are too few: the narrowest such network, with "
            f"{plan.width} filters first, has {needed:,}. Give --params {needed}{fix} or smaller "
            "--N, --M or --K"
        )
    return plan
