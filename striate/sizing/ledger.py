"""The ledger of a network: one row a layer, and totals that the rows sum to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from striate.errors import UserError
from striate.graph import IMAGE, Graph, Node, load_graph
from striate.layers import Pair, Shape, product
from striate.layers.compact import compact
from striate.sizing.conventions import find as find_convention
from striate.sizing.conventions.nodes import uses
from striate.sizing.conventions.tally import Tally, tallied
from striate.sizing.counts import FLOAT_BYTES, backward_macs, count_parameters
from striate.sizing.lints import Lint, lint
from striate.sizing.receptive_field import Field, receptive_fields
from striate.source import Source

MISMATCH = "mismatch"
"""The rule of the warning that says where the volumes of a torch network do not fit."""


@dataclass(frozen=True)
class Row:
    """The numbers of one layer. Pairs are along height and width.

    MACs and `output_bytes` are those of the whole batch, `output` and all else of one image.
    """

    name: str
    kind: str
    notation: str
    """The layer as papers write it: `conv3-64/2`."""
    inputs: tuple[str, ...]
    """The layers that it reads; `input` is the image."""
    weights: str
    """The layer whose weights it uses once more (`again`); empty where it has its own, or none."""
    output: Shape
    """C×H×W, or one number after flattening."""
    parameters: int
    macs: int
    backward_macs: int
    """Those of the gradients that a training step computes: of its weights and of its input."""
    output_bytes: int
    jump: tuple[int | Fraction, int | Fraction]
    """Rows and columns of the image from one unit to the next."""
    receptive_field: Pair
    """Rows and columns of the image that one unit sees, padding included."""
    start: Pair
    """The first row and column that the first unit sees; negative in the padding."""
    center: tuple[int | Fraction, int | Fraction]
    """The middle of what the first unit sees, in rows and columns from the middle of the first
    pixel on. Where units see unlike parts, as behind an upsampling, it is that of units evenly
    placed between them."""
    whole_input: bool
    """Whether every unit sees all of the image."""
    remainder: Pair
    """Rows and columns of the padded input that the stride leaves over at the end."""
    lost: Pair
    """Those of the remainder that are not padding."""
    span: Pair | None
    """The characters of the text, from and up to, that the layer stands in; None without a text."""
    saved_bytes: int | None = None
    """What the batch keeps of it for the backward pass; None where torch was not asked."""
    unknown_field: bool = False
    """Whether what its units see is not known; `jump`, `receptive_field` and `start` are then 0."""
    counted: int | None = None
    """What another convention counts of it, for the whole batch; None where none was asked for."""


@dataclass(frozen=True)
class Side:
    """A tap: its name, the layer that gives its value, and that value's shape for one image."""

    name: str
    layer: str
    output: Shape


@dataclass(frozen=True)
class Totals:
    """Sums over all rows. `flops` is two for each MAC of the forward pass."""

    parameters: int
    macs: int
    backward_macs: int
    flops: int
    output_bytes: int
    saved_bytes: int | None = None
    counted: int | None = None


