"""A network as text for a terminal: one line a volume on a spine, branches side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from striate.drawing.gather import pieces
from striate.drawing.parts import (
    Block,
    Chain,
    Fold,
    Fork,
    Jump,
    Mark,
    Piece,
    Side,
    Stage,
    stages,
    summary,
)
from striate.graph.nodes import Graph
from striate.layers import Shape, show

_COLUMN_GAP = 3


@dataclass(frozen=True)
class _Block:
    """Lines of text whose flow runs down column `axis`."""

    lines: tuple[str, ...]
    axis: int

    @property
    def width(self) -> int:
        return max(map(len, self.lines))


def draw_text(graph: Graph) -> str:
    """The network in Unicode box characters, one line a volume: what makes it, and its C×H×W.

    Equal neighbours are folded as in the picture. Most networks take 80 columns or less.
    """
    trunk = pieces(graph)
    shapes = [graph.input, *(stage.output for stage in stages(trunk))]
    writer = _Writer(max(len(show(shape)) for shape in shapes))
    body = _stack([writer.line("input", graph.input), *map(writer.spine, trunk)])
    lines = [graph.name, summary(graph), "", *(line.rstrip() for line in _margin(body))]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Writer:
    """Writes pieces with all shapes padded to one width, so that brackets stand in columns."""

    shape_width: int

    def line(self, text: str, shape: Shape) -> _Block:
        """One volume on the spine."""
        return _Block((f"{text} ┤ {show(shape):<{self.shape_width}}",), len(text) + 1)

    def spine(self, piece: Piece) -> _Block:
        """A piece of the main line."""
        match piece:
            case Stage():
                words = (*piece.prefix, _labelled(piece), *piece.folded)
                return self.line(" · ".join(words), piece.output)
            case Fork():
                return _stack([self._fork(piece), self.spine(piece.join)])
            case Block(title, chain) | Fold((Block(title, chain),), _):
                times = f" ×{piece.count}" if isinstance(piece, Fold) else ""
                return _braced(self._chain(chain), f"{title}{times}")
            case Fold(chain, count):
                return _braced(self._chain(chain), f"×{count}")
            case Side():
                return self._side(piece)
            case Mark() | Jump():
                return _named(piece)

    def _side(self, side: Side) -> _Block:
        """A column beside the spine, down to the tap's name."""
        if not side.chain:
            return _Block((f"├─▶ {side.name}",), 0)
        name = _Block((side.name,), len(side.name) // 2)
        column = _stack([self._column(side.chain), _Block(("▼",), 0), name])
        top = f"├{'─' * (_COLUMN_GAP - 1 + column.axis)}┐"
        lines = (f"│{' ' * (_COLUMN_GAP - 1)}{line}" for line in column.lines)
        return _Block((top, *lines), 0)

    def _chain(self, chain: Chain) -> _Block:
        return _stack([self.spine(piece) for piece in chain])

    def _fork(self, fork: Fork) -> _Block:
        """The branches of a fork, from the line that splits to the line that meets."""
        full = [branch for branch in fork.branches if branch]
        if len(full) != 1 or isinstance(full[0][0], Jump):
            begun = [bool(branch) and isinstance(branch[0], Jump) for branch in fork.branches]
            return _side_by_side([self._column(branch) for branch in fork.branches], begun)
        block = self._chain(full[0])
        for _ in range(len(fork.branches) - 1):
            block = _bypassed(block)
        return block

    def _column(self, branch: Chain) -> _Block:
        """A branch as centred lines; an identity is a line down."""
        return _stack([self._centred(piece) for piece in branch]) if branch else _Block(("│",), 0)

    def _centred(self, piece: Piece) -> _Block:
        match piece:
            case Stage():
                return _lines_of(piece)
            case Fork(_, join):
                return _stack([self._fork(piece), _lines_of(join)])
            case Block(title, chain, shared):
                column = self._column(chain)
                return _braced(column, title) if shared else column
            case Fold(chain, count):
                return _braced(self._column(chain), f"×{count}")
            case Side():
                return self._side(piece)
            case Mark() | Jump():
                return _named(piece)


def _named(piece: Mark | Jump) -> _Block:
    """A value's name where it is given, and where a line begins with it."""
    if isinstance(piece, Mark):
        return _Block((f"● {piece.name}",), 0)
    return _Block((f"○ from {piece.name}",), 0)


def _labelled(stage: Stage) -> str:
    return f"{stage.label} ({stage.note})" if stage.note else stage.label


def _margin(block: _Block) -> tuple[str, ...]:
    blank = min(len(line) - len(line.lstrip()) for line in block.lines)
    return tuple(f"  {line[blank:]}" for line in block.lines)


def _stack(blocks: Sequence[_Block]) -> _Block:
    """Blocks under each other with their axes in one column."""
    axis = max(block.axis for block in blocks)
    lines = (" " * (axis - block.axis) + line for block in blocks for line in block.lines)
    return _Block(tuple(lines), axis)


def _braced(block: _Block, label: str) -> _Block:
    """A bracket to the right of the lines, with a label at its middle."""
    count, width = len(block.lines), block.width
    if count == 1:
        return _Block((f"{block.lines[0]}  {label}",), block.axis)
    signs = ["┐", *"│" * (count - 2), "┘"]
    signs[(count - 1) // 2] += f" {label}"
    lines = (f"{line:<{width}}  {sign}" for line, sign in zip(block.lines, signs, strict=True))
    return _Block(tuple(lines), block.axis)


def _bypassed(block: _Block) -> _Block:
    """A line around the right side of a block."""
    width = block.width
    run = "─" * (width + 1 - block.axis)
    space = " " * block.axis
    lines = (f"{line:<{width}}  │" for line in block.lines)
    return _Block((f"{space}├{run}┐", *lines, f"{space}├{run}┘"), block.axis)


def _lines_of(stage: Stage) -> _Block:
    texts = [
        " · ".join(words) for words in (stage.prefix, (_labelled(stage),), stage.folded) if words
    ]
    axis = max(len(text) for text in texts) // 2
    return _Block(tuple(" " * (axis - len(text) // 2) + text for text in texts), axis)


def _side_by_side(columns: Sequence[_Block], begun: Sequence[bool]) -> _Block:
    """Columns under a line that leads to those that are not `begun` with another value."""
    height = max(len(column.lines) for column in columns)
    lines = [""] * height
    axes = []
    start = 0
    for column in columns:
        axes.append(start + column.axis)
        down = f"{' ' * column.axis}│"
        for i in range(height):
            text = column.lines[i] if i < len(column.lines) else down
            lines[i] = f"{lines[i]:<{start}}{text}"
        start += column.width + _COLUMN_GAP
    axis = (axes[0] + axes[-1]) // 2
    into = [at for at, begins in zip(axes, begun, strict=True) if not begins]
    top = (_rail(into, axis, _SPLIT),) if into else ()
    return _Block((*top, *lines, _rail(axes, axis, _MEET)), axis)


_SPLIT = ("┌", "┬", "┐", "┴", "┼")
_MEET = ("└", "┴", "┘", "┬", "┼")
"""The left end, inner branches, the right end, the spine, a branch that goes straight on."""


def _rail(axes: Sequence[int], axis: int, signs: tuple[str, str, str, str, str]) -> str:
    """A line across all branches and to the spine."""
    left, inner, right, spine, both = signs
    low, high = min(axes[0], axis), max(axes[-1], axis)
    if low == high:
        return " " * low + "│"
    rail = [" "] * low + ["─"] * (high - low + 1)
    for at in axes:
        rail[at] = inner
    rail[low], rail[high] = left, right
    if low < axis < high:
        rail[axis] = both if axis in axes else spine
    elif axis not in axes:
        rail[axis] = {_SPLIT: "└┘", _MEET: "┌┐"}[signs][axis == high]
    else:
        rail[axis] = "├" if axis == low else "┤"
    return "".join(rail)
