"""What a picture of a network shows: stages, forks, blocks, and what is folded as ×N.

A stage is one volume: the layer that makes it, and the normalisations, activations and dropout
around it that leave its shape alone. Neighbours of the same layers, settings and shapes are folded.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from striate.drawing.labels import big
from striate.graph.nodes import Graph, Leaf, Node, Parallel, Part, Repeat, Series
from striate.layers import Shape, product, show
from striate.layers.compact import compact
from striate.layers.pointwise import Identity

_FOLDED_ROLES = ("norm", "activation", "regularise", "shape")


@dataclass(frozen=True)
class Stage:
    """One volume: the node that makes it, with what is folded in before and after it."""

    node: Node
    before: tuple[Node, ...] = ()
    after: tuple[Node, ...] = ()

    @property
    def output(self) -> Shape:
        return self.node.output

    @property
    def label(self) -> str:
        """The layer in a few letters."""
        return compact(self.node.layer)

    @property
    def folded(self) -> tuple[str, ...]:
        """What follows in the same volume: `("bn", "relu")`."""
        return tuple(compact(node.layer) for node in self.after)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before the layer in the same place."""
        return tuple(compact(node.layer) for node in self.before)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (*self.before, self.node, *self.after)


@dataclass(frozen=True)
class Fork:
    """Branches of one input and the stage in which they meet; an identity is an empty branch."""

    branches: tuple[Chain, ...]
    join: Stage


@dataclass(frozen=True)
class Block:
    """The use of a definition."""

    title: str
    chain: Chain


@dataclass(frozen=True)
class Fold:
    """A chain that occurs `count` times in a row."""

    chain: Chain
    count: int


Piece = Stage | Fork | Block | Fold
Chain = tuple[Piece, ...]


def pieces(graph: Graph) -> Chain:
    """The chain of a whole network."""
    return _chain(graph, graph.structure.parts)


def stages(chain: Chain) -> Iterator[Stage]:
    """Every stage once, those inside forks, blocks and folds too, in order of execution."""
    for piece in chain:
        match piece:
            case Stage():
                yield piece
            case Fork(branches, join):
                for branch in branches:
                    yield from stages(branch)
                yield join
            case Block() | Fold():
                yield from stages(piece.chain)


def last_stage(piece: Piece) -> Stage:
    """The stage whose volume a piece gives."""
    while not isinstance(piece, Stage):
        piece = piece.join if isinstance(piece, Fork) else piece.chain[-1]
    return piece


def main_branch(fork: Fork) -> int | None:
    """The branch that stays on the axis, the others going around it: a sum's longest, the one that
    a gate of 1×1 multiplies, or the only one that is no identity. None when all are drawn as
    equals."""
    gated = [
        not branch or last_stage(branch[-1]).output == fork.join.output for branch in fork.branches
    ]
    if fork.join.node.kind == "multiply" and not all(gated):
        return gated.index(True)
    lengths = [_length(branch) for branch in fork.branches]
    most = max(lengths)
    if not most or (fork.join.node.kind == "concat" and sum(map(bool, lengths)) > 1):
        return None
    return lengths.index(most)


def _length(chain: Chain) -> int:
    """How many stages stand one after the other."""
    total = 0
    for piece in chain:
        match piece:
            case Stage():
                total += 1
            case Fork(branches, _):
                total += 1 + max(map(_length, branches))
            case Block(_, inner):
                total += _length(inner)
            case Fold(inner, count):
                total += count * _length(inner)
    return total


def tell(graph: Graph, stage: Stage) -> str:
    """The stage in words: each layer's name, kind, output and parameters."""
    return "\n".join(
        f"{node.name}: {compact(node.layer)} → {show(node.output)}"
        + (f", {count:,} parameters" if (count := parameters(graph, node)) else "")
        for node in stage.nodes
    )


def parameters(graph: Graph, node: Node) -> int:
    """The number of learned values of a layer; none where it uses those of another."""
    return sum(product(shape) for shape in graph.weights(node).values())


def summary(graph: Graph) -> str:
    """The network in one line: its input and output, parameters and MACs."""
    weights = sum(parameters(graph, node) for node in graph)
    macs = sum(node.layer.macs(graph.shapes_into(node), node.output) for node in graph)
    ends = f"{show(graph.input)} → {show(graph.output)}"
    return f"{ends} · {weights:,} parameters · {big(macs)} MACs"


def _chain(graph: Graph, parts: tuple[Part, ...], *, inside: bool = False) -> Chain:
    return _folded(_Gatherer(graph, inside).gather(parts))


class _Gatherer:
    """Collects the pieces of one chain, joining small layers to the volume before or after."""

    def __init__(self, graph: Graph, inside: bool) -> None:
        self.graph = graph
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
                self._node(self.graph.nodes[index])
            case Series(parts, _, definition):
                self._series(parts, definition)
            case Repeat(rounds):
                self._repeat(rounds)
            case Parallel(branches, join):
                chains = tuple(_chain(self.graph, branch.parts, inside=True) for branch in branches)
                self._add(Fork(chains, Stage(self.graph.nodes[join])))

    def _node(self, node: Node) -> None:
        if node.layer.role not in _FOLDED_ROLES:
            self._add(Stage(node))
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

    def _series(self, parts: tuple[Part, ...], definition: str) -> None:
        if not definition or self.inside:
            for part in parts:
                self._part(part)
            return
        whole = _chain(self.graph, parts, inside=True)
        if len(whole) == 1 and isinstance(whole[0], Stage):
            for part in parts:
                self._part(part)
            return
        opened = _chain(self.graph, parts)
        if _composites(opened) > 1:
            for piece in opened:
                self._add(piece)
        else:
            self._add(Block(definition, whole))

    def _repeat(self, rounds: tuple[Series, ...]) -> None:
        chains = [(_round(self.graph, one, self.inside), one) for one in rounds]
        for _, same in groupby(chains, key=lambda pair: _key(pair[0])):
            (chain, first), *rest = same
            if rest and chain:
                self._add(Fold(chain, 1 + len(rest)))
            else:
                for one in (first, *(series for _, series in rest)):
                    self._series(one.parts, one.definition)

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
        else not isinstance(piece, Stage)
        for piece in chain
    )


def _round(graph: Graph, series: Series, inside: bool) -> Chain:
    """The chain of one repetition, which may itself be the use of a definition."""
    return _chain(graph, (series,), inside=inside)


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
            return "stage", layers, len(piece.before), piece.output
        case Fork(branches, join):
            return "fork", tuple(_key(branch) for branch in branches), _piece_key(join)
        case Block(title, chain):
            return "block", title, _key(chain)
        case Fold(chain, count):
            return "fold", count, _key(chain)
