from __future__ import annotations

import ast
import inspect
import json
import math
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.errors import UserError
from striate.training import settings as module
from striate.training.settings import Settings

ABOVE_0 = "a number above 0, up to 1e+09"
SHARE = "a number from 0 to below 1"
WHOLE = "a whole number from 0 to 9223372036854775807"

BAD = [
    ("epochs", -1, ABOVE_0),
    ("epochs", 0, ABOVE_0),
    ("epochs", math.nan, ABOVE_0),
    ("epochs", math.inf, ABOVE_0),
    ("epochs", 1e300, ABOVE_0),
    ("epochs", "3", ABOVE_0),
    ("epochs", True, ABOVE_0),
    ("lr", 0.0, ABOVE_0),
    ("lr", None, ABOVE_0),
    ("lr", math.nan, ABOVE_0),
    ("lr", -math.inf, ABOVE_0),
    ("adam_lr", 0.0, ABOVE_0),
    ("batch", 0, "a whole number from 1 to 1048576"),
    ("batch", 2**20 + 1, "a whole number from 1 to 1048576"),
    ("batch", 64.0, "a whole number from 1 to 1048576"),
    ("seed", -1, WHOLE),
    ("seed", 2**63, WHOLE),
    ("momentum", 1.0, SHARE),
    ("label_smoothing", -0.1, SHARE),
    ("warmup", 1, SHARE),
    ("shift", math.nan, SHARE),
    ("shift", 1.5, SHARE),
    ("zoom", 1.0, SHARE),
    ("colour", "much", SHARE),
    ("weight_decay", 2.0, "a number from 0 to 1"),
    ("tap_weight", -1, "a number from 0 to 1"),
    ("rotate", 181.0, "a number from 0 to 180"),
    ("whiten", 1, "true or false"),
    ("flip", "yes", "true or false"),
    ("moves", 1, "true or false"),
    ("recipe", "", "a name"),
    ("optimizer", "adam", "one of muon, sgd, rmsprop, adamw, lamb"),
    ("schedule", "step", "one of line, cosine, constant, drops, plateau"),
    ("nesterov", 1, "true or false"),
    ("decay_all", "no", "true or false"),
    ("smoothing", 1.0, SHARE),
    ("ema", 1, SHARE),
    ("eps", -1.0, "a number from 0 to 10"),
    ("clip", -1.0, "a number from 0 to 1000000"),
    ("drop", 0, "a number above 0, up to 1"),
    ("drop_every", 0, ABOVE_0),
    ("crop", 1.0, SHARE),
    ("progressive", 1.0, SHARE),
    ("cutout", -0.5, SHARE),
    ("lighting", -1.0, "a number from 0 to 10"),
    ("mixup", -1.0, "a number from 0 to 100"),
    ("cutmix", 101, "a number from 0 to 100"),
    ("stop_after", -1, "a whole number from 0 to 1000"),
    ("hold_out", 1, "a number from 0 to below 1"),
    ("balance", 1, "true or false"),
    ("zero_gamma", "yes", "true or false"),
    ("trivial", 1, "true or false"),
    ("scaling", "picture", "one of std, mean, image, unit"),
    ("body_rate", 1.5, "a number from 0 to 1"),
    ("teacher", 3, "a run's folder"),
    ("distil", 2.0, "a number from 0 to 1"),
    ("temperature", 0.0, "a number above 0, up to 1000"),
    ("accumulate", 0, "a whole number from 1 to 4096"),
    ("patience", 0, "a whole number from 1 to 1000"),
    ("device", "tpu", "one of auto, cpu, cuda"),
    ("precision", "float16", "one of auto, float32, bfloat16"),
    ("precision", ["float32"], "one of auto, float32, bfloat16"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD)
def test_a_bad_value_is_told_with_what_is_expected(name: str, value: object, expected: str) -> None:
    with pytest.raises(UserError) as error:
        Settings(**{"epochs": 1, name: value})
    assert str(error.value) == f"settings: {name} is {value!r}; expected {expected}"


def test_every_field_has_a_bad_value() -> None:
    assert {name for name, _, _ in BAD} | {"seconds"} == {field.name for field in fields(Settings)}


def test_a_bad_number_of_seconds() -> None:
    with pytest.raises(UserError, match=r"^settings: seconds is nan; expected a number above 0, "):
        Settings(seconds=math.nan)


def test_a_long_value_is_cut() -> None:
    with pytest.raises(UserError) as error:
        Settings(epochs=1, lr=10**400)
    assert str(error.value) == f"settings: lr is 1{'0' * 39}…; expected {ABOVE_0}"


def test_epochs_and_seconds_exclude_each_other() -> None:
    with pytest.raises(UserError) as both:
        Settings(epochs=1, seconds=1)
    message = "give either a number of epochs or a number of seconds, not both"
    assert str(both.value) == message
    with pytest.raises(UserError) as neither:
        Settings()
    message = "settings: found neither epochs nor seconds; expected one of them"
    assert str(neither.value) == message


share = st.floats(0, 1, exclude_max=True)
above_0 = st.floats(1e-9, 1e9)


@given(
    st.builds(
        Settings,
        epochs=above_0,
        batch=st.integers(1, 2**20),
        optimizer=st.sampled_from(["muon", "sgd"]),
        lr=above_0,
        momentum=share,
        weight_decay=st.floats(0, 1),
        warmup=share,
        flip=st.booleans(),
        rotate=st.floats(0, 180),
        seed=st.integers(0, 2**63 - 1),
    )
)
def test_settings_come_back_from_json(settings: Settings) -> None:
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2], "settings: found [1, 2]; expected an object"),
        (
            {"epochs": 1, "momentun": 0.5},
            "settings: there is no setting 'momentun'. Did you mean 'momentum'?",
        ),
        ({"epochs": 1, "qqq": 0.5}, "settings: there is no setting 'qqq'."),
        ({"epochs": 1, "batch": "64"}, "settings: batch is '64'; expected a whole number from 1 to "
         "1048576"),
        ({"epochs": 1, "batch": None}, "settings: batch is None; expected a whole number from 1 to "
         "1048576"),
        (json.loads('{"epochs": NaN}'), f"settings: epochs is nan; expected {ABOVE_0}"),
        (json.loads('{"epochs": 1, "lr": Infinity}'), f"settings: lr is inf; expected {ABOVE_0}"),
        ({}, "settings: found neither epochs nor seconds; expected one of them"),
    ],
)  # fmt: skip
def test_what_is_no_settings_is_told(data: object, message: str) -> None:
    with pytest.raises(UserError) as error:
        Settings.from_json(data)
    assert str(error.value) == message


PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def table() -> str:
    """The settings as a table: name, values, default, and what stands below them in the class."""
    body = ast.parse(inspect.getsource(Settings)).body[0].body  # type: ignore[attr-defined]
    words = module._words()
    rows = ["| setting | values | default | |", "|---|---|---|---|"]
    for at, node in enumerate(body):
        if isinstance(node, ast.AnnAssign):
            name = ast.unparse(node.target)
            known = ", ".join(f"`{word}`" for word in words.get(name, ()))
            texts = {"recipe": "a name, or a `.toml` file", "teacher": "a run's folder"}
            plain = texts.get(name, "true or false")
            values = str(module._NUMBERS.get(name, known or plain))
            default = ast.literal_eval(node.value) if node.value else None
            shown = "–" if default is None else f"`{json.dumps(default)}`".replace('"', "")
            told = inspect.cleandoc(ast.literal_eval(body[at + 1].value)).replace("\n", " ")
            rows.append(f"| `{name}` | {values} | {shown} | {told} |")
    return "\n".join(rows)


def test_the_page_lists_every_setting() -> None:
    assert table() in PAGE.read_text(encoding="utf-8")
