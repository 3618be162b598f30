"""Labels and what refers to them: `again stem`, `from stem`, `unpool p1`."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator

from striate.layers import MaxPool
from striate.notation.notes import Notes
from striate.notation.printer import print_item
from striate.notation.tree import (
    Again,
    Branches,
    Chain,
    From,
    Group,
    Item,
    Labelled,
    LayerItem,
    Name,
    Network,
    Tap,
    Unpool,
)
from striate.notation.vocabulary import nearest

Labels = ChainMap[str, Item]
"""The items that a reference may name at one place, the innermost chain's first."""


def check_labels(network: Network, notes: Notes) -> None:
    """Notes every reference to a label that does not stand before it, where it can be seen.

    A reference sees the labels before it in its own chain, in the chains around that one, and in
    earlier branches beside it; a definition sees its own alone.
    """
    bodies = [network.chain]
    bodies += [each.body for each in network.definitions if isinstance(each.body, Chain)]
    known = [frozenset(_labels_in(body)) for body in bodies]
    everywhere = frozenset().union(*known)
    for body, own in zip(bodies, known, strict=True):
        _Checker(notes, own, everywhere).chain(body, ChainMap())


def _labels_in(chain: Chain) -> Iterator[str]:
    waiting = [chain]
    while waiting:
        for item in waiting.pop().items:
            if isinstance(item, Labelled):
                yield item.label
                item = item.item
            waiting += inner_chains(item)


def inner_chains(item: Item) -> tuple[Chain, ...]:
    """The chains that stand in an item's brackets."""
    match item:
        case Labelled(_, inner):
            return inner_chains(inner)
        case Group(body) | Tap(_, Chain() as body):
            return (body,)
        case Branches(_, branches):
            return branches
        case _:
            return ()


class _Checker:
    """Walks one body, with the labels that can be seen."""

    def __init__(self, notes: Notes, known: frozenset[str], everywhere: frozenset[str]) -> None:
        self.notes = notes
        self.known = known
        """All labels of the body, those that cannot be seen too."""
        self.everywhere = everywhere
        """Those of all definitions and of the network."""

    def chain(self, chain: Chain, labels: Labels) -> None:
        for item in chain.items:
            inner = item.item if isinstance(item, Labelled) else item
            self.item(inner, labels)
            if isinstance(item, Labelled):
                labels[item.label] = _meant(inner, labels)

    def item(self, item: Item, labels: Labels) -> None:
        match item:
            case Again(label) | From(label):
                self.find(label, labels)
            case Unpool(label) if self.find(label, labels):
                self.pool(label, labels[label.name])
            case _:
                inside = labels.new_child()
                for chain in inner_chains(item):
                    self.chain(chain, inside)

    def find(self, label: Name, labels: Labels) -> bool:
        """Whether a label can be seen; noted where it cannot."""
        if label.name in labels:
            return True
        name = label.name
        if name in self.known:
            message = (
                f"'{name}' cannot be seen from here: a label is seen by what follows it in its own "
                "chain and in the brackets there. Move the label before this place"
            )
        elif name in self.everywhere:
            message = (
                f"'{name}' cannot be seen from here: a definition sees its own labels alone, and "
                "they cannot be seen from outside. Put the label and this place in one definition, "
                "or both in the network"
            )
        elif (near := nearest(name, labels)) is not None:
            message = f"no label '{name}' stands before this. Did you mean '{near}'?"
        else:
            message = (
                f"no label '{name}' stands before this. A label names an item, as in "
                f"{name}: [ … ], or {name}: pool2 for a pool"
            )
        self.notes.add(message, label.span)
        return False

    def pool(self, label: Name, target: Item) -> None:
        if not (isinstance(target, LayerItem) and target.kind is MaxPool):
            self.notes.add(
                f"unpool takes the indices of a max pool, and '{label.name}' is "
                f"{_shortened(print_item(target))}. Label the pool itself, as in "
                f"{label.name}: pool2",
                label.span,
            )


def _meant(item: Item, labels: Labels) -> Item:
    """The item itself, or the one that an `again` stands for."""
    return labels.get(item.label.name, item) if isinstance(item, Again) else item


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
