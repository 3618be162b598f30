"""Which images a network takes: what its formulas ask, held to networks built for such images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm

from striate.errors import NotationError
from striate.graph import Graph, load_graph
from striate.layers import Shape
from striate.sizing.formulas import Formula

LONGEST_PERIOD = 4096
At = Callable[[int, int], Shape]
"""The shape of a layer's output for an image of a height and a width."""


@dataclass(frozen=True)
class Constraint:
    """What one or both axes of the image must be, and the sizes that were built to see it."""

    axes: str
    """`H`, `W` or `H and W`."""
    message: str
    fits: tuple[int, ...]
    fails: tuple[int, ...]

    def told(self) -> list[str]:
        """The message, and what was tried."""
        tried = [f"{_listed(self.fits)} fit{'' if len(self.fits) > 1 else 's'}"]
        if self.fails:
            do = "do" if len(self.fails) > 1 else "does"
            tried.append(f"{_listed(self.fails)} {do} not")
        return [self.message, f"  tried: {', '.join(tried)}"]


def constraints(
    graph: Graph, equal: Sequence[set[frozenset[Formula]]], shapes: Sequence[At]
) -> tuple[Constraint, ...]:
    """The constraint on both axes together where it is one, else one for each."""
    found = [_found(graph, axis, equal[axis], shapes) for axis in (0, 1)]
    return together(*found)


def together(rows: Found, columns: Found) -> tuple[Constraint, ...]:
    """One constraint for both axes where they are asked the same, else one for each."""
    if rows == columns:
        return (_constraint("H and W", rows),)
    return _constraint("H", rows), _constraint("W", columns)


@dataclass(frozen=True)
class Found:
    """What formulas ask along one axis: a size that leaves one of `remainders`, or more than that.

    `tried` says which sizes could be built, `wrong` for which of these the formulas do not hold.
    """

    period: int
    remainders: tuple[int, ...]
    least: int
    tried: dict[int, bool]
    wrong: tuple[int, ...]


def _found(graph: Graph, axis: int, equal: set[frozenset[Formula]], shapes: Sequence[At]) -> Found:
    own = graph.input[1 + axis]

    def attempt(size: int) -> bool | None:
        built = _built(graph, axis, size)
        return None if built is None else _hold(built, shapes)

    return search(own, *_pattern(equal, own), attempt)


def search(
    own: int, period: int, remainders: tuple[int, ...], attempt: Callable[[int], bool | None]
) -> Found:
    """The least size that fits, of those that leave these remainders, and those around it tried.

    `attempt` says whether the formulas hold for a size, and None for one that does not fit.
    """
    fitting = [n for n in range(1, own + 1) if n % period in remainders] or [own]
    tried: dict[int, bool] = {}
    wrong: list[int] = []

    def fits(size: int) -> bool:
        if size not in tried:
            holds = attempt(size)
            tried[size] = holds is not None
            if holds is False:
                wrong.append(size)
        return tried[size]

    low, high = 0, len(fitting) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(fitting[middle]) else (middle + 1, high)
    least = fitting[high]
    around = {least - period, least - 1, least, least + 1, least + period, own - 1, own, own + 1}
    built = {n: fits(n) for n in sorted(around) if n > 0}
    return Found(period, remainders, least, built, tuple(sorted(wrong)))


def _pattern(equal: set[frozenset[Formula]], own: int) -> tuple[int, tuple[int, ...]]:
    """The shortest period, and the remainders for which all formulas agree."""
    period = lcm(*(formula.period for group in equal for formula in group))
    if period > LONGEST_PERIOD:
        return period, (own % period,)
    start = own - own % period + period
    remainders = {
        n % period
        for n in range(start, start + period)
        if all(len({f.at(m) for f in group}) == 1 for group in equal for m in (n, n + period))
    }
    for shorter in (n for n in range(1, period + 1) if period % n == 0):
        short = {n % shorter for n in remainders}
        if len(short) * (period // shorter) == len(remainders):
            return shorter, tuple(sorted(short))
    return period, (own % period,)


def _built(graph: Graph, axis: int, size: int) -> Graph | None:
    """The network for this size, where it can be built."""
    height, width = (size if each == axis else graph.input[1 + each] for each in (0, 1))
    try:
        return load_graph(graph, input=(graph.input[0], height, width))
    except NotationError:
        return None


def _hold(built: Graph, shapes: Sequence[At]) -> bool:
    """Whether every shape of a network is that of its formulas."""
    _, height, width = built.input
    return all(at(height, width) == node.output for at, node in zip(shapes, built, strict=True))


def _constraint(axes: str, found: Found) -> Constraint:
    tried = found.tried.items()
    expected = {n: n % found.period in found.remainders and n >= found.least for n in found.tried}
    message = _message(axes, found.period, found.remainders, found.least)
    if expected != found.tried:
        message = f"{axes}: no rule was found, only what was tried"
    elif found.wrong:
        message += f"; the formulas do not hold at {_listed(found.wrong)}"
    return Constraint(
        axes,
        message,
        fits=tuple(n for n, fit in tried if fit),
        fails=tuple(n for n, fit in tried if not fit),
    )


def _message(axes: str, period: int, remainders: tuple[int, ...], least: int) -> str:
    both = " and " in axes
    if period == 1:
        return (
            f"{axes} must be at least {least}"
            if least > 1
            else f"any {axes} fit{'' if both else 's'}"
        )
    most = "" if least <= period else f", at least {least}"
    if remainders == (0,):
        multiples = f"multiples of {period}" if both else f"a multiple of {period}"
        return f"{axes} must be {multiples}{most}"
    if len(remainders) == 1:
        return f"{axes} must be {remainders[0]} more than a multiple of {period}{most}"
    left = _listed(remainders, "or")
    return f"{axes} divided by {period} must leave {left}{most}"


def _listed(numbers: Sequence[int], word: str = "and") -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} {word} {last}" if first else last
