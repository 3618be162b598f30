"""From a program to its graph: the layers as they were seen, for images of that size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from striate.errors import UserError
from striate.graph.nodes import (
    IMAGE,
    Graph,
    Jump,
    Leaf,
    Node,
    Parallel,
    Part,
    Repeat,
    Series,
    Side,
    Tap,
)
from striate.graph.program import Program, ProgramError, Unit, read_program
from striate.layers import Shape, show
from striate.layers.traced import Traced
from striate.notation.vocabulary import OUTPUT
from striate.source import Source, Span

_NOWHERE = Span(0, 0)


def graph_of_program(source: Source, *, input: Shape | None = None, name: str = "") -> Graph:
    """The graph of a program's text.

    Raises ProgramError for a damaged one, and UserError for another input than its own.
    """
    program = read_program(source)
    if input is not None and input != program.input:
        raise UserError(
            f"{program.name} was followed on images of {show(program.input)}, and holds for these "
            f"alone, not for {show(input)}. Name the network itself with that --input"
        )
    return replace(seen(program, source, name or source.stem), program=program)


def seen(program: Program, source: Source, name: str) -> Graph:
    """The layers of a program as a graph, to look at: one without it cannot be built."""
    places = {unit.name: index for index, unit in enumerate(program.layers)}
    places["input"] = IMAGE
    return Graph(
        name=name,
        source=source,
        input=program.input,
        nodes=tuple(_node(unit, places) for unit in program.layers),
        structure=Series(_parts(program, program.structure, places)),
        end=places[program.ends[OUTPUT]],
        taps=tuple(
            Tap(end, places[layer], _NOWHERE)
            for end, layer in program.ends.items()
            if end != OUTPUT
        ),
    )


def _node(unit: Unit, places: Mapping[str, int]) -> Node:
    layer = Traced(unit.kind, unit.label, unit.role, unit.output, unit.macs, unit.weights)
    inputs = tuple(places[name] for name in unit.inputs)
    return Node(unit.name, layer, inputs, unit.output, _NOWHERE, unit.shares)


def _parts(program: Program, given: Sequence[Any], places: Mapping[str, int]) -> tuple[Part, ...]:
    return tuple(_part(program, each, places) for each in given)


def _part(program: Program, given: Any, places: Mapping[str, int]) -> Part:
    try:
        match given:
            case str():
                return Leaf(places[given])
            case {"block": kind, "name": name, "parts": parts}:
                return Series(_parts(program, parts, places), name, kind)
            case {"rounds": rounds}:
                series = _parts(program, rounds, places)
                return Repeat(tuple(s for s in series if isinstance(s, Series)), _NOWHERE)
            case {"branches": branches, "join": join}:
                lines = tuple(Series(_parts(program, each, places)) for each in branches)
                return Parallel(lines, places[join])
            case {"from": label, "of": target}:
                return Jump(label, target)
            case {"tap": name, "parts": parts}:
                return Side(Series(_parts(program, parts, places)), name)
    except KeyError as error:
        raise ProgramError(f"{program.name}: the program is damaged: no layer {error}") from None
    raise ProgramError(f"{program.name}: the program is damaged: {given!r} is no part of a network")
