"""Values of a JSON object that was read from a file, each held to its type."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from striate.errors import UserError


class FieldError(Exception):
    """What is wrong with one value."""


class Fields:
    """A JSON object; each method gives the value of a name or raises FieldError."""

    def __init__(self, content: Mapping[str, Any], prefix: str = "") -> None:
        self.content = content
        self.prefix = prefix

    def text(self, name: str) -> str:
        """A text."""
        value = self._get(name)
        return value if isinstance(value, str) else self._refuse(name, "text")

    def optional_text(self, name: str) -> str | None:
        """A text or null."""
        value = self._get(name)
        return (
            value if value is None or isinstance(value, str) else self._refuse(name, "text or null")
        )

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._refuse(name, "a list of texts")
        return tuple(value)

    def names(self, name: str) -> tuple[str, ...]:
        """A list of one or more different texts."""
        value = self._get(name)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            self._refuse(name, "a list of names")
        for item in value:
            if value.count(item) > 1:
                raise FieldError(f"'{self.prefix}{name}' names '{item}' twice")
        return tuple(value)

    def object(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self._get(name)
        return value if isinstance(value, dict) else self._refuse(name, "an object")

    def optional_object(self, name: str) -> dict[str, Any]:
        """An object, empty where there is none: what older files do not have."""
        return self.object(name) if name in self.content else {}

    def inside(self, name: str) -> Fields:
        """The fields of an object."""
        return Fields(self.object(name), f"{self.prefix}{name}.")

    def numbers(self, name: str, channels: int) -> tuple[float, ...]:
        """As many finite numbers as there are channels."""
        value = self._get(name)
        numbers = value if isinstance(value, list) else []
        if len(numbers) != channels or not all(_is_finite(item) for item in numbers):
            plural = "" if channels == 1 else "s"
            self._refuse(name, f"{channels} finite number{plural}, one for each channel")
        return tuple(map(float, numbers))

    def _get(self, name: str) -> Any:
        if name not in self.content:
            raise FieldError(f"'{self.prefix}{name}' is missing")
        return self.content[name]

    def _refuse(self, name: str, expected: str) -> Any:
        raise FieldError(f"'{self.prefix}{name}' is {self.content[name]!r}; expected {expected}")


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)  # type: ignore[arg-type]


def read_json(path: Path) -> object:
    """The content of a JSON file. Raises UserError when it is damaged."""
    try:
        return json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path}: this is not readable JSON ({error}). The file was damaged: copy the run "
            "again, or train again"
        ) from None
