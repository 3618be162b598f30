"""Sizes as formulas of the image's: steps such as `(H−1)//2+1`, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod


@dataclass(frozen=True)
class Step:
    """`n` becomes `(factor·n + offset)//divisor`; a constant has the factor 0."""

    factor: int
    offset: int
    divisor: int


@dataclass(frozen=True)
class Formula:
    """Steps one after the other, as few as they can be said in."""

    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> Formula:
        """This formula with one more step, simplified: nested floors are one."""
        steps, last = list(self.steps), _reduced(step)
        while steps and (joined := _joined(steps[-1], last)):
            steps.pop()
            last = joined
        if last != Step(1, 0, 1):
            steps.append(last)
        return Formula(tuple(steps))

    def at(self, size: int) -> int:
        """The value for a size of the image."""
        for step in self.steps:
            size = (step.factor * size + step.offset) // step.divisor
        return size

    @property
    def period(self) -> int:
        """An image larger by so much has a value larger by a constant."""
        return prod(step.divisor for step in self.steps)

    @property
    def is_constant(self) -> bool:
        return any(step.factor == 0 for step in self.steps)

    def written(self, letter: str) -> str:
        """`(H−1)//32+1` for the letter H."""
        text, plain = letter, True
        for step in self.steps:
            text, plain = _written(text, plain, step)
        return text


def constant(value: int) -> Formula:
    """The same for every size."""
    return Formula((Step(0, value, 1),))


def _reduced(step: Step) -> Step:
    if step.factor == 0:
        return Step(0, step.offset // step.divisor, 1)
    common = gcd(step.factor, step.divisor)
    return Step(step.factor // common, step.offset // common, step.divisor // common)


def _joined(one: Step, other: Step) -> Step | None:
    """Two steps as one, where that is possible: `⌊(⌊x/a⌋ + b)/c⌋ = ⌊(x + a·b)/(a·c)⌋`."""
    if one.divisor == 1 or other.factor == 0:
        offset = other.factor * one.offset + other.offset
        return _reduced(Step(other.factor * one.factor, offset, other.divisor))
    if other.factor == 1:
        offset = one.offset + other.offset * one.divisor
        return _reduced(Step(one.factor, offset, one.divisor * other.divisor))
    return None


def _written(text: str, plain: bool, step: Step) -> tuple[str, bool]:
    """A step behind a text, and whether what comes out needs no brackets in a product."""
    if step.factor == 0:
        return str(step.offset), True
    if step.factor != 1:
        text = f"{step.factor}·{text if plain else f'({text})'}"
        plain = False
    if step.divisor == 1:
        return f"{text}{_signed(step.offset)}", plain and not step.offset
    whole = (2 * step.offset + step.divisor - 1) // (2 * step.divisor)
    rest = step.offset - whole * step.divisor
    inside = f"({text}{_signed(rest)})" if rest or not plain else text
    return f"{inside}//{step.divisor}{_signed(whole)}", False


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else '−'}{abs(value)}" if value else ""
