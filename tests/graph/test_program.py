"""Programs as texts: what is damaged in one is told, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from striate.errors import UserError
from striate.graph import Leaf, Parallel, Repeat, Series, Side, load_graph
from striate.graph.load import find_program
from striate.graph.program import (
    Operation,
    Program,
    ProgramError,
    Routine,
    Stored,
    Unit,
    is_program,
    read_program,
)
from striate.source import Source

Change = Callable[[dict[str, Any]], None]


def unit(name: str, *inputs: str, output: tuple[int, ...] = (4, 8, 8)) -> Unit:
    return Unit(name, "conv", "conv3-4", "conv", inputs or ("input",), output, 9, ())


ROUTINE = Routine(
    (
        Operation("relu.default", [{"value": 0}], {}, (1,), "body.0"),
        Operation("mul.Tensor", [{"value": 1}, {"tensor": "body.0.scale"}], {}, (2,), "body.0"),
    ),
    {"output": 2},
)
PROGRAM = Program(
    name="mine",
    input=(3, 8, 8),
    modules={"": "Net", "body": "Sequential", "body.0": "Block"},
    tensors={"body.0.scale": Stored((3, 1, 1), "float32", True)},
    layers=(
        unit("a"),
        unit("b", "a"),
        unit("c", "a", "b"),
        unit("d", "c"),
        unit("e", "d", output=(10,)),
    ),
    structure=[
        "a",
        {"branches": [["b"], []], "join": "c"},
        {"tap": "side", "parts": ["d"]},
        {"rounds": [{"block": "Block", "name": "body.0", "parts": ["e"]}]},
    ],
    ends={"output": "e", "side": "d"},
    training=ROUTINE,
    evaluation=ROUTINE,
)


def test_a_program_reads_back_as_it_was() -> None:
    source = PROGRAM.to_source()
    assert is_program(source)
    assert read_program(source).to_source() == source
    assert read_program(source).layers == PROGRAM.layers
    assert find_program(source) is source
    assert find_program(load_graph(source)) is source
    assert find_program(Source("conv3-4")) is None


def test_its_graph() -> None:
    graph = load_graph(PROGRAM.to_source())
    assert (graph.name, graph.input, graph.output) == ("mine", (3, 8, 8), (10,))
    assert [node.inputs for node in graph] == [(-1,), (0,), (0, 1), (2,), (3,)]
    assert graph.structure.parts == (
        Leaf(0),
        Parallel((Series((Leaf(1),)), Series(())), 2),
        Side(Series((Leaf(3),)), "side"),
        Repeat((Series((Leaf(4),), "body.0", "Block"),), graph.nodes[0].span),
    )
    assert [(tap.name, tap.node) for tap in graph.taps] == [("side", 3)]


def test_another_image_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        load_graph(PROGRAM.to_source(), input=(3, 9, 9))
    assert str(caught.value) == (
        "mine was followed on images of 3×8×8, and holds for these alone, not for 3×9×9. Name the "
        "network itself with that --input"
    )


def broken(change: Change) -> Source:
    content = json.loads(PROGRAM.to_source().text)
    change(content)
    return Source(json.dumps(content), "net.json")


def put(key: str, value: object) -> Change:
    def change(content: dict[str, Any]) -> None:
        content[key] = value

    return change


def put_operation(place: int, value: object) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["training"]["operations"][1][place] = value

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.pop("tensors"), "KeyError: 'tensors'"),
        (put("input", [3, -8, 8]), "ValueError: [3, -8, 8] is no shape"),
        (put("tensors", {"a": [[3], "object", True]}), "ValueError: there is no 'object'"),
        (put("ends", {}), "ValueError: it has no outputs"),
        (put("ends", {"output": "z"}), "ValueError: there is no 'z'"),
        (put("layers", [["a"]]), "ValueError: not enough values to unpack (expected 9, got 1)"),
        (put_operation(0, "other"), "ValueError: mul.Tensor stands in 'other', which is no module"),
        (
            put_operation(2, [{"value": 7}]),
            "ValueError: mul.Tensor reads the value 7, which is not there",
        ),
        (
            put_operation(2, [[{"tensor": "x"}]]),
            "ValueError: mul.Tensor reads the tensor 'x', which is not there",
        ),
        (
            lambda content: content["evaluation"]["results"].update(output=9),
            "ValueError: its outputs are not computed",
        ),
        (
            lambda content: content["layers"][1].__setitem__(4, ["c"]),
            "ValueError: b reads c, which does not stand before it",
        ),
    ],
)
def test_a_damaged_program_is_told(change: Change, told: str) -> None:
    with pytest.raises(ProgramError) as caught:
        load_graph(broken(change))
    assert str(caught.value) == (
        f"net.json: the program is damaged ({told}). Copy the file again from where it came, or "
        "train again"
    )


@pytest.mark.parametrize(
    ("part", "told"),
    [("z", "no layer 'z'"), (7, "7 is no part of a network"), ({"x": 1}, "{'x': 1} is no part")],
)
def test_a_structure_of_other_layers_is_told(part: object, told: str) -> None:
    with pytest.raises(ProgramError) as caught:
        load_graph(broken(put("structure", [part])))
    assert str(caught.value).startswith(f"net.json: the program is damaged: {told}")


def test_a_newer_program_and_half_a_one() -> None:
    with pytest.raises(ProgramError) as caught:
        load_graph(broken(put("format", 2)))
    assert str(caught.value) == "net.json: the program has format 2; this Striate reads up to 1"
    with pytest.raises(ProgramError, match=r"net.json: the program is damaged \(Unterminated"):
        load_graph(Source(PROGRAM.to_source().text[:200], "net.json"))
