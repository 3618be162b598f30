"""All rules together: their order, their form in JSON, their page, and the calm of the zoo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import striate
from striate import zoo

DOCS = Path(__file__).parents[3] / "docs" / "ledger.md"

EVERYTHING = """
input 3x45x45
-> conv1-8/2 -> bn -> conv3-8 d2 -> conv3-8 d2 -> pool2 -> tconv3-8/2 -> pool2/3 -> conv3-8 p2
-> gap -> fc-2
"""
TURNS = "input 1x9x9 -> p4lift3-4 nobias -> bn -> p4pool"
HOLES = "input 3x64x64 -> [conv3-8 d2]*3 -> gap"
TINY = "input 3x1x1 -> conv3-8 -> gap"
BRANCHES = "input 3x8x8 -> (avgpool2 | conv3-8/2 p1)"
SMALL = "input 3x8x8 -> [conv3-8]*9 -> gap"


def test_the_page_has_every_rule_with_its_level() -> None:
    lints = striate.size(EVERYTHING, object=40).lints
    for text in (SMALL, HOLES, TURNS, TINY, BRANCHES):
        lints += striate.size(text).lints
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    levels = ("(note)", "(warning)")
    listed = {line[2:].split(" |")[0] for line in lines if line.split(" | ")[0].endswith(levels)}
    assert {f"{lint.rule} ({lint.level})" for lint in lints} == listed


def test_warnings_come_first_and_each_has_its_place() -> None:
    ledger = striate.size(EVERYTHING)
    levels = [lint.level for lint in ledger.lints]
    assert levels == sorted(levels, key=["warning", "note"].index)
    assert ledger.warnings + ledger.notes == tuple(lint.shown for lint in ledger.lints)
    for lint in ledger.lints:
        line = EVERYTHING.splitlines()[lint.line - 1]
        assert line[lint.column - 1 :].startswith(EVERYTHING[slice(*lint.span)])
        assert lint.shown.startswith(f"<text>:{lint.line}:{lint.column}: {lint.message}\n")
        assert set(lint.layers) <= {row.name for row in ledger.rows}
        assert lint.layers


def test_the_json() -> None:
    data = json.loads(striate.size("input 3x33x33 -> pool2 -> conv1-2 -> bn").to_json())
    assert data["warnings"] == [
        {
            "rule": "unread rows",
            "message": "pool2 leaves the last row and column of its 33×33 input unread; pad with "
            "p1, or start from an image of 32×32 or 34×34",
            "layers": ["pool1"],
            "line": 1,
            "column": 18,
            "span": [17, 22],
        }
    ]
    assert [note["rule"] for note in data["notes"]] == ["uneven size", "useless bias"]


def test_the_program_tells_them_on_stderr(capsys) -> None:
    from striate.cli import main

    text = "input 3x33x33 -> pool2 -> conv1-2 -> bn"
    assert main(["size", text, "--object", "20"]) == 0
    told = capsys.readouterr().err
    ledger = striate.size(text, object=20)
    expected = [f"{lint.level}: {lint.shown}" for lint in ledger.lints]
    assert told == "\n".join(expected) + "\n"
    assert "an object of 20×20 is not seen whole" in told


def test_an_object_too_large_for_the_image(capsys) -> None:
    from striate.cli import main

    assert main(["size", "lenet5", "--object", "33"]) == 2
    assert capsys.readouterr().err == (
        "striate: an object of 33 pixels does not fit into an image of 32×32. "
        "Give the size that it has on the image\n"
    )


@pytest.mark.parametrize("name", zoo.names())
def test_the_zoo_has_no_warnings(name: str) -> None:
    assert striate.size(name).warnings == ()


@pytest.mark.parametrize("name", ["vgg16", "resnet50", "googlenet", "mobilenet_v2", "inception_v3"])
def test_well_known_networks_have_no_notes(name: str) -> None:
    assert striate.size(name).notes == ()
