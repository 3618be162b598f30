"""Networks from the literature, each one file of notation beside this module."""

from __future__ import annotations

import re
from pathlib import Path

from striate.source import Source

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The networks of the zoo: families together, the smaller ones first."""
    return sorted((path.stem for path in _FOLDER.glob("*.net")), key=_with_numbers)


def read(name: str) -> Source:
    """The text of one network. Raises KeyError for a name that is not in the zoo."""
    path = _FOLDER / f"{name}.net"
    if name not in names():
        raise KeyError(name)
    return Source(path.read_text(encoding="utf-8"), name)


def _with_numbers(name: str) -> list[str | int]:
    """Sorts resnet18 before resnet101 and vgg11_bn before vgg13."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if part.isdigit() else part for part in parts]
