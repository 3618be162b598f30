"""Numbers and shapes are checked before anything is done; each whole message is held."""

from __future__ import annotations

import click
import pytest

from striate.cli.parameters import InputShape, Positive, Whole


def found(parameter: click.ParamType, text: str) -> object:
    return parameter.convert(text, None, None)


def message(parameter: click.ParamType, text: str) -> str:
    with pytest.raises(click.BadParameter) as caught:
        parameter.convert(text, None, None)
    return caught.value.message


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "nan", "", "one", "1e3", "-" + "9" * 30, "１x"])
def test_not_a_whole_number(text: str) -> None:
    assert message(Whole(1), text) == f"expected a whole number, 1 or more, found '{text}'."


def test_numbers_too_long_are_not_called_wrong() -> None:
    assert message(Whole(1), "9" * 16) == (
        "expected a number of at most 15 digits, found '9999999999999999'."
    )
    assert message(InputShape(), "3x9999999999x2") == (
        "expected sizes of at most 9 digits, found '3x9999999999x2'."
    )


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("+32", 32), ("007", 7)])
def test_whole_numbers(text: str, value: int) -> None:
    assert found(Whole(1), text) == value


def test_the_minimum_is_accepted() -> None:
    assert found(Whole(0), "0") == 0
    assert message(Whole(0), "-1") == "expected a whole number, 0 or more, found '-1'."


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0", "-0.0", "-1", "", "fast", "1e999"])
def test_not_a_positive_number(text: str) -> None:
    assert message(Positive(), text) == f"expected a number above 0, found '{text}'."


@pytest.mark.parametrize(("text", "value"), [("0.1", 0.1), ("1e-4", 1e-4), ("30", 30.0)])
def test_positive_numbers(text: str, value: float) -> None:
    assert found(Positive(), text) == value


@pytest.mark.parametrize(
    "text",
    ["224", "3x-1x4", "3x224", "3x224x0", "3x224x224x1", "x3x224x224", "3x 2x2", "", "axbxc"],
)
def test_not_a_shape(text: str) -> None:
    assert message(InputShape(), text) == (
        f"expected channels, height and width, each 1 or more, as in 3x224x224, found '{text}'."
    )


@pytest.mark.parametrize("text", ["3x32x48", "3X32X48", "3×32×48"])
def test_shapes(text: str) -> None:
    assert found(InputShape(), text) == (3, 32, 48)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["size", "vgg16", "--batch", "0"], "'--batch': expected a whole number, 1 or more, found"),
        (["train", "lenet5", "digits", "--lr", "nan"], "'--lr': expected a number above 0, found"),
        (["train", "lenet5", "digits", "--lr", "-1"], "'--lr': expected a number above 0, found"),
        (["train", "lenet5", "digits", "--seconds", "0"], "'--seconds': expected a number above 0"),
        (["train", "lenet5", "digits", "--epochs", "-1"], "'--epochs': expected a number above 0"),
        (
            ["train", "lenet5", "digits", "--batch", "0"],
            "'--batch': expected a whole number, 1 or more, found",
        ),
        (
            ["train", "lenet5", "digits", "--seed", "-1"],
            "'--seed': expected a whole number, 0 or more, found",
        ),
        (["predict", "run", "a.jpg", "--top", "0"], "'--top': expected a whole number, 1 or more"),
    ],
)
def test_wrong_numbers_name_their_option(run, arguments: list[str], expected: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"striate: Invalid value for {expected}")
    assert err.endswith(f"found '{arguments[-1]}'.\n")
    assert err.count("\n") == 1
