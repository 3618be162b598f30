"""`striate format`."""

from __future__ import annotations

import pytest

import striate
from striate import zoo

NOTES = "INPUT 3x32x32 -> [[CONV3-64 -> RELU]*2 -> POOL2]*3 -> [FC-256 -> RELU]*1 -> FC-10"


def test_the_pattern_of_the_notes(run) -> None:
    status, out, err = run("format", NOTES)
    assert (status, err) == (0, "")
    assert out.startswith("input 3x32x32\n")
    assert striate.parse(out) == striate.parse(NOTES)


@pytest.mark.parametrize("name", zoo.names())
def test_formatting_twice_changes_nothing(run, name: str) -> None:
    once = run("format", name).out
    assert run("format", once).out == once


def test_volumes_that_do_not_fit_are_told(run) -> None:
    status, out, err = run("format", "input 3x4x4 -> conv7-8 valid -> fc-10")
    assert (status, out) == (2, "")
    assert err.startswith("<text>:1:16: ")
    assert err.endswith("  input 3x4x4 -> conv7-8 valid -> fc-10\n                 ^^^^^^^^^^^^^\n")


def test_a_text_without_an_input_is_checked_for_its_words_alone(run) -> None:
    assert run("format", "CONV3-8, RELU") == (0, "conv3-8 -> relu\n", "")


def test_a_torch_network_is_written_in_the_notation(run) -> None:
    assert run("format", "torchvision:alexnet") == (
        0,
        "input 3x224x224\n"
        "conv11-64/4 p2 -> relu -> pool3/2 -> conv5-192 -> relu -> pool3/2 -> conv3-384 -> relu\n"
        "-> [conv3-256 -> relu]*2 -> pool3/2 -> adaptavgpool6\n"
        "-> [dropout0.5 -> fc-4096 -> relu]*2 -> fc-1000\n",
        "",
    )


def test_another_input_is_written_into_the_text(run) -> None:
    assert run("format", "input 3x8x8 -> conv3-4", "--input", "1x9x9").out == (
        "input 1x9x9\nconv3-4\n"
    )


def test_a_torch_network_that_the_notation_cannot_say(run) -> None:
    status, out, err = run("format", "torchvision:vit_b_32")
    assert (status, out) == (2, "")
    assert err == (
        "striate: torchvision:vit_b_32 cannot be written in the notation: its own forward calls "
        "cat with a weight. It can be sized, drawn and trained without\n"
    )
