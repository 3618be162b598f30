"""Which layer of one network is which of another: the best match that keeps both orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from striate.sizing.ledger import Row

Match = tuple["Row | None", "Row | None"]

_KIND, _NAME, _NOTATION, _OUTPUT = 1, 2, 2, 2
"""What counterparts have in common, and how much it counts."""


def align(before: Sequence[Row], after: Sequence[Row]) -> list[Match]:
    """All rows of both in order, matched so that what matches have in common adds up to the most.

    Needleman & Wunsch 1970, without a cost of gaps; rows of two kinds do not match,
    but for a layer of a text and a torch module of the same numbers. Of several
    best ways, the earliest rows match; what was removed stands before what was added.
    """
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    inner = _aligned(before[start : len(before) - end], after[start : len(after) - end])
    ending = zip(before[len(before) - end :], after[len(after) - end :], strict=True)
    return [*zip(before[:start], after[:start], strict=True), *inner, *ending]


def _common(before: Sequence[Row], after: Sequence[Row]) -> int:
    """How many rows at the beginning have all in common."""
    most = _KIND + _NAME + _NOTATION + _OUTPUT
    pairs = zip(before, after, strict=False)
    unlike = (i for i, (one, other) in enumerate(pairs) if likeness(one, other) < most)
    return next(unlike, min(len(before), len(after)))


def likeness(before: Row, after: Row) -> int:
    """How much two rows have in common; 0 where they do not match."""
    if before.kind != after.kind:
        return _KIND + _OUTPUT if are_one_kind(before, after) else 0
    same = _NAME * (before.name == after.name) + _OUTPUT * (before.output == after.output)
    return _KIND + same + _NOTATION * (before.notation == after.notation)


def are_one_kind(before: Row, after: Row) -> bool:
    """Whether one is a layer of a text and the other a torch module of the same numbers.

    `conv` is in the name of `Conv2d`, `pool` in that of `MaxPool2d`; weights tell for themselves.
    """
    if (before.span is None) == (after.span is None) or _numbers(before) != _numbers(after):
        return False
    one, other = before.kind.lower(), after.kind.lower()
    return before.parameters > 0 or one in other or other in one


def _numbers(row: Row) -> tuple[object, ...]:
    return row.output, row.parameters, row.macs


def _aligned(before: Sequence[Row], after: Sequence[Row]) -> list[Match]:
    best = _best(before, after)
    matches: list[Match] = []
    added: list[Match] = []
    i = j = 0
    while i < len(before) or j < len(after):
        if i < len(before) and j < len(after):
            alike = likeness(before[i], after[j])
            if alike and best[i][j] == alike + best[i + 1][j + 1]:
                matches += [*added, (before[i], after[j])]
                added, i, j = [], i + 1, j + 1
                continue
        if i < len(before) and best[i][j] == best[i + 1][j]:
            matches.append((before[i], None))
            i += 1
        else:
            added.append((None, after[j]))
            j += 1
    return [*matches, *added]


def _best(before: Sequence[Row], after: Sequence[Row]) -> list[list[int]]:
    """The most that rows from `i` on can have in common with those from `j` on, at `[i][j]`."""
    best = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i in range(len(before) - 1, -1, -1):
        here, below = best[i], best[i + 1]
        for j in range(len(after) - 1, -1, -1):
            most = max(below[j], here[j + 1])
            alike = likeness(before[i], after[j])
            here[j] = max(most, alike + below[j + 1]) if alike else most
    return best
