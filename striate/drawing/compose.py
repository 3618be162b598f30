"""From pieces to boxes: which are drawn as volumes to scale, which as chips in a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from striate.drawing.boxes import Box, bracketed, repeated, row, wire
from striate.drawing.forks import fork
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
    last_stage,
    main_branch,
    stages,
    tell,
)
from striate.drawing.scene import GREY, Rect, Shape, Text, text_width
from striate.drawing.sides import jump, mark, side
from striate.drawing.style import INPUT, Scale, look, scale_for
from striate.drawing.volumes import chip, chip_width, notes_of, volume
from striate.graph.nodes import Graph
from striate.layers import show

VOLUME_GAP = 4.0
_CHIP_GAP = 11.0
_BRANCH_GAP = 16.0
_CHIP_BRANCH_GAP = 6.0
_CARD_PAD = 9.0
_CARD_TITLE = 8.5
_FEWEST_FOR_CARDS = 3
FRAME = "#9a9a9a"
PAPER = "#fafafa"


@dataclass(frozen=True)
class Composer:
    """Draws the pieces of one network at one scale."""

    graph: Graph
    scale: Scale
    cards: bool
    """Whether forks and blocks of the trunk are drawn as cards of chips."""
    chip_width: float
    last: Piece | None
    """The end of the trunk."""

    def image(self, drop: float) -> Box:
        """The input image."""
        shape = self.graph.input
        told = f"input: {show(shape)}"
        cuboid = self.scale.cuboid(shape)
        return replace(
            volume(cuboid, INPUT, "input", [show(shape)], told, drop),
            head=False,
        )

    def trunk(self, piece: Piece, drop: float) -> Box:
        """A piece of the main line, its labels `drop` under the axis."""
        match piece:
            case Stage():
                return self._volume(piece, drop)
            case Fold(chain, count):
                boxes = [self.trunk(inner, drop) for inner in chain]
                return repeated(row(boxes, VOLUME_GAP), count)
            case Fork(_, join):
                if self.cards:
                    return self._card_and_volume((piece,), "", drop)
                return row([self._open_fork(piece, drop), self._volume(join, drop)], VOLUME_GAP)
            case Block(title, chain, shared):
                if self.cards:
                    return self._card_and_volume(chain, title, drop)
                opened = row([self.trunk(inner, drop) for inner in chain], VOLUME_GAP)
                return bracketed(opened, title) if shared else opened
            case Side(name, chain):
                low = max(map(self.reach, chain), default=0)
                own = self._chips(chain) if self.cards and chain else self._branch(chain, low)
                return side(own, name, goes_on=piece is not self.last)
            case Mark(name, goes_on):
                return mark(name, goes_on=goes_on)
            case Jump(name):
                return jump(name)

    def reach(self, piece: Piece) -> float:
        """How far under the axis the volumes reach whose labels stand in the main line's row."""
        if isinstance(piece, Sign):
            return 0
        if isinstance(piece, Fold) or (isinstance(piece, Block) and not self.cards):
            return max(self.reach(inner) for inner in piece.chain)
        own = self.scale.cuboid(last_stage(piece).output).half
        if isinstance(piece, Fork) and not self.cards and (main := main_branch(piece)) is not None:
            return max([own, *(self.reach(inner) for inner in piece.branches[main])])
        return own

    def _volume(self, stage: Stage, drop: float) -> Box:
        told = tell(self.graph, stage)
        kind = look(stage.node.layer)
        cuboid = self.scale.cuboid(stage.output)
        return volume(cuboid, kind, stage.label, notes_of(stage), told, drop)

    def _open_fork(self, piece: Fork, drop: float) -> Box:
        main = main_branch(piece)
        branches = [
            self._branch(branch, drop if i == main else max(map(self.reach, branch), default=0))
            for i, branch in enumerate(piece.branches)
        ]
        told = tell(self.graph, piece.join)
        return fork(branches, main, piece.join.node.kind, "", told, _BRANCH_GAP)

    def _branch(self, chain: Chain, drop: float) -> Box | None:
        return row([self.trunk(piece, drop) for piece in chain], VOLUME_GAP) if chain else None

    def _card_and_volume(self, chain: Chain, title: str, drop: float) -> Box:
        last = end_of(chain)
        assert last is not None
        told = tell(self.graph, last)
        cuboid = self.scale.cuboid(last.output)
        given = volume(cuboid, look(last.node.layer), "", [show(last.output)], told, drop)
        return row([card(self._chips(chain), title), given], VOLUME_GAP)

    def _chips(self, chain: Sequence[Piece]) -> Box:
        return row([self._chip(piece) for piece in chain], _CHIP_GAP)

    def _chip(self, piece: Piece) -> Box:
        match piece:
            case Stage():
                return chip(piece, self.chip_width, tell(self.graph, piece))
            case Fold(chain, count):
                return repeated(self._chips(chain), count)
            case Fork(branches, join):
                boxes = [self._chips(branch) if branch else None for branch in branches]
                kind, note = join.node.kind, " · ".join(join.folded)
                told = tell(self.graph, join)
                return fork(boxes, main_branch(piece), kind, note, told, _CHIP_BRANCH_GAP)
            case Block(title, chain, shared):
                opened = self._chips(chain)
                return bracketed(opened, title) if shared else opened
            case Side(name, chain):
                return side(self._chips(chain) if chain else None, name)
            case Mark(name, goes_on):
                return mark(name, goes_on=goes_on)
            case Jump(name):
                return jump(name)


