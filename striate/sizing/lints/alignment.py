"""Branches whose units of one place look at different places of the image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from striate.graph import IMAGE, Graph, Node
from striate.layers import Pair
from striate.sizing.lints.finding import Lint, found, times
from striate.sizing.receptive_field import Field, receptive_fields

RULE = "branches out of line"
LEAST = Fraction(1, 4)
"""The share of the distance between two units from which it is said."""

Steps = tuple[int | Fraction, int | Fraction]


@dataclass(frozen=True)
class Placed:
    """Where on the image the units of one volume look."""

    shape: Pair
    fields: tuple[Field, Field]


def out_of_line(graph: Graph) -> Iterator[Lint]:
    """One note for all layers that join such branches (Araujo, Norris & Sim 2019, "alignment").

    Branches that see the whole image have no place on it.
    """
    pixel = Field(1, ((0, 0),))
    seen = [(pixel, pixel), *receptive_fields(graph)]
    joins: list[tuple[Node, Steps]] = []
    for node in graph:
        shapes = graph.shapes_into(node)
        placed = [
            Placed((shape[1], shape[2]), seen[i - IMAGE])
            for shape, i in zip(shapes, node.inputs, strict=False)
            if len(shape) == 3
        ]
        if node.kind != "unpool" and (distance := apart(placed)):
            joins.append((node, distance))
    if joins:
        nodes = [node for node, _ in joins]
        yield found(graph, RULE, "note", message(nodes[0].name, joins[0][1], len(nodes)), nodes)


def apart(volumes: Sequence[Placed]) -> Steps | None:
    """How far units of one place are apart on the image, at most.

    None for less than a quarter of a step. A branch that sees the whole image has no place on it,
    and units behind a layer that enlarges are not evenly placed. Only volumes as large as the
    largest count: of a smaller one each unit is used at all places.
    """
    shape = max((each.shape for each in volumes), default=(0, 0))
    alike = [each for each in volumes if each.shape == shape and all(map(_even, each.fields))]
    if len(alike) < 2:
        return None
    rows, columns = (_apart(alike, axis) for axis in (0, 1))
    steps = [max(each.fields[axis].jump for each in alike) for axis in (0, 1)]
    if rows < LEAST * steps[0] and columns < LEAST * steps[1]:
        return None
    return rows, columns


def _even(field: Field) -> bool:
    return not field.whole and len(field.phases) == 1


def _apart(volumes: Sequence[Placed], axis: int) -> int | Fraction:
    ends = []
    for unit in (0, volumes[0].shape[axis] - 1):
        fields = [each.fields[axis] for each in volumes]
        centers = [field.center + unit * field.jump for field in fields]
        ends.append(max(centers) - min(centers))
    return max(ends)


def message(name: str, distance: Steps, count: int) -> str:
    """What is said of the first of these layers."""
    rows, columns = (f"{float(each):.4g}" for each in distance)
    far = f"{rows if rows == columns else f'{rows}×{columns}'} pixels"
    others = f" (and {times(count - 1, 'layer')} more)" if count > 1 else ""
    return (
        f"{name}{others} joins branches that look {far} apart on the image, unit by unit: their "
        "fields have other centres. Padding that is the same on both sides of a window of odd size "
        "keeps them in line"
    )
