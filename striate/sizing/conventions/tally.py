"""A ledger with a column of what a convention counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from striate.sizing.conventions.use import Convention, Count, Use
from striate.sizing.lints import Lint
from striate.sizing.table import big

if TYPE_CHECKING:
    from striate.sizing.ledger import Ledger


@dataclass(frozen=True)
class Uses:
    """What a row uses of torch."""

    modules: tuple[Use, ...] = ()
    functions: tuple[Use, ...] = ()


@dataclass(frozen=True)
class Tally:
    """A convention, what it counts of a network, and what the tool itself prints."""

    name: str
    version: str
    word: str
    counted: int
    printed: int

    @property
    def title(self) -> str:
        """`torchinfo 1.8.0`."""
        return f"{self.name} {self.version}".rstrip()


def tallied(ledger: Ledger, convention: Convention, uses: Sequence[Uses]) -> Ledger:
    """The ledger with the convention's count in every row, and notes where the tool is wrong."""
    counts = [tuple(_counts(convention, each)) for each in uses]
    rows = tuple(
        replace(row, counted=sum(count.counted for count in found))
        for row, found in zip(ledger.rows, counts, strict=True)
    )
    tally = Tally(
        convention.name,
        convention.version,
        convention.word,
        counted=sum(count.counted for found in counts for count in found),
        printed=sum(count.printed for found in counts for count in found),
    )
    wrong = tuple(_notes(tally, [row.name for row in rows], counts))
    return replace(ledger, rows=rows, tally=tally, lints=(*ledger.lints, *wrong))


def _counts(convention: Convention, uses: Uses) -> Iterator[Count]:
    yield from map(convention.of_module, uses.modules)
    yield from map(convention.of_function, uses.functions)


def _notes(tally: Tally, names: Sequence[str], counts: Sequence[Iterable[Count]]) -> Iterator[Lint]:
    """One note for each way in which the tool is wrong, with the layers and the difference."""
    differences: dict[str, dict[str, int]] = {}
    for name, found in zip(names, counts, strict=True):
        for count in found:
            if difference := count.printed - count.counted:
                layers = differences.setdefault(count.why, {})
                layers[name] = layers.get(name, 0) + difference
    for why, layers in differences.items():
        total = sum(layers.values())
        amount = f"{big(abs(total))} {'too many' if total > 0 else 'too few'}"
        message = f"{tally.title} itself {why}: {amount} for {_listed(list(layers))}"
        yield Lint("convention", "note", message, tuple(layers), 0, 0, (0, 0), message)


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