def composer(graph: Graph, trunk: Chain) -> Composer:
    """The composer that suits a network: cards when the trunk has three or more forks or blocks."""
    every = list(stages(trunk))
    cards = sum(_is_composite(piece) for piece in trunk) >= _FEWEST_FOR_CARDS
    return Composer(
        graph,
        scale_for(
            [graph.input, *(stage.output for stage in every)], rows=1 if cards else _rows(trunk)
        ),
        cards,
        chip_width=max((chip_width(stage) for stage in every), default=0.0),
        last=trunk[-1] if trunk else None,
    )


def _rows(chain: Chain) -> int:
    """The most branches with layers in them that stand above each other."""
    most = 1
    for piece in chain:
        if isinstance(piece, Fork):
            most = max(most, sum(_rows(branch) for branch in piece.branches if branch))
        elif isinstance(piece, Side):
            most = max(most, 1 + _rows(piece.chain)) if piece.chain else most
        elif isinstance(piece, Block | Fold):
            most = max(most, _rows(piece.chain))
    return most


def _is_composite(piece: Piece) -> bool:
    if isinstance(piece, Fold):
        return any(_is_composite(inner) for inner in piece.chain)
    return not isinstance(piece, Stage | Sign)


def card(inside: Box, title: str) -> Box:
    """A frame with a title around a box."""
    title_room = _CARD_TITLE + 5 if title else 0
    above, below = inside.above + _CARD_PAD + title_room, inside.below + _CARD_PAD
    width = max(inside.width, text_width(title, _CARD_TITLE, bold=True)) + 2 * _CARD_PAD
    frame = Rect(0, -above, width, above + below, PAPER, FRAME, 0.8, 5)
    shapes: list[Shape] = [frame]
    if title:
        y = -above + _CARD_TITLE + 3.5
        shapes.append(Text(_CARD_PAD, y, title, _CARD_TITLE, bold=True, colour=GREY))
    shapes += inside.at(_CARD_PAD, 0)
    shapes += _to_edges(inside, width)
    return Box(width, above, below, tuple(shapes), 0, width)


def _to_edges(inside: Box, width: float) -> tuple[Shape, ...]:
    lead = () if inside.begins else wire((0, 0), (_CARD_PAD + inside.enter, 0), head=inside.head)
    return (
        *lead,
        *wire((_CARD_PAD + inside.leave, 0), (width, 0)),
    )
