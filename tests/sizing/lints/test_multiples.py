"""Sizes that the strides divide, against the sizes of the volumes."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.graph import load_graph
from striate.sizing.lints import lint

RULE = "uneven size"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "input 3x230x230 -> [conv3-8/2 -> relu]*4 -> gap",
            "an image of 230×230 does not divide evenly: conv3-8/2 divides 115 rows and columns by "
            "2. Multiples of 16, the product of its strides (2·2·2·2), fit: take 224×224 or "
            "240×240",
        ),
        (
            "input 3x64x50 -> conv3-8 -> pool4 -> gap",
            "an image of 64×50 does not divide evenly: pool4 divides 50 columns by 4. Multiples of "
            "4, the stride, fit: take 64×48 or 64×52",
        ),
        (
            "input 3x31x31 -> conv3-8 valid -> pool2 -> conv3-8 valid -> pool2 -> fc-3",
            "an image of 31×31 does not divide evenly: pool2 divides 29 rows and columns by 2. "
            "Sizes in steps of 4, the product of its strides (2·2), fit: take 30×30 or 34×34",
        ),
    ],
)
def test_messages(told, text: str, message: str) -> None:
    (found,) = told(text, RULE)
    assert (found.level, found.message) == ("note", message)


@pytest.mark.parametrize(
    "what",
    [
        *("vgg16", "resnet50", "googlenet", "inception_v3", "alexnet", "lenet5", "mobilenet_v2"),
        "input 3x99x99 -> conv3-8 -> gap",
        "input 3x35x35 -> conv3-8/2 valid -> conv3-8/2 valid -> gap",
    ],
)
def test_sizes_that_are_meant(told, what: str) -> None:
    assert told(what, RULE) == []


def test_a_size_given_at_use() -> None:
    graph = load_graph("resnet50", input=(3, 230, 230))
    (message,) = [each.message for each in lint(graph) if each.rule == RULE]
    assert message.endswith(
        "Multiples of 32, the product of its strides (2·2·2·2·2), fit: take 224×224 or 256×256"
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(size=st.integers(8, 80), strides=st.lists(st.sampled_from([2, 3]), min_size=1, max_size=3))
def test_it_is_told_unless_every_volume_divides(told, size: int, strides: list[int]) -> None:
    body = " -> ".join(f"conv3-4/{stride} -> relu" for stride in strides)
    product = 1
    for stride in strides:
        product *= stride
    found = told(f"input 1x{size}x{size} -> {body}", RULE)
    assert bool(found) == (size % product != 0)
    if found:
        proposed = re.findall(r"([0-9]+)×\1", found[0].message.split("take ")[1])
        assert proposed
        for other in proposed:
            assert int(other) % product == 0
            assert abs(int(other) - size) < product
