"""What a picture of a network shows: stages, forks, blocks, and what is folded as ×N.

A stage is one volume: the layer that makes it, and the normalisations, activations and dropout
around it that leave its shape alone. Neighbours of the same layers, settings and shapes are folded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from striate.drawing.labels import big
from striate.graph.nodes import Graph, Node
from striate.layers import Shape, product, show
from striate.layers.compact import compact


@dataclass(frozen=True)
class Stage:
    """One volume: the node that makes it, with what is folded in before and after it."""

    node: Node
    before: tuple[Node, ...] = ()
    after: tuple[Node, ...] = ()
    note: str = ""
    """What it shares with another stage: `indices p1`, `weights stem`."""

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
    """The use of a definition, or a part whose weights are `shared` with another."""

    title: str
    chain: Chain
    shared: bool = False


@dataclass(frozen=True)
class Side:
    """A tap: the way from the main line to a side output, empty where it is the value itself."""

    name: str
    chain: Chain


@dataclass(frozen=True)
class Mark:
    """The name of a value that is taken up elsewhere."""

    name: str
    goes_on: bool = True
    """Whether the line goes on from it."""


@dataclass(frozen=True)
class Jump:
    """Where a line begins at the value of that name."""

    name: str


@dataclass(frozen=True)
class Fold:
    """A chain that occurs `count` times in a row."""

    chain: Chain
    count: int


Sign = Side | Mark | Jump
"""What stands on a line without being a part of its way."""
Piece = Stage | Fork | Block | Fold | Sign
Chain = tuple[Piece, ...]


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
            case Block() | Fold() | Side():
                yield from stages(piece.chain)


def join_kinds(chain: Chain) -> set[str]:
    """In what ways branches meet anywhere."""
    found: set[str] = set()
    for piece in chain:
        match piece:
            case Fork(branches, join):
                found |= {join.node.kind, *(kind for each in branches for kind in join_kinds(each))}
            case Block() | Fold() | Side():
                found |= join_kinds(piece.chain)
    return found


def any_named(chain: Chain) -> bool:
    """Whether a value anywhere has a name by which it is taken up elsewhere."""
    for piece in chain:
        match piece:
            case Mark() | Jump():
                return True
            case Fork(branches):
                if any(map(any_named, branches)):
                    return True
            case Block() | Fold() | Side():
                if any_named(piece.chain):
                    return True
    return False


def end_of(chain: Chain) -> Stage | None:
    """The stage whose volume a chain gives; None where it has none but those of taps."""
    for piece in reversed(chain):
        match piece:
            case Stage():
                return piece
            case Fork():
                return piece.join
            case Block() | Fold() if (end := end_of(piece.chain)) is not None:
                return end
    return None


def last_stage(piece: Piece) -> Stage:
    """The stage whose volume a piece of the main line gives."""
    end = end_of((piece,))
    assert end is not None
    return end


def main_branch(fork: Fork) -> int | None:
    """The branch that stays on the axis, the others going around it: a sum's longest, the one that
    a gate of 1×1 multiplies, or the only one that is no identity. None when all are drawn as
    equals."""
    ends = [end_of(branch) for branch in fork.branches]
    full = [end is None or end.output == fork.join.output for end in ends]
    if fork.join.node.kind == "multiply" and any(full) and not all(full):
        return full.index(True)
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
        + (f", the weights of {node.weights}" if node.weights else "")
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
