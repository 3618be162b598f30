"""Limits that a network is held to: `params=5M,macs=600M,peak=4GB`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from striate.errors import StriateError, UserError
from striate.sizing.memory import KINDS, Memory
from striate.sizing.table import big, big_bytes, largest

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger, Row

WIDEST = 100
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z]*)")
_POWERS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_EXAMPLE = "params=5M,macs=600M,peak=4GB"


@dataclass(frozen=True)
class Item:
    """Something that is limited: what each layer or kind has of it, its unit, how it is written."""

    parts: Callable[[Ledger, Memory | None], Sequence[tuple[str, int]]]
    unit: str
    write: Callable[[int], str]
    of_step: bool = False
    """Whether it is of a training step, and so asks for its memory."""


def _rows(count: Callable[[Row], int]) -> Callable[..., Sequence[tuple[str, int]]]:
    return lambda ledger, memory: [(row.name, count(row)) for row in ledger.rows]


def _saved(ledger: Ledger, memory: Memory | None) -> Sequence[tuple[str, int]]:
    assert memory is not None
    return [(row.name, row.saved) for row in memory.rows]


def _peak(ledger: Ledger, memory: Memory | None) -> Sequence[tuple[str, int]]:
    assert memory is not None
    return list(zip(KINDS, memory.peak.live, strict=True))


ITEMS = {
    "params": Item(_rows(lambda row: row.parameters), "", big),
    "macs": Item(_rows(lambda row: row.macs), "", big),
    "flops": Item(_rows(lambda row: 2 * row.macs), "", big),
    "bytes": Item(_rows(lambda row: row.output_bytes), "B", big_bytes),
    "saved": Item(_saved, "B", big_bytes, of_step=True),
    "peak": Item(_peak, "B", big_bytes, of_step=True),
}


class OverBudgetError(StriateError):
    """A network that is larger than its budget allows."""

    exit_status = 3


@dataclass(frozen=True)
class Limit:
    """The most that a network may have of one of `ITEMS`."""

    name: str
    most: Fraction

    def told(self, ledger: Ledger, memory: Memory | None = None) -> str:
        """What the network has of it, by how much that is too much, and where most of it is."""
        item = ITEMS[self.name]
        parts = item.parts(ledger, memory)
        used, most = sum(value for _, value in parts), int(self.most)
        line = f"{self.name}: {item.write(used)} of {item.write(most)}"
        if used <= self.most:
            return f"{line}, within the budget"
        times = f", {float(used / self.most):.3g} times the budget" if most else ""
        line += f", over by {item.write(used - most)}{times}."
        names, values = zip(*parts, strict=True)
        return largest(f"{line}\n  most:", names, values, WIDEST + len(line))

    def exceeded(self, ledger: Ledger, memory: Memory | None = None) -> bool:
        """Whether the network has more than that."""
        return sum(value for _, value in ITEMS[self.name].parts(ledger, memory)) > self.most

    @property
    def of_step(self) -> bool:
        """Whether it is of a training step, and so asks for its memory."""
        return ITEMS[self.name].of_step


def parse_budget(text: str) -> tuple[Limit, ...]:
    """Limits from a text such as `params=5M,macs=600M,peak=4GB`: powers of ten, in any order.

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
    return Fraction(read[1]) * _power(name, read[2], unit)


def _power(name: str, word: str, unit: str) -> int:
    powers = {f"{power}{unit}": value for power, value in _POWERS.items()}
    known = {each.lower(): value for each, value in (powers | _POWERS).items()}
    if word.lower() not in known:
        raise UserError(_unknown(f"{name} has no unit", word, tuple(filter(None, powers))))
    return known[word.lower()]


def parse_bytes(text: str) -> int:
    """Bytes from a text such as `8GB` or `512 MB`, in powers of ten.

    Raises UserError for anything else, a number without a unit too, and for none at all.
    """
    read = _AMOUNT.fullmatch(text.strip())
    if not read or not read[2]:
        raise UserError(f"'{text}' is not an amount of memory. Give a number and a unit, as in 8GB")
    count = int(Fraction(read[1]) * _power("memory", read[2], "B"))
    if count < 1:
        raise UserError(f"'{text}' is no memory at all. Give more, as in 8GB")
    return count


def _unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word.lower(), [each.lower() for each in known], 1, 0.5)
    guess = next((each for each in known if [each.lower()] == near), "")
    fix = f"Did you mean '{guess}'?" if guess else f"There are {', '.join(known)}"
    return f"{what} '{word}'. {fix}"


def check(
    ledger: Ledger, budget: str | tuple[Limit, ...], memory: Memory | None = None
) -> tuple[str, ...]:
    """What a network has of each limited thing, one line or two for each.

    `memory` is that of a training step, which limits of `saved` and `peak` are about. Raises
    OverBudgetError, with the same lines, when the network has more of one than its budget, and
    UserError when the budget's text is wrong, or asks for memory that is not given.
    """
    limits = parse_budget(budget) if isinstance(budget, str) else budget
    if memory is None and any(limit.of_step for limit in limits):
        raise UserError(
            "saved and peak are of a training step: give its memory, as striate.memory tells it"
        )
    told = tuple(limit.told(ledger, memory) for limit in limits)
    if any(limit.exceeded(ledger, memory) for limit in limits):
        raise OverBudgetError("\n".join((f"{ledger.name} is over its budget", *told)))
    return told
