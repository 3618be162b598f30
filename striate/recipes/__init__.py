"""Named settings of trainings: each one small file beside this module, or a user's own.

about = "one line"
paper = "where it was published"
lr_batch = 256        # the batch that lr is for; for others lr follows in proportion
plain_share = 0.2     # the share of the rates for networks without batch normalisation

[settings]
lr = 0.1              # any of docs/training.md
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from striate.errors import UserError

_FOLDER = Path(__file__).parent
_FIRST = ("default", "sgd")
ENDING = ".toml"


@dataclass(frozen=True)
class Recipe:
    """The settings of a recipe, and what it says of itself."""

    name: str
    about: str = ""
    paper: str = ""
    lr_batch: int = 0
    """0: lr is for any batch."""
    plain_share: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)


def names() -> list[str]:
    """The recipes that come with Striate: its own first, then those of papers as they came out."""
    there = {path.stem for path in _FOLDER.glob(f"*{ENDING}")}
    papers = ("alexnet", "vgg", "googlenet", "resnet", "mobilenet", "tricks", "speedrun")
    return [*_FIRST, *papers, *sorted(there - {*_FIRST, *papers})]


def text_of(name: str) -> str:
    """The text of a recipe of Striate's or of a file. Raises UserError when there is none."""
    path = Path(name) if name.endswith(ENDING) else _FOLDER / f"{name}{ENDING}"
    if not name.endswith(ENDING) and name not in names():
        near = get_close_matches(name, names(), n=1)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        raise UserError(
            f"there is no recipe '{name}'.{guess} There are: {', '.join(names())}; a file of one's "
            f"own ends in {ENDING}"
        )
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def read(name: str) -> Recipe:
    """A recipe of Striate's, or that of a file. Raises UserError when it is none."""
    text = text_of(name)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{name}: this is no recipe: {error}") from None
    known = {"about": str, "paper": str, "lr_batch": int, "plain_share": float, "settings": dict}
    for key, value in content.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            guess = f" Did you mean '{near[0]}'?" if near else " Settings stand under [settings]"
            raise UserError(f"{name}: a recipe has no '{key}'.{guess}")
        if not isinstance(value, known[key]):
            raise UserError(f"{name}: {key} is {value!r}; expected a {known[key].__name__}")
    return Recipe(name, **content)
