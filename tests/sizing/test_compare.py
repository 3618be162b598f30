"""Two ledgers beside each other."""

from __future__ import annotations

import difflib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from striate.sizing import size
from striate.sizing.align import likeness
from striate.sizing.compare import COUNTS, Comparison

NAMES = ("vgg16", "vgg19", "resnet18", "resnet34", "lenet5", "alexnet")


def compared(before: str, after: str) -> Comparison:
    return striate.compare(size(before), size(after))


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_every_layer_stands_once_in_order_and_differences_sum(before: str, after: str) -> None:
    found = compared(before, after)
    assert [p.before for p in found.pairings if p.before] == list(found.before.rows)
    assert [p.after for p in found.pairings if p.after] == list(found.after.rows)
    for count in COUNTS:
        grown = getattr(found.after.totals, count) - getattr(found.before.totals, count)
        assert sum(pairing.difference(count) for pairing in found.pairings) == grown


def test_vgg19_has_a_fourth_convolution_in_three_stages() -> None:
    """Simonyan & Zisserman 2014, table 1, D and E."""
    found = compared("vgg16", "vgg19")
    added = [pairing.name for pairing in found.pairings if pairing.change == "added"]
    assert added == [f"stage{i}.{kind}4" for i in (3, 4, 5) for kind in ("conv", "relu")]
    assert found.count("same") == len(found.before.rows)


def test_a_layer_put_in_front_changes_none_behind_it() -> None:
    tail = "conv3-8 -> relu -> conv3-8 -> relu -> pool2 -> fc-10"
    found = compared(f"input 8x8x8 -> {tail}", f"input 8x8x8 -> conv3-8 -> relu -> {tail}")
    assert (found.count("same"), found.count("added"), len(found.pairings)) == (6, 2, 8)


def test_a_changed_layer_and_one_of_another_kind() -> None:
    found = compared(
        "input 3x8x8 -> conv3-8 -> relu -> gap -> fc-10",
        "input 3x8x8 -> conv5-8 -> tanh -> gap -> fc-10",
    )
    changes = [(pairing.name, pairing.change) for pairing in found.pairings]
    assert changes == [
        ("conv1", "changed"),
        ("relu1", "removed"),
        ("tanh1", "added"),
        ("gap1", "same"),
        ("fc1", "same"),
    ]


LAYERS = st.lists(st.sampled_from(("conv3-4", "conv3-8", "relu", "bn")), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(LAYERS, LAYERS)
def test_what_matches_has_as_much_in_common_as_by_the_standard_library(
    one: list[str], other: list[str]
) -> None:
    """difflib's blocks of one kind are a way to match too, and not a better one."""
    texts = [f"input 4x4x4 -> {' -> '.join(layers)}" for layers in (one, other)]
    found = compared(*texts)
    matched = [(p.before, p.after) for p in found.pairings if p.before and p.after]
    rows = found.before.rows, found.after.rows
    kinds = [[row.kind for row in each] for each in rows]
    blocks = difflib.SequenceMatcher(None, *kinds, autojunk=False).get_matching_blocks()
    theirs = [
        (rows[0][block.a + i], rows[1][block.b + i]) for block in blocks for i in range(block.size)
    ]
    assert sum(likeness(*pair) for pair in matched) >= sum(likeness(*pair) for pair in theirs)
    assert all(before.kind == after.kind for before, after in matched)


def test_the_table() -> None:
    found = compared(
        "input 3x8x8 -> conv3-8 -> relu -> gap -> fc-10",
        "input 3x8x8 -> conv3-8 -> relu -> conv3-16 -> gap -> fc-10",
    )
    assert found.table().splitlines() == [
        "network → network",
        "",
        "                    before     after   ratio",
        "input                3×8×8     3×8×8",
        "parameters             314     1,562  ×4.975",
        "MACs               13.90 k   87.71 k  ×6.308",
        "bytes of outputs  4.168 kB  8.296 kB   ×1.99",
        "layers                   4         5   ×1.25",
        "",
        "layers: 1 added · 2 changed · 2 the same",
        "",
        "   layer                           output  Δ params    Δ MACs    Δ bytes",
        "────────────────────────────────────────────────────────────────────────",
        "   (2 the same)",
        "+  conv2         conv3-16          16×8×8    +1,168  +73.73 k  +4.096 kB",
        "~  gap1          gap       8×1×1 → 16×1×1                          +32 B",
        "~  fc1           fc-10                 10       +80       +80",
        "────────────────────────────────────────────────────────────────────────",
        "   total                                     +1,248  +73.81 k  +4.128 kB",
    ]


@pytest.mark.parametrize("width", [72, 80, 100])
def test_the_table_keeps_to_its_width(width: int) -> None:
    lines = compared("resnet18", "resnet50").table(width).splitlines()
    assert max(map(len, lines)) <= width


def test_the_same_network_has_no_second_table() -> None:
    assert compared("lenet5", "lenet5").table().endswith("layers: 11 the same\n")


def test_the_json() -> None:
    found = json.loads(compared("vgg16", "vgg19").to_json())
    assert (found["before"], found["after"]) == ("vgg16", "vgg19")
    assert found["totals"]["ratio"]["parameters"] == 143_667_240 / 138_357_544
    added = [layer for layer in found["layers"] if layer["change"] == "added"]
    assert added[0] == {
        "change": "added",
        "before": None,
        "after": {
            "name": "stage3.conv4",
            "kind": "conv",
            "notation": "conv3-256",
            "output": [256, 56, 56],
            "parameters": 590_080,
            "macs": 1_849_688_064,
            "output_bytes": 3_211_264,
        },
    }


def test_a_network_without_parameters_has_no_ratio() -> None:
    found = compared("input 3x8x8 -> pool2", "input 3x8x8 -> conv3-8")
    assert json.loads(found.to_json())["totals"]["ratio"]["parameters"] is None


def test_a_torch_network_beside_the_same_in_the_notation() -> None:
    found = striate.compare(striate.size("torchvision:resnet18"), size("resnet18"))
    unlike = [p for p in found.pairings if p.change != "same"]
    assert all(p.difference("parameters") == p.difference("macs") == 0 for p in unlike)
    rows = [p.before for p in found.pairings if p.before and p.after]
    assert sum(row.parameters for row in rows) == 11_689_512