@dataclass(frozen=True)
class Ledger:
    """Every number of a network before a second of compute is spent.

    A MAC is one product of a weight with a value, summed into an output, zeros of the padding
    included; biases, normalisation, activations and pooling are not counted. docs/macs.md has the
    convention whole. Bytes are those of each layer's output in float32, kept apart for each layer.
    """

    name: str
    input: Shape
    batch: int
    rows: tuple[Row, ...]
    output: str
    """The layer that gives the network's output."""
    taps: tuple[Side, ...] = ()
    """The side outputs, in order. Their layers count in the totals."""
    lints: tuple[Lint, ...] = ()
    """What is worth saying of the sizes, the warnings first."""
    tally: Tally | None = None
    """What another convention counts; None where none was asked for."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is lost or goes wrong, each with its place in the text and an underline."""
        return tuple(lint.shown for lint in self.lints if lint.level == "warning")

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing and may be meant, in the same form."""
        return tuple(lint.shown for lint in self.lints if lint.level == "note")

    @property
    def fits(self) -> bool:
        """Whether the network's volumes fit together; the rows end where they do not."""
        return all(lint.rule != MISMATCH for lint in self.lints)

    @property
    def totals(self) -> Totals:
        """The sums of the rows."""
        macs = sum(row.macs for row in self.rows)
        saved = [row.saved_bytes for row in self.rows if row.saved_bytes is not None]
        return Totals(
            parameters=sum(row.parameters for row in self.rows),
            macs=macs,
            backward_macs=sum(row.backward_macs for row in self.rows),
            flops=2 * macs,
            output_bytes=sum(row.output_bytes for row in self.rows),
            saved_bytes=sum(saved) if saved else None,
            counted=self.tally.counted if self.tally else None,
        )

    def to_json(self) -> str:
        """The ledger as JSON, in the form that docs/ledger.md promises."""
        layers = ",\n".join(f"  {_dumps(_row_json(row))}" for row in self.rows)
        return (
            f'{{\n "name": {_dumps(self.name)},\n "input": {_dumps(self.input)},\n'
            f' "batch": {self.batch},\n "output": {_dumps(self.output)},\n'
            f' "taps": {_dumps([vars(tap) for tap in self.taps])},\n "layers": [\n{layers}\n ],\n'
            f' "totals": {_dumps(vars(self.totals))},\n'
            f' "convention": {_dumps(vars(self.tally) if self.tally else None)},\n'
            f' "warnings": {self._lints_json("warning")},\n'
            f' "notes": {self._lints_json("note")}\n}}\n'
        )

    def _lints_json(self, level: str) -> str:
        return _dumps([lint.to_json() for lint in self.lints if lint.level == level])

    def to_csv(self) -> str:
        """One line a layer under a line of column names; pairs and shapes joined by `x`."""
        from striate.sizing.spreadsheet import to_csv

        return to_csv(self.rows)

    def to_markdown(self, *, backward: bool = False) -> str:
        """The table in Markdown, to paste; with the backward pass's MACs if wanted."""
        from striate.sizing.markdown import to_markdown

        return to_markdown(self, backward=backward)

    def table(self, width: int = 100, *, backward: bool = False) -> str:
        """The ledger for people, warnings apart, in lines of at most `width` characters.

        `backward` adds the column of the backward pass's MACs.
        """
        from striate.sizing.table import table

        return table(self, width, backward=backward)


def size(
    what: str | Path | Source | Graph,
    *,
    batch: int = 1,
    input: Shape | None = None,
    object: int | None = None,
    convention: str | None = None,
) -> Ledger:
    """The ledger of a zoo network, a `.net` file, a text or a graph, for a batch of images.

    `input` (C, H, W) stands in for the text's own. `object` is the size in pixels of what is to be
    recognised on the image: a warning tells when no unit sees it whole. `convention` names another
    way to count, whose numbers stand beside the MACs (docs/macs.md). Raises UserError when there
    is no such network or convention or the object is larger than the image, and NotationError when
    the text is wrong.
    """
    if batch < 1:
        raise UserError(f"a batch holds at least 1 image, not {batch}")
    chosen = find_convention(convention) if convention is not None else None
    graph = load_graph(what, input=input)
    fields = receptive_fields(graph)
    costs = backward_macs(graph)
    rows = tuple(
        _row(graph, node, *field, batch, batch * cost)
        for node, field, cost in zip(graph.nodes, fields, costs, strict=True)
    )
    ledger = Ledger(
        graph.name,
        graph.input,
        batch,
        rows,
        output=graph.nodes[graph.end].name,
        taps=tuple(Side(t.name, _name(graph, t.node), graph.shape(t.node)) for t in graph.taps),
        lints=lint(graph, object=object),
    )
    if chosen is None:
        return ledger
    return tallied(ledger, chosen, uses(graph, batch))


def _name(graph: Graph, index: int) -> str:
    return "input" if index == IMAGE else graph.nodes[index].name


def _row(
    graph: Graph, node: Node, height: Field, width: Field, batch: int, backward_macs: int
) -> Row:
    shapes = graph.shapes_into(node)
    return Row(
        name=node.name,
        kind=node.kind,
        notation=compact(node.layer),
        inputs=tuple(_name(graph, i) for i in node.inputs),
        weights=node.weights,
        output=node.output,
        parameters=0 if node.weights else count_parameters(node.layer, shapes),
        macs=batch * node.layer.macs(shapes, node.output),
        backward_macs=backward_macs,
        output_bytes=batch * FLOAT_BYTES * product(node.output),
        jump=(height.jump, width.jump),
        receptive_field=(height.size, width.size),
        start=(height.start, width.start),
        center=(height.center, width.center),
        whole_input=height.whole and width.whole,
        remainder=node.layer.remainder(shapes),
        lost=node.layer.lost(shapes),
        span=(node.span.start, node.span.end),
    )


def _row_json(row: Row) -> dict[str, Any]:
    values = {field: getattr(row, field) for field in row.__dataclass_fields__}
    exact = {name: getattr(row, name) for name in ("jump", "center")}
    return values | {
        name: [n if isinstance(n, int) else float(n) for n in pair] for name, pair in exact.items()
    }


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
