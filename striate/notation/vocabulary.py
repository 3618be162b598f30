"""What the notation takes from the layers' declarations: words, settings, values, suggestions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from striate.layers import PADDING_WORDS, WORDS, Layer, Setting, Value

MAX_TEXT = 1_000_000
"""Characters in a text."""
MAX_NESTING = 50
"""Brackets inside each other, through definitions too."""
MAX_OPERATIONS = 50
"""Operators and functions in one expression."""
MAX_LAYERS = 100_000
"""Layers in a network when its repetitions and definitions are written out."""
MAX_PROBLEMS = 20
"""Problems that are shown for one text; reading ends there."""

FUNCTIONS: dict[str, tuple[int, int]] = {
    "min": (1, 100),
    "max": (1, 100),
    "round": (1, 1),
    "floor": (1, 1),
    "ceil": (1, 1),
    "int": (1, 1),
    "divisible": (2, 2),
}
"""The functions of expressions, with the fewest and the most arguments that they take."""

COUNT = Setting("count", "int", "number of repetitions", minimum=0, maximum=MAX_LAYERS)
"""The N of `[ … ]*N`. An expression may give 0, and then nothing is repeated."""
CHANNELS = Setting("channels", "int", "the C of input CxHxW")
HEIGHT = Setting("height", "int", "the H of input CxHxW")
WIDTH = Setting("width", "int", "the W of input CxHxW")

LAYER_WORDS = frozenset(WORDS)

AGAIN, FROM, UNPOOL, TAP = "again", "from", "unpool", "tap"
REFERENCES = frozenset((AGAIN, FROM, UNPOOL, TAP))
"""Words that begin an item and are followed by a name."""
OUTPUT = "output"
"""What the network's own output is called beside its taps."""

TRUTH = {"true": True, "false": False}


class ValueProblem(Exception):  # noqa: N818
    """A value that a setting cannot take."""


@dataclass(frozen=True)
class Glued:
    """A word with a number glued to it: `conv3x5` is `conv`, `3` and `5`."""

    word: str
    rows: str = ""
    columns: str = ""


@cache
def _glued_pattern(words: frozenset[str]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(words, key=len, reverse=True))
    return re.compile(rf"({longest_first})(?:([0-9]*\.[0-9]+|[0-9]+)(?:x([0-9]+))?)?")


def split(text: str, words: frozenset[str]) -> Glued | None:
    """A lower-case text as one of the words with a number glued to it, or None."""
    match = _glued_pattern(words).fullmatch(text) if words else None
    return Glued(match[1], match[2] or "", match[3] or "") if match else None


def is_layer(text: str) -> bool:
    """Whether a word names a layer, with or without a number glued to it."""
    return split(text, LAYER_WORDS) is not None


def begins_item(text: str) -> bool:
    """Whether a word begins an item, whatever a text defines: a layer or a reference."""
    return text in REFERENCES or is_layer(text)


def setting_of(kind: type[Layer], name: str) -> Setting | None:
    """A kind's setting by its name."""
    return next((setting for setting in kind.settings if setting.name == name), None)


def letters_of(kind: type[Layer]) -> dict[str, Setting]:
    """A kind's settings by their letters."""
    return {setting.letter: setting for setting in kind.settings if setting.letter}


_LONGEST_GUESS = 40


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like the given one, if one is."""
    if not 2 <= len(word) <= _LONGEST_GUESS:
        return None
    found = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return found[0] if found else None


def convert(setting: Setting, value: Value) -> Value:
    """A value as the layer's dataclass takes it: `3` becomes `(3, 3)` for a pair.

    `value` is a number, two numbers for the two axes, or a word (`same`, `true`). Raises
    ValueProblem with the whole message when the setting cannot take it.
    """
    if setting.type == "text":
        return value
    if setting.type == "bool":
        return _truth(setting, value)
    if isinstance(value, str):
        if setting.type == "padding" and value in PADDING_WORDS:
            return value
        raise ValueProblem(f"{_what(setting)} must be {_expected(setting)}, not '{value}'")
    if isinstance(value, tuple):
        if setting.type not in ("pair", "padding"):
            shown = f"{value[0]}x{value[1]}"
            raise ValueProblem(f"{_what(setting)} is one number for both axes, not {shown}")
        return _whole(setting, value[0]), _whole(setting, value[1])
    if setting.type == "float":
        return _within(setting, float(value))
    whole = _whole(setting, value)
    return (whole, whole) if setting.type == "pair" else whole


def _truth(setting: Setting, value: Value) -> bool:
    if isinstance(value, str) and value in TRUTH:
        return TRUTH[value]
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    shown = "x".join(map(str, value)) if isinstance(value, tuple) else value
    raise ValueProblem(f"{_what(setting)} must be true or false, not '{shown}'")


def _whole(setting: Setting, value: int | float) -> int:
    _within(setting, value)
    if value != int(value):
        low = max(int(value), int(setting.minimum))
        raise ValueProblem(
            f"{_what(setting)} must be a whole number, not {value:g}. Write {low} or {low + 1}"
        )
    return int(value)


def _within(setting: Setting, value: float) -> float:
    if setting.minimum <= value <= setting.maximum:
        return value
    if setting.maximum >= 2**31:
        limits = f"at least {setting.minimum:g}" if value < setting.minimum else "below 2**31"
    else:
        limits = f"from {setting.minimum:g} to {setting.maximum:g}"
    raise ValueProblem(f"{_what(setting)} must be {limits}, not {value:g}")


def _what(setting: Setting) -> str:
    return f"{setting.name} ({setting.help})"


def _expected(setting: Setting) -> str:
    if setting.type == "padding":
        return f"{', '.join(PADDING_WORDS)} or a number"
    return "a number or two, as in 3x5" if setting.type == "pair" else "a number"
