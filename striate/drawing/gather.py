"""From a graph to the pieces of its picture: what is one volume, and what is folded as ×N."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from itertools import groupby

from striate.drawing.parts import (
    Block,
    Chain,
    Fold,
    Fork,
    Jump,
    Mark,
    Piece,
    Side,
    Sign,
    Stage,
    end_of,
)
from striate.graph.nodes import Graph, Leaf, Node, Parallel, Part, Repeat, Series
from striate.graph.nodes import Jump as JumpPart
from striate.graph.nodes import Side as SidePart
from striate.layers import Unpool
from striate.layers.pointwise import Identity

_FOLDED_ROLES = ("norm", "activation", "regularise", "shape")


def pieces(graph: Graph) -> Chain:
    """The chain of a whole network."""
    return _chain(_Ties(graph), graph.structure.parts)


class _Ties:
    """A graph, with what its parts share with each other."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shared = frozenset(_shared(graph.structure))
        """Full names of the parts that are used again."""
        self.marked = dict(_targets(graph.structure))
        """Labels of the parts whose values are taken up elsewhere, by their full names."""
        unpools = ((i, node) for i, node in enumerate(graph) if isinstance(node.layer, Unpool))
        self.pools = {i: node.inputs[1] for i, node in unpools}
        """The pool of each unpool."""

    def note(self, index: int) -> str:
        """What a single layer shares with another."""
        node = self.graph.nodes[index]
        if index in self.pools or index in self.pools.values():
            return f"indices {_label(self.graph.nodes[self.pools.get(index, index)].name)}"
        return f"weights {_label(node.name)}" if node.name in self.shared else ""


def _shared(part: Part) -> Iterator[str]:
    if isinstance(part, Series) and part.again:
        yield part.again
    for each in _inner(part):
        yield from _shared(each)


def _targets(part: Part) -> Iterator[tuple[str, str]]:
    if isinstance(part, JumpPart):
        yield part.target, part.label
    for each in _inner(part):
        yield from _targets(each)


def _inner(part: Part) -> tuple[Part, ...]:
    match part:
        case Series(parts):
            return parts
        case Parallel(branches):
            return branches
        case Repeat(rounds):
            return rounds
        case SidePart(body):
            return (body,)
        case Leaf() | JumpPart():
            return ()


def _label(name: str) -> str:
    """The last part of a full name."""
    return name.rpartition(".")[2]


def _chain(ties: _Ties, parts: tuple[Part, ...], *, inside: bool = False) -> Chain:
    return _folded(_Gatherer(ties, inside).gather(parts))


