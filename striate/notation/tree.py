"""The tree that a text becomes. Every node keeps its half-open span; equality ignores spans."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from striate.layers import Layer
from striate.source import Source, Span


@dataclass(frozen=True)
class Number:
    """A number as written."""

    value: int | float
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Name:
    """A parameter or a constant."""

    name: str
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Binary:
    """Two expressions joined by `+ - * / // %`; `/` gives a fraction, `//` rounds down."""

    operator: str
    left: Expression
    right: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Negative:
    """`-x`."""

    operand: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Apply:
    """A function of numbers: `min max round floor ceil int divisible`."""

    function: str
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


Expression = Number | Name | Binary | Negative | Apply


@dataclass(frozen=True)
class Size:
    """Two numbers for the two axes, `3x5`: rows first."""

    rows: Expression
    columns: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Word:
    """A bare word as a value: `same`, `true`."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Argument:
    """A value for one setting of a layer, however it was written."""

    name: str
    value: Expression | Size | Word
    span: Span = field(compare=False)


@dataclass(frozen=True)
class LayerItem:
    """A layer: its kind and the settings given, in the order of the kind's own list."""

    kind: type[Layer]
    arguments: tuple[Argument, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True)
class CallItem:
    """The use of a definition."""

    name: str
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Group:
    """`[ … ]` or `[ … ]*N`."""

    body: Chain
    count: Expression | None
    span: Span = field(compare=False)


Join = Literal["concat", "add", "multiply"]


@dataclass(frozen=True)
class Branches:
    """`(a | b)` joined along depth, `(a + b)` added, or `(a * b)` multiplied."""

    join: Join
    branches: tuple[Chain, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Again:
    """`again label`: that item once more, with the same weights."""

    label: Name
    span: Span = field(compare=False)


@dataclass(frozen=True)
class From:
    """`from label`: the line goes on from what that item gave, not from what stands before."""

    label: Name
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Unpool:
    """`unpool label`: values put back where the max pool of that label found them."""

    label: Name
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Tap:
    """`tap name`: the value here as a side output; `tap name [ … ]`: what a chain makes of it."""

    name: str
    body: Chain | None
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Labelled:
    """`label: item`. The label names the item's layers in the graph."""

    label: str
    item: LayerItem | CallItem | Group | Branches | Again | Unpool
    span: Span = field(compare=False)


Item = LayerItem | CallItem | Group | Branches | Again | From | Unpool | Tap | Labelled


@dataclass(frozen=True)
class Chain:
    """Items one after the other. Never empty."""

    items: tuple[Item, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Definition:
    """`name(a, b) = chain`, or a constant `name = number` (then `body` is an expression)."""

    name: str
    parameters: tuple[str, ...]
    body: Chain | Expression
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Input:
    """`input CxHxW`."""

    channels: Expression
    height: Expression
    width: Expression
    span: Span = field(compare=False)


@dataclass(frozen=True)
class Network:
    """A whole text."""

    input: Input | None
    definitions: tuple[Definition, ...]
    chain: Chain
    source: Source = field(compare=False)
