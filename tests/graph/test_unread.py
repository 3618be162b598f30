from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.graph import build_graph
from striate.notation import parse


def warnings(text: str) -> list[str]:
    return [problem.message for problem in build_graph(parse(text)).warnings]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "input 3x33x33 -> pool2/2 -> gap",
            "pool2/2 leaves the last row and column of its 33×33 input unread; "
            "pad with p1, or start from an image of 32×32 or 34×34",
        ),
        (
            "input 3x33x64 -> pool2 -> gap",
            "pool2 leaves the last row of its 33×64 input unread; "
            "pad with p1, or start from an image of 32×64 or 34×64",
        ),
        (
            "input 3x30x30 -> [conv3-8 -> relu -> pool2]*3 -> fc-2",
            "pool2 leaves the last row and column of its 15×15 input unread; "
            "pad with p1, or start from an image of 24×24 or 32×32 (in repetition 2 of 3)",
        ),
        (
            "stem(c) = conv5-c/4 valid\ninput 3x12x8 -> stem(4) -> relu",
            "conv5-c/4 valid leaves the last 3 rows and columns of its 12×8 input "
            "unread; pad with p1, or start from an image of 9×5 or 13×9 (in stem(4) at 2:17)",
        ),
        (
            "input 3x11x8 -> conv5-4/4 valid -> relu",
            "conv5-4/4 valid leaves the last 2 rows and the last 3 columns of its 11×8 input "
            "unread; pad with p1, or start from an image of 9×5 or 13×9",
        ),
    ],
)
def test_messages(text: str, message: str) -> None:
    assert warnings(text) == [message]


@pytest.mark.parametrize(
    "text",
    [
        "input 3x33x33 -> pool2 ceil -> gap",
        "input 3x33x33 -> conv3-8/2 -> gap",
        "input 3x32x32 -> conv3-8/2 -> gap",  # only padding is left over
        "input 3x32x32 -> (conv3-8/2 -> bn + conv1-8/2) -> gap",  # the other branch reads it
        "input 3x33x33 -> (pool2 -> gap | gap)",
        "input 3x32x32 -> conv1-8/2 -> gap",  # the gap after every filter, not the end alone
        "input 3x32x32 -> fc-10",
    ],
)
def test_nothing_to_warn_of(text: str) -> None:
    assert warnings(text) == []


def test_a_layer_is_warned_of_once() -> None:
    assert len(warnings("input 3x7x7 -> [pool2 -> conv2-4 p1]*3")) == 1


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(8, 80),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    pools=st.integers(1, 2),
)
def test_the_sizes_proposed_fit(size: int, kernel: int, stride: int, pools: int) -> None:
    body = f"[conv{kernel}-2/{stride} valid -> pool2]*{pools}"
    try:
        found = warnings(f"input 1x{size}x{size} -> {body}")
    except Exception:  # a window that does not fit is another test's business
        return
    for message in found:
        for proposed in message.split("image of ")[-1].split(" (in")[0].split(" or "):
            if "unread" not in proposed:
                channels_first = proposed.replace("×", "x")
                assert warnings(f"input 1x{channels_first} -> {body}") == []