class _Gatherer:
    """Collects the pieces of one chain, joining small layers to the volume before or after."""

    def __init__(self, ties: _Ties, inside: bool) -> None:
        self.ties = ties
        self.inside = inside
        """Whether this is part of a block or a fork, where definitions are no blocks."""
        self.found: list[Piece] = []
        self.waiting: list[Node] = []
        """Layers at the start of the chain, which join the first stage."""

    def gather(self, parts: tuple[Part, ...]) -> Chain:
        for part in parts:
            self._part(part)
        for node in self.waiting:
            if not isinstance(node.layer, Identity):
                self.found.append(Stage(node))
        return tuple(self.found)

    def _part(self, part: Part) -> None:
        match part:
            case Leaf(index):
                node = self.ties.graph.nodes[index]
                self._node(node, self.ties.note(index))
                self._mark(node.name)
            case Series():
                self._series(part)
                self._mark(part.name)
            case Repeat(rounds):
                self._repeat(rounds)
            case Parallel(branches, join):
                chains = tuple(_chain(self.ties, branch.parts, inside=True) for branch in branches)
                self._add(Fork(chains, Stage(self.ties.graph.nodes[join])))
            case SidePart(body, tap):
                self._add(Side(tap, _chain(self.ties, body.parts, inside=True)))
            case JumpPart(label):
                if self.found and isinstance(last := self.found[-1], Mark):
                    self.found[-1] = replace(last, goes_on=False)
                self._add(Jump(label))

    def _mark(self, name: str) -> None:
        if name in self.ties.marked:
            self._add(Mark(self.ties.marked[name]))

    def _node(self, node: Node, note: str) -> None:
        if node.layer.role not in _FOLDED_ROLES:
            self._add(Stage(node, note=note))
        elif not self.found:
            self.waiting.append(node)
        elif not self._attach(node):
            self.found.append(Stage(node))

    def _attach(self, node: Node) -> bool:
        """Folds a small layer into the last volume; not when that one stands for several."""
        last = self.found[-1]
        if isinstance(node.layer, Identity):
            return True
        match last:
            case Stage():
                self.found[-1] = replace(last, after=(*last.after, node))
            case Fork():
                join = replace(last.join, after=(*last.join.after, node))
                self.found[-1] = replace(last, join=join)
            case _:
                return False
        return True

    def _series(self, series: Series) -> None:
        if series.again or series.name in self.ties.shared:
            self._shared(series)
            return
        if not series.definition or self.inside:
            for part in series.parts:
                self._part(part)
            return
        whole = _chain(self.ties, series.parts, inside=True)
        opened = _chain(self.ties, series.parts)
        if end_of(whole) is None or (len(whole) == 1 and isinstance(whole[0], Stage)):
            for part in series.parts:
                self._part(part)
        elif _composites(opened) > 1:
            for piece in opened:
                self._add(piece)
        else:
            self._add(Block(series.definition, whole))

    def _shared(self, series: Series) -> None:
        """A part that is used again, or such a use: a single layer with a note, or a block."""
        match series.parts:
            case (Leaf(index),) if series.again:
                self._node(self.ties.graph.nodes[index], f"weights {_label(series.again)}")
            case parts:
                whole = _chain(self.ties, parts, inside=True)
                title = f"again {_label(series.again)}" if series.again else _label(series.name)
                if end_of(whole) is not None:
                    self._add(Block(title, whole, shared=True))

    def _repeat(self, rounds: tuple[Series, ...]) -> None:
        chains = [(_chain(self.ties, (one,), inside=self.inside), one) for one in rounds]
        for _, same in groupby(chains, key=lambda pair: _key(pair[0])):
            (chain, first), *rest = same
            if rest and chain:
                self._add(Fold(chain, 1 + len(rest)))
            else:
                for one in (first, *(series for _, series in rest)):
                    self._series(one)

    def _add(self, piece: Piece) -> None:
        if self.waiting:
            kept = tuple(node for node in self.waiting if not isinstance(node.layer, Identity))
            self.waiting.clear()
            if isinstance(piece, Stage):
                piece = replace(piece, before=kept)
            else:
                self.found.extend(Stage(node) for node in kept)
        self.found.append(piece)


def _composites(chain: Chain) -> int:
    """How many forks and blocks stand one after the other."""
    return sum(
        piece.count * _composites(piece.chain)
        if isinstance(piece, Fold)
        else not isinstance(piece, Stage | Sign)
        for piece in chain
    )


def _folded(chain: Chain) -> Chain:
    """Equal neighbours as one fold; a fold of a single piece counts as that piece, N times."""
    single = [_unfold(piece) for piece in chain]
    folded: list[Piece] = []
    for _, same in groupby(single, key=lambda pair: _key((pair[0],))):
        (piece, times), *rest = same
        total = times + sum(count for _, count in rest)
        if total == 1:
            folded.append(piece)
        elif isinstance(piece, Fold):
            folded.append(replace(piece, count=piece.count * total))
        else:
            folded.append(Fold((piece,), total))
    return tuple(folded)


def _unfold(piece: Piece) -> tuple[Piece, int]:
    if isinstance(piece, Fold) and len(piece.chain) == 1:
        return piece.chain[0], piece.count
    return piece, 1


def _key(chain: Chain) -> Hashable:
    """What makes two chains look the same: layers, settings and output shapes."""
    return tuple(_piece_key(piece) for piece in chain)


def _piece_key(piece: Piece) -> Hashable:
    match piece:
        case Stage():
            layers = tuple(node.layer for node in piece.nodes)
            return "stage", layers, len(piece.before), piece.output, piece.note
        case Fork(branches, join):
            return "fork", tuple(_key(branch) for branch in branches), _piece_key(join)
        case Block(title, chain):
            return "block", title, _key(chain)
        case Fold(chain, count):
            return "fold", count, _key(chain)
        case Side(name, chain):
            return "side", name, _key(chain)
        case Mark() | Jump():
            return (piece,)
