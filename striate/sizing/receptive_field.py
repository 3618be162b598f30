"""The part of the image that a unit of each layer sees.

Along one axis, unit `o` of a layer sees image rows `first` to `last`. The arithmetic is that of
Araujo, Norris & Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019,
kept exact: layers that enlarge their input (transposed convolutions, adaptive pooling) make units
of different phase see different rows, so the rows are held for every phase. The field of a merge
is the hull of those of its branches. Rows before 0 or past the end are padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, lcm

from striate.graph.nodes import IMAGE, Graph
from striate.layers import POINT, Shape, Window

MAX_PHASES = 4096
"""Beyond this many phases (only adaptive pools of unlike sizes make them) a field is a hull."""

Step = int | Fraction
Rows = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """What the units of one layer see along one axis of the image.

    Unit `o` sees the rows of phase `o % len(phases)`, moved by `jump · (o - phase)`. A phase is
    None where its units see nothing (a transposed convolution may leave gaps). `whole` says that
    every unit sees all of the image; `jump` is then the image's length.
    """

    jump: Step
    phases: tuple[Rows | None, ...]
    whole: bool = False

    @property
    def size(self) -> int:
        """Rows from the first to the last that one unit sees, the most of any unit."""
        return max((rows[1] - rows[0] + 1 for rows in self.phases if rows), default=0)

    @property
    def start(self) -> int:
        """The first row that unit 0 sees; negative in the padding."""
        return next((rows[0] for rows in self.phases if rows), 0)

    @property
    def center(self) -> Step:
        """The middle of what unit 0 sees; where phases differ, what evenly placed units have."""
        middles = [
            Fraction(rows[0] + rows[1], 2) - self.jump * phase
            for phase, rows in enumerate(self.phases)
            if rows
        ]
        return _plain(sum(middles, Fraction(0)) / len(middles)) if middles else 0

    def rows(self, unit: int) -> Rows | None:
        """The first and last row that a unit sees; it need not exist (padding)."""
        phase = unit % len(self.phases)
        rows = self.phases[phase]
        if rows is None:
            return None
        moved = self.jump * (unit - phase)
        return rows[0] + floor(moved), rows[1] + ceil(moved)


def receptive_fields(graph: Graph) -> list[tuple[Field, Field]]:
    """For each node the fields of its units along height and width."""
    pixel = Field(1, ((0, 0),))
    fields = [(pixel, pixel)]
    for node in graph.nodes:
        shapes = graph.shapes_into(node)
        window = node.layer.window(shapes, node.output)
        sources = [fields[i - IMAGE] for i in node.inputs]
        read = shapes[: len(sources)]
        rows, columns = (
            through(window, axis, [source[axis] for source in sources], read, graph.input)
            for axis in (0, 1)
        )
        fields.append((rows, columns))
    return fields[1:]


def through(
    window: Window, axis: int, sources: list[Field], shapes: Sequence[Shape], image: Shape
) -> Field:
    """The field along one axis behind a window over the volumes that a layer reads."""
    lengths = [
        shape[1 + axis] if len(shape) == 3 else 1 for shape, _ in zip(shapes, sources, strict=True)
    ]
    length = max(lengths)
    if min(lengths) < length:
        return _gated(sources, lengths, image[1 + axis])
    source = _hull(sources, length)
    if window is POINT or source.whole:
        return source
    if window.whole:
        return _all_units(source, length, image[1 + axis])
    stride, before = window.stride[axis], window.before[axis]
    dilation, kernel_size = window.dilation[axis], window.kernel_size[axis]
    phases = _phase_count(stride, len(source.phases))
    if phases > MAX_PHASES:
        return _blurred(source, stride, before, dilation * (kernel_size - 1))
    rows = tuple(
        _span(source, _reads(phase * stride - before, dilation, kernel_size))
        for phase in range(phases)
    )
    return Field(_plain(source.jump * stride), rows)


def _gated(sources: list[Field], lengths: list[int], image: int) -> Field:
    """The field of units that all take what one unit of another branch gives: a gate.

    Where that one does not see the whole image, the hull of what all units see.
    """
    spans = [
        _all_units(field, length, image) for field, length in zip(sources, lengths, strict=True)
    ]
    if any(source.whole for source in sources):
        return Field(image, ((0, image - 1),), whole=True)
    return _all_units(_hull(spans, 1), 1, image)


def _all_units(source: Field, length: int, image: int) -> Field:
    """What all units together see: the whole image, unless rows are left out at its end."""
    seen = _span(source, range(length))
    if seen is None or (seen[0] <= 0 and seen[1] >= image - 1):
        return Field(image, ((0, image - 1),), whole=True)
    return Field(image, ((max(0, seen[0]), min(image - 1, seen[1])),))


def _blurred(source: Field, stride: Step, before: Step, reach: Step) -> Field:
    """A single phase that holds what any unit sees, where the phases are too many to tell."""
    single = _single(source, source.jump, range(len(source.phases)))
    rows = _span(single, range(floor(-before), ceil(reach - before) + 1))
    return Field(_plain(source.jump * stride), (rows,))


def _phase_count(stride: Step, source_phases: int) -> int:
    """After how many units the pattern repeats: when they have moved by whole source phases."""
    needed = source_phases * stride.denominator
    return needed // gcd(needed, stride.numerator)


def _reads(first: Step, dilation: Step, kernel_size: int) -> range:
    """The whole positions among `first + j · dilation`, `0 <= j < kernel_size`."""
    if isinstance(first, int) and isinstance(dilation, int):
        return range(first, first + dilation * (kernel_size - 1) + 1, dilation)
    common = lcm(first.denominator, dilation.denominator)
    base, step = int(first * common), int(dilation * common)
    period = common // gcd(step, common)
    start = next(
        (j for j in range(min(period, kernel_size)) if (base + j * step) % common == 0), None
    )
    if start is None:
        return range(0)
    last = start + (kernel_size - 1 - start) // period * period
    begin, end = (base + start * step) // common, (base + last * step) // common
    return range(begin, end + 1, step * period // common)


def _span(source: Field, units: range) -> Rows | None:
    """The hull of what these units see; of units of one phase, later ones see later rows."""
    phases = len(source.phases)
    outer = units if len(units) <= 2 * phases else (*units[:phases], *units[-phases:])
    seen = [rows for unit in outer if (rows := source.rows(unit))]
    return (min(rows[0] for rows in seen), max(rows[1] for rows in seen)) if seen else None


def _hull(fields: list[Field], length: int) -> Field:
    """The field of units that take from several layers, unit by unit."""
    first = fields[0]
    if all(field == first for field in fields):
        return first
    whole = next((field for field in fields if field.whole), None)
    if whole is not None:
        return whole
    phases = lcm(*(len(field.phases) for field in fields))
    if phases > MAX_PHASES or any(field.jump != first.jump for field in fields):
        jump = max(field.jump for field in fields)
        fields = [_single(field, jump, _border(length, len(field.phases))) for field in fields]
        phases = 1
    return Field(fields[0].jump, tuple(_join(fields, unit) for unit in range(phases)))


def _join(fields: list[Field], unit: int) -> Rows | None:
    seen = [rows for field in fields if (rows := field.rows(unit))]
    return (min(rows[0] for rows in seen), max(rows[1] for rows in seen)) if seen else None


def _border(length: int, phases: int) -> list[int]:
    """Units at both ends, a period each: branches that drift apart are farthest apart there."""
    return [*range(min(phases, length)), *range(max(0, length - phases), length)]


def _single(field: Field, jump: Step, units: range | list[int]) -> Field:
    """A field of one phase with a given jump that holds what each of these units sees."""
    seen = [(unit, rows) for unit in units if (rows := field.rows(unit))]
    first = min(floor(rows[0] - unit * jump) for unit, rows in seen)
    last = max(ceil(rows[1] - unit * jump) for unit, rows in seen)
    return Field(jump, ((first, last),))


def _plain(step: Step) -> Step:
    return step.numerator if step.denominator == 1 else step
