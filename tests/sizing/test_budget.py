"""Limits that a network is held to."""

from __future__ import annotations

import pytest

import striate
from striate.errors import UserError
from striate.sizing import size
from striate.sizing.budget import OverBudgetError, check, parse_budget, parse_bytes


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("params=5M", 5_000_000),
        ("params = 1.1k", 1_100),
        ("params=138357544", 138_357_544),
        ("macs=.5g", 500_000_000),
        ("flops=2T", 2 * 10**12),
        ("bytes=50MB", 50_000_000),
        ("bytes=3kb", 3_000),
        ("bytes=7", 7),
        ("bytes=1G", 10**9),
    ],
)
def test_amounts_are_in_powers_of_ten(text: str, most: int) -> None:
    (limit,) = parse_budget(text)
    assert limit.most == most


def test_the_exact_total_is_within_and_one_less_is_not() -> None:
    ledger = size("vgg16")
    assert check(ledger, "params=138357544") == ("params: 138.4 M of 138.4 M, within the budget",)
    with pytest.raises(OverBudgetError):
        check(ledger, "params=138357543")


def test_each_limit_tells_its_own_excess() -> None:
    with pytest.raises(OverBudgetError) as error:
        check(size("vgg16", batch=2), "params=5M,macs=100G,bytes=50MB")
    assert error.value.exit_status == 3
    assert str(error.value).splitlines() == [
        "vgg16 is over its budget",
        "params: 138.4 M of 5.000 M, over by 133.4 M, 27.7 times the budget.",
        "  most: fc1 74% · fc2 12% · fc3 3%",
        "macs: 30.94 G of 100.0 G, within the budget",
        "bytes: 229.4 MB of 50.00 MB, over by 179.4 MB, 4.59 times the budget.",
        "  most: stage1.conv1 11% · stage1.relu1 11% · stage1.conv2 11%",
    ]


def test_a_budget_of_nothing() -> None:
    with pytest.raises(OverBudgetError, match=r"params: 61\.71 k of 0, over by 61\.71 k\."):
        check(size("lenet5"), "params=0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("param=3", "a budget has no 'param'. Did you mean 'params'?"),
        ("xyz=3", "a budget has no 'xyz'. There are params, macs, flops, bytes, saved, peak"),
        ("params=5X", "params has no unit 'X'. There are k, M, G, T"),
        ("params=5MB", "params has no unit 'MB'. Did you mean 'M'?"),
        ("bytes=5MiB", "bytes has no unit 'MiB'. Did you mean 'MB'?"),
        ("params=1,params=2", "the budget gives params twice. Give it once"),
        (
            "params=-5",
            "params=-5 is not an amount. Give a number and a unit, as in "
            "params=5M,macs=600M,peak=4GB",
        ),
        *(
            (
                text,
                "a budget is a list of NAME=AMOUNT, as in params=5M,macs=600M,peak=4GB; "
                f"found '{found}'",
            )
            for text, found in (("", ""), ("params", "params"), ("params=1,", ""), ("=3", "=3"))
        ),
    ],
)
def test_a_wrong_budget(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse_budget(text)
    assert str(error.value) == message


def test_limits_of_a_training_step_are_held_against_its_memory() -> None:
    ledger, memory = size("lenet5", batch=8), striate.memory("lenet5", batch=8)
    peak = memory.peak.bytes
    assert check(ledger, f"peak={peak}B", memory)[0].endswith(", within the budget")
    with pytest.raises(OverBudgetError) as error:
        check(ledger, f"peak={peak - 1}B,saved=1GB", memory)
    assert str(error.value).startswith("lenet5 is over its budget\npeak: ")
    assert "saved: " in str(error.value)


def test_limits_of_a_training_step_ask_for_its_memory() -> None:
    with pytest.raises(UserError) as error:
        check(size("lenet5"), "peak=1GB")
    assert str(error.value) == (
        "saved and peak are of a training step: give its memory, as striate.memory tells it"
    )


@pytest.mark.parametrize(("text", "count"), [("8GB", 8 * 10**9), (" 1.5 kb ", 1500), ("7B", 7)])
def test_bytes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8", "'8' is not an amount of memory. Give a number and a unit, as in 8GB"),
        ("lots", "'lots' is not an amount of memory. Give a number and a unit, as in 8GB"),
        ("-1GB", "'-1GB' is not an amount of memory. Give a number and a unit, as in 8GB"),
        ("8GiB", "memory has no unit 'GiB'. Did you mean 'GB'?"),
        ("0GB", "'0GB' is no memory at all. Give more, as in 8GB"),
    ],
)
def test_wrong_bytes(text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse_bytes(text)
    assert str(error.value) == message
