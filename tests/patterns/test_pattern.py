"""Networks by the rules: what they are, what their comments say, which wishes are refused."""

from __future__ import annotations

import doctest
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from striate.errors import UserError
from striate.layers import product, show
from striate.patterns import Pattern, pattern
from striate.patterns.plan import factored, halvings
from striate.sizing.table import big, big_bytes

PAGE = Path(__file__).parents[2] / "docs" / "pattern.md"


def shape_of(found: Pattern) -> list[str]:
    """The layers as papers write them, comments left out."""
    return [row.notation for row in found.ledger.rows]


def test_the_pattern_of_the_notes() -> None:
    found = pattern((3, 32, 32), 10, convolutions=2, blocks=3, hidden=1)
    block = ["relu", "pool2"]
    assert shape_of(found) == [
        *("conv3-64", "relu", "conv3-64", *block),
        *("conv3-128", "relu", "conv3-128", *block),
        *("conv3-256", "relu", "conv3-256", *block),
        *("fc-512", "relu", "fc-10"),
    ]
    assert found.ledger.totals == striate.size(found.text).totals
    assert found.ledger.lints == ()


def test_the_page_shows_what_the_command_prints() -> None:
    text = pattern((3, 32, 32), 10, convolutions=2, blocks=3, hidden=1).text
    assert f"```\n{text}```" in PAGE.read_text(encoding="utf-8")


def test_the_page_names_every_field_of_the_json() -> None:
    page = PAGE.read_text(encoding="utf-8")
    data = json.loads(pattern((3, 32, 32), 10).to_json())
    for name in (*data, *data["plan"]):
        assert f'"{name}"' in page


