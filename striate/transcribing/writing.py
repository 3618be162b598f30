"""From a network's chains and branches to its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields

from striate.layers import Layer, Value
from striate.layers.pointwise import Identity
from striate.notation import print_network
from striate.notation.tree import (
    Again,
    Argument,
    Branches,
    Chain,
    From,
    Group,
    Input,
    Item,
    Labelled,
    LayerItem,
    Name,
    Negative,
    Network,
    Number,
    Size,
    Tap,
    Word,
)
from striate.source import Source, Span
from striate.transcribing.steps import Steps
from striate.transcribing.structure import Placed, Tree

NOWHERE = Span(0, 0)
_WORTH = 2
"""Layers that a repetition must save to be written as one."""


def write(network: Steps, tree: Tree) -> str:
    """The network's text, repetitions written as such."""
    channels, height, width = (Number(n, NOWHERE) for n in network.input)
    chain = _Writer(network).chain(tree.chain)
    found = Network(Input(channels, height, width, NOWHERE), (), chain, Source(""))
    return print_network(found)


class _Writer:
    def __init__(self, network: Steps) -> None:
        self.network = network

    def chain(self, placed: Sequence[Placed]) -> Chain:
        """Items one after the other; `id` where there are none."""
        items: list[Item] = []
        for each in placed:
            items.append(self._item(each))
            for name, body in each.taps:
                items.append(Tap(name, self.chain(body) if body else None, NOWHERE))
        return Chain(tuple(folded(items)) or (item_of(Identity()),), NOWHERE)

    def _item(self, placed: Placed) -> Item:
        item: LayerItem | Branches | Again | Group
        if placed.origin:
            return From(Name(placed.origin, NOWHERE), NOWHERE)
        if placed.again:
            item = Again(Name(placed.again, NOWHERE), NOWHERE)
        elif placed.group:
            item = Group(self.chain(placed.group), None, NOWHERE)
        elif placed.join:
            branches = tuple(self.chain(branch) for branch in placed.branches)
            item = Branches(placed.join, branches, NOWHERE)
        else:
            layer = self.network.steps[placed.step].layer if placed.step >= 0 else Identity()
            item = item_of(layer)
        return Labelled(placed.label, item, NOWHERE) if placed.label else item


def item_of(layer: Layer) -> LayerItem:
    """A layer as a text has it: the settings that are not what they would be anyway."""
    kind = type(layer)
    usual = {f.name: f.default for f in fields(layer)}
    arguments = []
    for setting in kind.settings:
        value = getattr(layer, setting.name)
        default = usual.get(setting.name, MISSING)
        if value is None or (value == default and setting.name != kind.number):
            continue
        arguments.append(Argument(setting.name, _value(value), NOWHERE))
    return LayerItem(kind, tuple(arguments), NOWHERE)


def _value(value: Value) -> Number | Negative | Size | Word:
    if isinstance(value, bool):
        return Word(str(value).lower(), NOWHERE)
    if isinstance(value, str):
        return Word(value, NOWHERE)
    if isinstance(value, int | float):
        size = Number(int(abs(value)) if value == int(value) else abs(value), NOWHERE)
        return Negative(size, NOWHERE) if value < 0 else size
    rows, columns = value
    if rows == columns:
        return Number(rows, NOWHERE)
    return Size(Number(rows, NOWHERE), Number(columns, NOWHERE), NOWHERE)


def folded(items: Sequence[Item]) -> list[Item]:
    """The same items with what comes several times in a row as `[…]*N`."""
    found: list[Item] = []
    at = 0
    while at < len(items):
        saved, period, count = max(
            (_repetition(items, at, period) for period in range(1, (len(items) - at) // 2 + 1)),
            default=(0, 1, 1),
            key=lambda each: (each[0], -each[1]),
        )
        if saved < _WORTH:
            found.append(items[at])
            at += 1
            continue
        while not _leads(items[at]) and _repetition(items, at + 1, period)[0] == saved:
            found.append(items[at])
            at += 1
        found.append(Group(_body(items[at : at + period]), Number(count, NOWHERE), NOWHERE))
        at += period * count
    return found


def _body(items: Sequence[Item]) -> Chain:
    match items:
        case [Group(body, None)]:
            return body
    return Chain(tuple(folded(items)), NOWHERE)


def _leads(item: Item) -> bool:
    """Whether a block is written as beginning with this: not with what follows a layer."""
    follows = ("activation", "norm", "regularise")
    return not (isinstance(item, LayerItem) and item.kind.role in follows)


def _repetition(items: Sequence[Item], at: int, period: int) -> tuple[int, int, int]:
    """The layers that are saved by a repetition of that many items, and how often they come."""
    body = items[at : at + period]
    count = 1
    while items[at + count * period : at + (count + 1) * period] == body:
        count += 1
    if count == 1 or not all(_plain(item) for item in body):
        return 0, period, 1
    return (count - 1) * sum(_size(item) for item in body), period, count


def _chains(item: Item) -> tuple[Chain, ...]:
    match item:
        case Labelled(_, inner):
            return _chains(inner)
        case Group(body, _):
            return (body,)
        case Branches(_, branches):
            return branches
    return ()


def _plain(item: Item, labels: frozenset[str] = frozenset()) -> bool:
    """Whether an item can be written once for several: without names that are used elsewhere.

    `labels` are those that it may refer to. What is labelled in brackets is seen there alone.
    """
    if isinstance(item, Labelled | Again | Tap):
        return False
    if isinstance(item, From):
        return item.label.name in labels
    for chain in _chains(item):
        seen = labels
        for inner in chain.items:
            if not _plain(inner.item if isinstance(inner, Labelled) else inner, seen):
                return False
            if isinstance(inner, Labelled):
                seen |= {inner.label}
    return True


def _size(item: Item) -> int:
    """The layers in an item as they are written."""
    return sum(_size(inner) for chain in _chains(item) for inner in chain.items) or 1
