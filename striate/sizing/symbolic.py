"""The sizes of a network's volumes as formulas of the image's, and the sizes that it can take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from striate.graph import IMAGE, Graph, Node, load_graph
from striate.layers import Shape, product
from striate.layers.compact import compact
from striate.sizing.constraints import Constraint, constraints
from striate.sizing.formulas import Formula, Step, constant
from striate.sizing.table import NARROWEST, laid_out
from striate.source import Source

LETTERS = ("H", "W")


@dataclass(frozen=True)
class Volume:
    """Channels, and the formulas of rows and columns."""

    channels: int
    sizes: tuple[Formula, Formula]

    def at(self, height: int, width: int) -> tuple[int, int, int]:
        """Its shape for an image of a size."""
        return self.channels, self.sizes[0].at(height), self.sizes[1].at(width)


@dataclass(frozen=True)
class Symbol:
    """What a layer gives: a volume, or the values of volumes one after the other."""

    volumes: tuple[Volume, ...]
    flat: bool = False

    def at(self, height: int, width: int) -> Shape:
        """Its shape for an image of a size."""
        shapes = [volume.at(height, width) for volume in self.volumes]
        return (sum(map(product, shapes)),) if self.flat else shapes[0]

    def written(self) -> tuple[str, str, str]:
        """Channels, rows and columns; of a vector the number of its values alone."""
        if not self.flat:
            volume = self.volumes[0]
            rows, columns = (f.written(c) for f, c in zip(volume.sizes, LETTERS, strict=True))
            return str(volume.channels), rows, columns
        return " + ".join(map(_product, self.volumes)), "", ""


def _product(volume: Volume) -> str:
    factors, number = [], volume.channels
    for formula, letter in zip(volume.sizes, LETTERS, strict=True):
        if formula.is_constant:
            number *= formula.at(1)
        else:
            text = formula.written(letter)
            factors.append(text if text == letter else f"({text})")
    return "·".join([str(number), *factors])


@dataclass(frozen=True)
class Unsaid:
    """What a layer gives where no formula was found for it."""

    axes: int

    def written(self) -> tuple[str, str, str]:
        """Question marks, as many as it has axes."""
        marks = ("?",) * min(self.axes, 3) + ("",) * (3 - min(self.axes, 3))
        return marks[0], marks[1], marks[2]


@dataclass(frozen=True)
class SymbolicRow:
    """A layer and what it gives for an image of H×W."""

    name: str
    notation: str
    output: Symbol | Unsaid


@dataclass(frozen=True)
class SymbolicSizes:
    """Every layer's sizes for an image of H×W, and the sizes that the network takes."""

    name: str
    channels: int
    rows: tuple[SymbolicRow, ...]
    constraints: tuple[Constraint, ...]

    def to_json(self) -> str:
        """The formulas in the signs of programming languages, and the constraints."""
        layers = [
            {"name": row.name, "notation": row.notation, "output": _json(row.output)}
            for row in self.rows
        ]
        found = [
            {"message": each.message, "fits": list(each.fits), "fails": list(each.fails)}
            for each in self.constraints
        ]
        value = {"name": self.name, "layers": layers, "constraints": found}
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"

    def table(self, width: int = 100) -> str:
        """The formulas for people, and the constraints with the sizes that were tried."""
        outputs = [row.output.written() for row in self.rows]
        columns = {
            "layer": [row.name for row in self.rows],
            "notation": [row.notation for row in self.rows],
            "channels": [channels for channels, _, _ in outputs],
            "rows": [rows for _, rows, _ in outputs],
            "columns": [columns for _, _, columns in outputs],
        }
        head, *body = laid_out(columns, max(width, NARROWEST))
        rule = "─" * max(map(len, (head, *body)))
        title = f"{self.name} · input {self.channels}×H×W"
        told = [line for each in self.constraints for line in each.told()]
        return "\n".join(map(str.rstrip, [title, "", head, rule, *body, rule, *told])) + "\n"


