"""Values as settings take them."""

from __future__ import annotations

import pytest

from striate.layers import Conv, Dropout, LocalResponseNorm, MaxPool, Setting, Value
from striate.notation.vocabulary import COUNT, MAX_LAYERS, ValueProblem, convert, setting_of, split


def _setting(kind: type, name: str) -> Setting:
    found = setting_of(kind, name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("setting", "value", "converted"),
    [
        (_setting(Conv, "kernel_size"), 3, (3, 3)),
        (_setting(Conv, "kernel_size"), (3, 5), (3, 5)),
        (_setting(Conv, "kernel_size"), 3.0, (3, 3)),
        (_setting(Conv, "out_channels"), 64.0, 64),
        (_setting(Conv, "padding"), "same", "same"),
        (_setting(Conv, "padding"), 0, 0),
        (_setting(Conv, "padding"), (1, 0), (1, 0)),
        (_setting(Conv, "bias"), "false", False),
        (_setting(Conv, "bias"), 1, True),
        (_setting(Dropout, "p"), 1, 1.0),
        (_setting(LocalResponseNorm, "k"), 2, 2.0),
        (COUNT, 0, 0),
    ],
)
def test_convert(setting: Setting, value: Value, converted: Value) -> None:
    found = convert(setting, value)
    assert found == converted
    assert type(found) is type(converted)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        (
            _setting(Conv, "stride"),
            0,
            "stride (step between two outputs) must be at least 1, not 0",
        ),
        (
            _setting(Conv, "kernel_size"),
            (3, 2.5),
            "kernel_size (rows and columns of the filter) must be a whole number, not 2.5. "
            "Write 2 or 3",
        ),
        (
            _setting(Conv, "out_channels"),
            1.5e10,
            "out_channels (number of filters) must be below 2**31, not 1.5e+10",
        ),
        (
            _setting(Conv, "out_channels"),
            "same",
            "out_channels (number of filters) must be a number, not 'same'",
        ),
        (
            _setting(Conv, "padding"),
            "true",
            "padding (zeros around the input) must be same, valid, full or a number, not 'true'",
        ),
        (
            _setting(Conv, "bias"),
            2,
            "bias (a learned offset for each filter) must be true or false, not '2'",
        ),
        (
            _setting(MaxPool, "ceil"),
            (1, 2),
            "ceil (count a last, incomplete window) must be true or false, not '1x2'",
        ),
        (
            _setting(Dropout, "p"),
            -0.1,
            "p (probability of a zero) must be from 0 to 1, not -0.1",
        ),
        (
            _setting(Dropout, "p"),
            (1, 1),
            "p (probability of a zero) is one number for both axes, not 1x1",
        ),
        (
            COUNT,
            MAX_LAYERS + 1,
            "count (number of repetitions) must be from 0 to 100000, not 100001",
        ),
    ],
)
def test_convert_refuses(setting: Setting, value: Value, message: str) -> None:
    with pytest.raises(ValueProblem) as caught:
        convert(setting, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("conv3", ("conv", "3", "")),
        ("conv2d3", ("conv2d", "3", "")),
        ("relu6", ("relu6", "", "")),
        ("conv3x5", ("conv", "3", "5")),
        ("dropout0.5", ("dropout", "0.5", "")),
    ],
)
def test_split(text: str, parts: tuple[str, str, str]) -> None:
    words = frozenset(["conv", "conv2d", "relu", "relu6", "dropout"])
    found = split(text, words)
    assert found is not None
    assert (found.word, found.rows, found.columns) == parts


@pytest.mark.parametrize("text", ["con3", "conv3x", "conv3x5x7", "3conv", "conv-3", ""])
def test_split_refuses(text: str) -> None:
    assert split(text, frozenset(["conv"])) is None
