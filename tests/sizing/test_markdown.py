"""The ledger in Markdown."""

from __future__ import annotations

import striate
from striate.sizing import size
from striate.sizing.markdown import markdown_table


def test_a_small_network() -> None:
    text = "input 1x8x8 -> first_layer: conv3-4 -> gap -> fc-10"
    assert size(text).to_markdown().splitlines() == [
        "**network · input 1×8×8 · 256 B**",
        "",
        "| layer |  | output | params | MACs | bytes | jump | sees | from |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: | --: |",
        r"| first\_layer | conv3-4 | 4×8×8 | 40 | 2,304 | 1.024 kB | 1 | 3 | −1 |",
        "| gap1 | gap | 4×1×1 | – | – | 16 B |  | whole |  |",
        "| fc1 | fc-10 | 10 | 50 | 40 | 40 B |  | whole |  |",
        "| **total** |  |  | **90** | **2,344** | **1.080 kB** |  |  |  |",
        "",
        "90 parameters · 2,344 MACs (4,688 FLOPs) · 1.080 kB of outputs",
    ]


def test_signs_of_markdown_in_cells() -> None:
    assert markdown_table({"layer": ["a|b", "*c*", "<d>"]}).splitlines() == [
        "| layer |",
        "| :-- |",
        r"| a\|b |",
        r"| \*c\* |",
        r"| \<d> |",
    ]


def test_a_comparison_has_a_row_for_each_that_differs() -> None:
    found = striate.compare(size("vgg16"), size("vgg19"))
    lines = found.to_markdown().splitlines()
    assert lines[0] == "**vgg16 → vgg19**"
    assert sum(line.startswith("| + |") for line in lines) == 6
    assert len({line.count("|") for line in lines[2:8]}) == 1
