"""What to say about words and settings that no layer has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from striate.layers import KINDS, PADDING_WORDS, WORDS, Layer, Setting
from striate.notation.vocabulary import FUNCTIONS, REFERENCES, TRUTH, letters_of, nearest, split

PATTERN = "'?' says 'one or none' in the pattern INPUT -> [[CONV -> RELU]*N -> POOL?]*M -> …"


def open_count(name: str) -> str:
    """A count without a value, as the pattern's N."""
    letter = name.upper()
    return (
        f"'{letter}' has no value: the pattern [ … ]*{letter} leaves the number of repetitions "
        f"open, and a network says it. Write [ … ]*2, or define {name} = 2 on a line of its own"
    )


def unknown_layer(written: str, definitions: Iterable[str]) -> str:
    """A word that is neither a layer nor a definition, with the nearest one that is."""
    word = re.split("[-/]", written.lower(), maxsplit=1)[0]
    head = word.rstrip("0123456789.x")
    if _is_setting(word):
        hint = "A setting stands after its layer, on the same line, as in conv3-64 d2"
    elif word.startswith(("unpool", "maxunpool")):
        hint = "A max-unpooling names its pool: unpool p1, with p1: pool2 before it"
    elif (near := nearest(word, definitions)) is not None:
        hint = f"Did you mean '{near}'?"
    elif (near := nearest(head, WORDS)) is not None:
        number = written[len(head) : len(word)] if WORDS[near].number else ""
        hint = f"Did you mean '{near}{number}{written[len(word) :]}'?"
    elif (near := nearest(word, (*REFERENCES, "input"))) is not None:
        hint = f"Did you mean '{near}'?"
    else:
        hint = "A layer is a word such as conv3-64, relu, pool2, bn or fc-10"
    return f"unknown layer '{written}'. {hint}"


def _is_setting(word: str) -> bool:
    """Whether some layer has a setting that is written like this."""
    return any(
        word in kind.flags or split(word, frozenset(letters_of(kind))) is not None for kind in KINDS
    )


def unknown_word(kind: type[Layer], written: str) -> str:
    """A word after a layer that is no setting of it."""
    head = written.lower().rstrip("0123456789.x")
    rest = written[len(head) :] or "N"
    letters = letters_of(kind)
    names = [setting.name for setting in kind.settings]
    near = nearest(head, [*letters, *kind.flags, *names])
    if near is None:
        hint = spaced_forms(kind)
    elif near in letters:
        hint = f"Did you mean '{near}{rest}' ({letters[near].name}={rest})?"
    elif near in kind.flags:
        name, value = kind.flags[near]
        hint = f"Did you mean '{near}' ({name}={str(value).lower()})?"
    else:
        hint = f"Did you mean {kind.words[0]}({near}={rest})?"
    return f"unknown setting '{written}' for {kind.words[0]}. {hint}"


def unknown_name(kind: type[Layer], written: str) -> str:
    """A name in parentheses that is no setting of the layer."""
    near = nearest(written.lower(), [setting.name for setting in kind.settings])
    hint = f"Did you mean '{near}'?" if near else f"{named_forms(kind)}"
    return f"unknown setting '{written}' for {kind.words[0]}. {hint}"


def unknown_value(kind: type[Layer], setting: Setting, written: str) -> str:
    """A word that a setting does not know."""
    words = tuple(TRUTH) if setting.type == "bool" else PADDING_WORDS
    expected = " or ".join(words) if setting.type == "bool" else f"{', '.join(words)} or a number"
    near = nearest(written, words)
    hint = f". Did you mean '{near}'?" if near else ""
    return f"{setting.name} of {kind.words[0]} must be {expected}, not '{written}'{hint}"


def unknown_function(written: str) -> str:
    """A word before parentheses in an expression that is no function."""
    near = nearest(written.lower(), FUNCTIONS)
    hint = f"Did you mean '{near}'?" if near else f"There are {', '.join(FUNCTIONS)}"
    return f"unknown function '{written}'. {hint}"


def named_forms(kind: type[Layer]) -> str:
    """The settings of a kind, as they are spelt out."""
    names = [setting.name for setting in kind.settings]
    word = kind.words[0]
    return f"{word} has {', '.join(names)}" if names else f"{word} has no settings"


def spaced_forms(kind: type[Layer]) -> str:
    """The settings of a kind that stand after its word, in their short form."""
    short = [f"{letter}N ({setting.name})" for letter, setting in letters_of(kind).items()]
    known = [*short, *kind.flags]
    return f"{kind.words[0]} takes {', '.join(known)}" if known else named_forms(kind)


def short_example(kind: type[Layer]) -> str:
    """A kind with the least that it needs: `conv3-64`."""
    return kind.example.split()[0].split("/")[0]