def _json(symbol: Symbol | Unsaid) -> list[str]:
    texts = filter(None, symbol.written())
    return [text.replace("·", "*").replace("−", "-") for text in texts]


def symbolic(what: str | Path | Source | Graph, *, input: Shape | None = None) -> SymbolicSizes:
    """The output of every layer for an image of any height H and width W, and what fits.

    The formulas come from each layer's own shape rule, and hold for the sizes that fit; those
    around the smallest and around the network's own are built, and every shape is compared. Raises
    UserError when there is no such network, and NotationError when its text is wrong or its own
    size does not fit.
    """
    graph = load_graph(what, input=input)
    symbols, equal = _symbols(graph)
    rows = tuple(
        SymbolicRow(node.name, compact(node.layer), symbols[i]) for i, node in enumerate(graph)
    )
    shapes = [symbols[i].at for i in range(len(graph.nodes))]
    return SymbolicSizes(graph.name, graph.input[0], rows, constraints(graph, equal, shapes))


Equalities = tuple[set[frozenset[Formula]], set[frozenset[Formula]]]


def _symbols(graph: Graph) -> tuple[dict[int, Symbol], Equalities]:
    """What every node gives, and the formulas that must be equal where branches meet."""
    equal: Equalities = (set(), set())
    symbols = {IMAGE: Symbol((Volume(graph.input[0], (Formula(), Formula())),))}
    for i, node in enumerate(graph):
        symbols[i] = _symbol(graph, node, [symbols[j] for j in node.measured], equal)
    return symbols, equal


def _symbol(graph: Graph, node: Node, inputs: list[Symbol], equal: Equalities) -> Symbol:
    if len(node.output) == 1:
        return _vector(graph, node, inputs)
    if len(inputs) == 1:
        rows, columns = (
            inputs[0].volumes[0].sizes[axis].then(_step(graph, node, axis)) for axis in (0, 1)
        )
    else:
        met = [symbol for symbol in inputs[: len(node.inputs)] if not symbol.flat]
        rows, columns = (
            _met([symbol.volumes[0].sizes[axis] for symbol in met], equal[axis]) for axis in (0, 1)
        )
        if node.shaped_by:
            rows, columns = inputs[-1].volumes[0].sizes
    return Symbol((Volume(node.output[0], (rows, columns)),))


def _vector(graph: Graph, node: Node, inputs: list[Symbol]) -> Symbol:
    """Values in a row: those of its inputs where it keeps their number, else a fixed number."""
    shapes = graph.shapes_into(node)
    if node.layer.role != "linear":
        if node.output[0] == sum(map(product, shapes)):
            return Symbol(tuple(v for symbol in inputs for v in symbol.volumes), flat=True)
        if node.output == shapes[0]:
            return inputs[0]
    return Symbol((Volume(node.output[0], (constant(1), constant(1))),), flat=True)


def _met(formulas: list[Formula], equal: set[frozenset[Formula]]) -> Formula:
    """The simplest formula of branches that must agree; one of 1 row is spread over the others."""
    spread = [formula for formula in formulas if formula != constant(1)]
    unlike = frozenset(spread)
    if len(unlike) > 1:
        equal.add(unlike)
    return min(spread or formulas, key=lambda formula: (len(formula.steps), formula.period))


def _step(graph: Graph, node: Node, axis: int) -> Step:
    """What a layer does to a size, from its own shape rule at enough sizes to be sure."""
    shapes = graph.shapes_into(node)
    size = shapes[0][1 + axis]

    def given(tried: int) -> int:
        shape = list(shapes[0])
        shape[1 + axis] = tried
        return node.layer.output((tuple(shape),))[1 + axis]

    stride = Fraction(node.layer.window(shapes, node.output).stride[axis])
    factor, divisor = stride.denominator, stride.numerator
    if len({given(size), given(size + divisor), given(3 * size + divisor)}) == 1:
        return Step(0, given(size), 1)
    tried = range(size, size + 2 * divisor)
    return Step(factor, max(divisor * given(n) - factor * n for n in tried), divisor)
