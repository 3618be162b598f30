"""Limits that a network is held to: `params=5M,macs=600M,bytes=50MB`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from striate.errors import StriateError, UserError
from striate.sizing.table import big, big_bytes, largest

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger, Row

WIDEST = 100
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)")
_POWERS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_EXAMPLE = "params=5M,macs=600M,bytes=50MB"


@dataclass(frozen=True)
class Item:
    """Something that is limited: a sum over rows, its unit, and how it is written."""

    count: Callable[[Row], int]
    unit: str
    write: Callable[[int], str]


ITEMS = {
    "params": Item(lambda row: row.parameters, "", big),
    "macs": Item(lambda row: row.macs, "", big),
    "flops": Item(lambda row: 2 * row.macs, "", big),
    "bytes": Item(lambda row: row.output_bytes, "B", big_bytes),
}


class OverBudgetError(StriateError):
    """A network that is larger than its budget allows."""

    exit_status = 3


@dataclass(frozen=True)
class Limit:
    """The most that a network may have of one of `ITEMS`."""

    name: str
    most: Fraction

    def told(self, ledger: Ledger) -> str:
        """What the network has of it, by how much that is too much, and which layers weigh most."""
        item = ITEMS[self.name]
        values = [item.count(row) for row in ledger.rows]
        used, most = sum(values), int(self.most)
        line = f"{self.name}: {item.write(used)} of {item.write(most)}"
        if not self.exceeded(ledger):
            return f"{line}, within the budget"
        times = f", {float(used / self.most):.3g} times the budget" if most else ""
        line += f", over by {item.write(used - most)}{times}."
        return largest(f"{line}\n  most:", ledger.rows, values, WIDEST + len(line))

    def exceeded(self, ledger: Ledger) -> bool:
        """Whether the network has more than that."""
        return sum(map(ITEMS[self.name].count, ledger.rows)) > self.most


def parse_budget(text: str) -> tuple[Limit, ...]:
    """Limits from a text such as `params=5M,macs=600M,bytes=50MB`: powers of ten, in any order.

    Raises UserError for a name or a unit that there is not, with the nearest.
    """
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        name, sign, amount = (piece.strip() for piece in part.partition("="))
        if not (name and sign and amount):
            raise UserError(
                f"a budget is a list of NAME=AMOUNT, as in {_EXAMPLE}; found '{part.strip()}'"
            )
        if name not in ITEMS:
            raise UserError(_unknown("a budget has no", name, tuple(ITEMS)))
        if name in limits:
            raise UserError(f"the budget gives {name} twice. Give it once")
        limits[name] = Limit(name, _amount(name, amount))
    return tuple(limits.values())


def _amount(name: str, text: str) -> Fraction:
    """A number with its power of ten; `B` ends those of bytes, and may be left out."""
    unit = ITEMS[name].unit
    read = _AMOUNT.fullmatch(text)
    if not read:
        raise UserError(
            f"{name}={text} is not an amount. Give a number and a unit, as in {_EXAMPLE}"
        )
    powers = {f"{power}{unit}": value for power, value in _POWERS.items()}
    known = {word.lower(): value for word, value in (powers | _POWERS).items()}
    if read[2].lower() not in known:
        raise UserError(_unknown(f"{name} has no unit", read[2], tuple(filter(None, powers))))
    return Fraction(read[1]) * known[read[2].lower()]


def _unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), [each.lower() for each in known], 1, 0.5)
    guess = next((each for each in known if [each.lower()] == near), "")
    fix = f"Did you mean '{guess}'?" if guess else f"There are {', '.join(known)}"
    return f"{what} '{word}'. {fix}"


def check(ledger: Ledger, budget: str | tuple[Limit, ...]) -> tuple[str, ...]:
    """What a network has of each limited thing, one line or two for each.

    Raises OverBudgetError, with the same lines, when it has more of one than its budget, and
    UserError when the budget's text is wrong.
    """
    limits = parse_budget(budget) if isinstance(budget, str) else budget
    told = tuple(limit.told(ledger) for limit in limits)
    if any(limit.exceeded(ledger) for limit in limits):
        raise OverBudgetError("\n".join((f"{ledger.name} is over its budget", *told)))
    return told