def test_it_computes() -> None:
    found = pattern((1, 28, 28), 10, width=8, bn=True)
    module = striate.build(found.text, seed=0)
    assert module(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_without_pools_it_is_a_linear_classifier() -> None:
    found = pattern((3, 32, 32), 10, blocks=0, hidden=0)
    assert shape_of(found) == ["fc-10"]
    assert found.ledger.totals.parameters == 30_730
    assert "N = 0, M = 0, K = 0" in found.text


@pytest.mark.parametrize(
    ("shape", "blocks"),
    [
        ((3, 32, 32), 3),
        ((1, 28, 28), 2),
        ((3, 224, 224), 5),
        ((3, 96, 96), 4),
        ((3, 64, 48), 3),
        ((3, 6, 6), 1),
    ],
)
def test_pools_halve_to_four_rows_or_a_few_more(shape: tuple[int, int, int], blocks: int) -> None:
    assert pattern(shape, 10).plan.blocks == blocks


def test_hidden_layers_are_left_out_behind_an_average() -> None:
    found = pattern((3, 32, 32), 10, bn=True, gap=True)
    assert shape_of(found)[-3:] == ["pool2", "gap", "fc-10"]
    assert found.ledger.notes == ()  # no bias before batch normalisation
    assert shape_of(pattern((3, 32, 32), 10, gap=True, hidden=1))[-4:] == [
        *("gap", "fc-512", "relu", "fc-10"),
    ]


@settings(max_examples=40, deadline=None)
@given(
    odd=st.sampled_from([1, 3, 5, 7]),
    halves=st.integers(1, 6),
    convolutions=st.integers(1, 3),
    hidden=st.integers(0, 2),
    width=st.sampled_from([8, 24, 64, 600]),
    bn=st.booleans(),
    gap=st.booleans(),
)
def test_every_rule_holds(
    odd: int, halves: int, convolutions: int, hidden: int, width: int, bn: bool, gap: bool
) -> None:
    side = odd << halves
    found = pattern(
        (3, side, 2 * side),
        7,
        convolutions=convolutions,
        hidden=hidden,
        width=width,
        bn=bn,
        gap=gap,
    )
    rows = found.ledger.rows
    assert found.ledger.warnings == ()
    assert all(row.remainder == row.lost == (0, 0) for row in rows)
    pools = [row for row in rows if row.kind == "pool"]
    assert [row.output[1:] for row in pools] == [
        (side >> i, side >> i - 1) for i in range(1, found.plan.blocks + 1)
    ]
    filters = [row.output[0] for row in rows if row.kind == "conv"][::convolutions]
    for before, after in pairwise(filters):
        assert after == min(2 * before, max(512, width))
    assert sum(row.kind == "conv" for row in rows) == convolutions * found.plan.blocks
    assert sum(row.kind == "fc" for row in rows) == hidden + 1
    assert rows[-1].output == (7,)


@pytest.mark.parametrize("options", [{}, {"bn": True, "gap": True}, {"hidden": 2, "width": 24}])
def test_the_comments_are_the_ledgers_numbers(options: dict[str, int]) -> None:
    found = pattern((3, 96, 64), 10, convolutions=3, **options)  # type: ignore[arg-type]
    rows, at = found.ledger.rows, 0
    starts = [match.start() for match in re.finditer("^-> ", found.text, re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(found.text)], strict=True):
        comment = found.text[start:end].split("# ")[1].strip()
        made = [row for row in rows if start <= row.span[0] < end]
        parameters = sum(row.parameters for row in made)
        expected = [show(made[-1].output)]
        expected += [f"{big(parameters)} parameters"] if parameters else []
        expected += [big_bytes(sum(row.output_bytes for row in made))]
        if made[-1].kind == "pool":
            expected += ["sees {}×{}".format(*made[-1].receptive_field)]
        assert comment == ", ".join(expected)
        at += len(made)
    assert at == len(rows)
    totals = found.ledger.totals
    assert f"# {totals.parameters:,} parameters, {big(totals.macs)} MACs and " in found.text


def test_the_reasons_compare_with_what_they_name() -> None:
    found = pattern((3, 224, 224), 1000)
    text = " ".join(line.removeprefix("#").strip() for line in found.text.splitlines())
    averaged = pattern((3, 224, 224), 1000, gap=True)
    assert f"the network would have {averaged.ledger.totals.parameters:,} parameters" in text
    first = "[conv3-64 -> relu]*2 -> pool2"
    strided = found.text.replace(first, "conv7-64/2 -> relu")
    assert strided != found.text
    held = big_bytes(striate.size(strided).totals.output_bytes)
    assert (
        f"conv7-64/2 -> relu in place of the first block, as in ZFNet, brings it to {held}." in text
    )


def test_the_widest_that_a_number_of_parameters_allows() -> None:
    for most in (52_000, 500_000, 3_000_000):
        found = pattern((3, 32, 32), 10, parameters=most)
        assert found.ledger.totals.parameters <= most
        wider = pattern((3, 32, 32), 10, width=found.plan.width + 8)
        assert wider.ledger.totals.parameters > most
        assert found.plan.width % 8 == 0
        assert f"keeps to {most:,} parameters" in found.text.replace("\n#   ", " ")


def test_an_image_that_cannot_be_halved_often_is_told_of_better_ones() -> None:
    text = " ".join(pattern((3, 100, 100), 10).text.replace("\n#  ", "").split())
    assert "No more are possible; 3x96x96 or 3x112x112 could be halved 4 times." in text


def refusal(shape: tuple[int, int, int], **wishes: int) -> str:
    with pytest.raises(UserError) as error:
        pattern(shape, 10, **wishes)  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize(
    ("shape", "wishes", "message"),
    [
        (
            (3, 32, 32),
            {"blocks": 6},
            "an image of 32×32 can be halved 5 times (32 = 2·2·2·2·2), not 6 times. Give --M 5, or "
            "an --input of 3x64x64",
        ),
        (
            (3, 100, 96),
            {"blocks": 3},
            "an image of 100×96 can be halved twice (100 = 2·2·25, 96 = 2·2·2·2·2·3), not 3 times. "
            "Give --M 2, or an --input of 3x96x96 or 3x104x96",
        ),
        (
            (1, 33, 33),
            {},
            "an image of 33×33 cannot be halved (33 = 33). Give --M 0 for no filters and pools, or "
            "an --input of 1x32x32 or 1x34x34",
        ),
        (
            (3, 32, 32),
            {"blocks": 10**12},
            "an image of 32×32 can be halved 5 times (32 = 2·2·2·2·2), not 1,000,000,000,000 "
            "times. Give --M 5",
        ),
        (
            (3, 32, 32),
            {"convolutions": 0},
            "--N 0 leaves 3 pools with nothing between them that learns. Give --N 1 or more, or "
            "--M 0 for fully connected layers alone",
        ),
        (
            (3, 32, 32),
            {"blocks": 0, "gap": True},
            "--gap averages what filters found, and --M 0 leaves no filters. Give --M 1 or more, "
            "or leave --gap out",
        ),
        (
            (3, 32, 32),
            {"parameters": 1000},
            "at most 1,000 parameters are too few: the narrowest such network, with 8 filters "
            "first, has 51,666. Give --params 51666, --gap, which needs fewer, or smaller --N, --M "
            "or --K",
        ),
        (
            (3, 32, 32),
            {"width": 8, "parameters": 1000},
            "the width and the number of parameters decide each other: give one of them",
        ),
    ],
)
def test_wishes_that_cannot_be_had(
    shape: tuple[int, int, int], wishes: dict[str, int], message: str
) -> None:
    assert refusal(shape, **wishes) == message


def test_the_fixes_are_fixes() -> None:
    assert pattern((3, 64, 64), 10, blocks=6).plan.blocks == 6
    assert pattern((3, 104, 96), 10, blocks=3).plan.blocks == 3
    assert pattern((3, 32, 32), 10, parameters=51_666).plan.width == 8


@given(st.integers(1, 10**6))
def test_halves(size: int) -> None:
    assert size % 2 ** halvings(size) == 0
    assert size // 2 ** halvings(size) % 2 == 1
    assert product(tuple(int(n) for n in factored(size).split("·"))) == size


def test_a_plan_is_a_value() -> None:
    plan = pattern((3, 32, 32), 10).plan
    assert replace(plan, width=512).channels == (512, 512, 512)
    assert replace(plan, width=600).channels == (600, 600, 600)


def test_the_examples_of_the_page() -> None:
    failures, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (failures, tried) == (0, 3)
