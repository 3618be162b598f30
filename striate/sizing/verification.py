"""Receptive fields as they are told, beside the pixels that a gradient really reaches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from striate.layers import Pair, Shape
from striate.sizing.table import NARROWEST, laid_out, short_names


@dataclass(frozen=True)
class Unit:
    """One unit of a layer's output. Pairs are its first and last row (or column) on the image."""

    place: Pair
    """Its row and column in the output."""
    told_rows: Pair
    told_columns: Pair
    reached_rows: Pair
    reached_columns: Pair
    exact: bool
    """Whether its field is told as its own; behind a layer that enlarges, units see fields of
    unlike sizes, and the largest size is told."""
    field: Pair
    """The size that is told, beyond the image too."""

    @property
    def agrees(self) -> bool:
        """Whether the pixels that are reached are those told, or no more than the largest field."""
        if self.exact:
            told = (self.told_rows, self.told_columns)
            return told == (self.reached_rows, self.reached_columns)
        sizes = (last - first + 1 for first, last in (self.reached_rows, self.reached_columns))
        return all(size <= most for size, most in zip(sizes, self.field, strict=True))


@dataclass(frozen=True)
class Checked:
    """One layer, and those of its units that were checked."""

    name: str
    output: Shape
    receptive_field: Pair
    whole_input: bool
    units: tuple[Unit, ...]

    @property
    def agrees(self) -> bool:
        """Whether all of them agree."""
        return all(unit.agrees for unit in self.units)


@dataclass(frozen=True)
class Verification:
    """Receptive fields of a network's layers, checked against the support of gradients."""

    name: str
    input: Shape
    layers: tuple[Checked, ...]

    @property
    def agrees(self) -> bool:
        """Whether every unit that was checked agrees."""
        return all(layer.agrees for layer in self.layers)

    def to_json(self) -> str:
        """All of it as JSON, in the form that docs/ledger.md promises."""
        layers = [
            {
                "name": layer.name,
                "output": layer.output,
                "receptive_field": layer.receptive_field,
                "whole_input": layer.whole_input,
                "agrees": layer.agrees,
                "units": [asdict(unit) | {"agrees": unit.agrees} for unit in layer.units],
            }
            for layer in self.layers
        ]
        told = {"name": self.name, "input": self.input, "agrees": self.agrees, "layers": layers}
        return json.dumps(told, ensure_ascii=False) + "\n"

    def table(self, width: int = 100) -> str:
        """One line a layer, in lines of at most `width` characters."""
        shown = [_line(layer) for layer in self.layers]
        columns = {
            "layer": short_names([layer.name for layer in self.layers]),
            "output": ["×".join(map(str, layer.output)) for layer in self.layers],
            "sees": [line[0] for line in shown],
            "unit": [line[1] for line in shown],
            "told": [line[2] for line in shown],
            "reached": [line[3] for line in shown],
            "": ["agrees" if layer.agrees else "DIFFERS" for layer in self.layers],
        }
        head, *body = laid_out(columns, max(width, NARROWEST), ("output",))
        wrong = sum(not layer.agrees for layer in self.layers)
        units = sum(len(layer.units) for layer in self.layers)
        size = "×".join(map(str, self.input))
        verdict = "all agree" if not wrong else f"{wrong} of them differ"
        summary = f"{units} units of {len(self.layers)} layers checked on {size}: {verdict}"
        lines = [f"{self.name} · input {size}", "", head, "─" * len(head), *body, "", summary]
        return "\n".join(line.rstrip() for line in lines) + "\n"


def _line(layer: Checked) -> tuple[str, str, str, str]:
    """The layer's field, and of its first unit that differs, or its middle one, what was found."""
    wrong = [unit for unit in layer.units if not unit.agrees]
    unit = wrong[0] if wrong else layer.units[len(layer.units) // 2]
    field = "whole" if layer.whole_input else _pair(layer.receptive_field)
    return (
        field,
        _pair(unit.place),
        f"{_span(unit.told_rows)}, {_span(unit.told_columns)}",
        f"{_span(unit.reached_rows)}, {_span(unit.reached_columns)}",
    )


def _pair(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def _span(span: Pair) -> str:
    return f"{span[0]}–{span[1]}"
