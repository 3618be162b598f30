"""Branches out of line, against the middle of what reaches their units in torch."""

from __future__ import annotations

import pytest

import striate

RULE = "branches out of line"
POOL_BESIDE_FILTER = "input 3x32x32 -> [(avgpool2 -> conv1-8 | conv3-8/2 p1) -> relu]*2"


def test_they_are_told_together(told) -> None:
    (lint,) = told(POOL_BESIDE_FILTER, RULE)
    assert (lint.level, lint.layers) == ("note", ("concat1", "concat2"))
    assert lint.message == (
        "concat1 (and 1 layer more) joins branches that look 0.5 pixels apart on the image, unit "
        "by unit: their fields have other centres. Padding that is the same on both sides of a "
        "window of odd size keeps them in line"
    )


def test_rows_and_columns_apart(told) -> None:
    (lint,) = told("input 3x32x32 -> conv3-8/2 -> (pool1x2 | conv1-8/1x2)", RULE)
    assert "look 0×1 pixels apart" in lint.message


@pytest.mark.parametrize(
    "text",
    [
        "resnet50",
        "googlenet",
        "unet",  # an enlarged branch
        "se_resnet50",  # a gate sees the whole image
        "input 3x32x32 -> (conv3-8/2 valid | pool3/2)",
        "input 3x32x32 -> (conv3-8 | id)",
    ],
)
def test_branches_in_line(told, text: str) -> None:
    assert told(text, RULE) == []


def test_of_a_torch_network() -> None:
    ledger = striate.size(striate.build(POOL_BESIDE_FILTER, seed=0))
    (lint,) = (each for each in ledger.lints if each.rule == RULE)
    assert lint.layers == ("concat1", "concat2")
    assert "0.5 pixels apart" in lint.message


def test_the_middle_of_what_reaches_a_unit(reach) -> None:
    """A pool of even size looks half a pixel beside the filter."""
    for text, middle in (("avgpool2", 16.5), ("conv3-3/2 p1", 16.0), ("conv5-3 d2", 8.0)):
        rows = reach(f"input 3x32x32 -> {text}", (8, 8)).any(1).nonzero().flatten()
        row = striate.size(f"input 3x32x32 -> {text}").rows[0]
        assert float(rows[0] + rows[-1]) / 2 == middle
        assert row.center[0] + 8 * row.jump[0] == middle


@pytest.mark.parametrize(
    ("text", "center"),
    [
        ("upsample2", (-1 / 4, -1 / 4)),
        ("conv3-3/2 p1 -> upsample2", (-1 / 2, -1 / 2)),
        ("pool2 -> tconv2-3/2", (0, 0)),
    ],
)
def test_units_that_are_enlarged_are_placed_evenly(text: str, center: tuple[float, ...]) -> None:
    assert striate.size(f"input 3x32x32 -> {text}").rows[-1].center == center
