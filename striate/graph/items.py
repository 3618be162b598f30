"""What a network is made of once its definitions are opened and its expressions evaluated.

It still has the form of the text: a repetition is kept once, with its count.
"""

from __future__ import annotations

from dataclasses import dataclass

from striate.layers import Layer, Unpool
from striate.source import Span


@dataclass(frozen=True)
class Step:
    """One layer."""

    layer: Layer
    span: Span
    size: int = 1


@dataclass(frozen=True)
class Run:
    """Items one after the other. `size` counts the layers that any item stands for."""

    items: tuple[Item, ...]
    size: int


@dataclass(frozen=True)
class Use:
    """A definition with its parameters filled in; `shown` is how a message names it."""

    definition: str
    shown: str
    body: Run
    span: Span

    @property
    def size(self) -> int:
        """At least 1: what stands for no layer takes time all the same, and uses can double."""
        return max(1, self.body.size)


@dataclass(frozen=True)
class Loop:
    """A run that is repeated."""

    body: Run
    times: int
    span: Span

    @property
    def size(self) -> int:
        return self.body.size * self.times


@dataclass(frozen=True)
class Fork:
    """Branches of one input that meet."""

    join: Layer
    branches: tuple[Run, ...]
    span: Span
    size: int


@dataclass(frozen=True)
class Named:
    """An item with a label."""

    label: str
    item: Step | Use | Run | Loop | Fork | Again | Unpooling
    depth: int = 0
    """How deep it nests, what it refers to included."""

    @property
    def size(self) -> int:
        return self.item.size


@dataclass(frozen=True)
class Again:
    """A labelled item once more, with the same weights."""

    target: Named
    span: Span

    @property
    def size(self) -> int:
        """At least 1, as that of a use."""
        return max(1, self.target.size)


@dataclass(frozen=True)
class Jump:
    """The line goes on from what the labelled item gave. It counts as a layer."""

    target: Named
    span: Span
    size: int = 1


@dataclass(frozen=True)
class Unpooling:
    """A max-unpooling with the indices of the step of that label."""

    layer: Unpool
    target: Named
    span: Span
    size: int = 1


@dataclass(frozen=True)
class Side:
    """A tap, with what stands between the main line and its value. It counts as a layer."""

    name: str
    body: Run
    span: Span

    @property
    def size(self) -> int:
        return 1 + self.body.size


@dataclass(frozen=True)
class Broken:
    """An item in which a problem was found: nothing after it on its path can be checked."""

    size: int = 0


Item = Step | Use | Run | Loop | Fork | Again | Jump | Unpooling | Side | Named | Broken
