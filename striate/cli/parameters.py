"""What the verbs accept: numbers that are checked, images' shapes, networks, data and runs."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Literal

import click
from click.shell_completion import CompletionItem


def examples(*lines: str) -> str:
    """The part of a verb's help that shows it at work; a wrong call of the verb shows it too."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def one_form(as_json: bool, as_csv: bool) -> Literal["json", "csv", "table"]:
    """The one form of output that `--json` and `--csv` ask for."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of one output: give one of them.")
    return "json" if as_json else "csv" if as_csv else "table"


class Whole(click.ParamType):
    """A whole number that is not below a minimum."""

    name = "N"

    def __init__(self, minimum: int) -> None:
        self.minimum = minimum

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if re.fullmatch(r"[+]?[0-9]{16,}", value):
            self.fail(f"expected a number of at most 15 digits, found '{value}'.", param, ctx)
        number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,15}", value) else None
        if number is None or number < self.minimum:
            self.fail(
                f"expected a whole number, {self.minimum} or more, found '{value}'.", param, ctx
            )
        return number


class Positive(click.ParamType):
    """A finite number above zero."""

    name = "X"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number > 0):
            self.fail(f"expected a number above 0, found '{value}'.", param, ctx)
        return number


class InputShape(click.ParamType):
    """An image's shape, channels first: `3x224x224`."""

    name = "CxHxW"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        if re.search("[0-9]{10}", value):
            self.fail(f"expected sizes of at most 9 digits, found '{value}'.", param, ctx)
        parts = [int(part) for part in re.split("[xX×]", value) if re.fullmatch("[0-9]+", part)]
        if len(parts) != 3 or len(re.findall("[xX×]", value)) != 2 or 0 in parts:
            self.fail(
                "expected channels, height and width, each 1 or more, as in 3x224x224, "
                f"found '{value}'.",
                param,
                ctx,
            )
        return parts[0], parts[1], parts[2]


class Sizes(click.ParamType):
    """The shape of one of a network's inputs, with as many axes as it has."""

    name = "CxHxW"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if not re.fullmatch("[1-9][0-9]{0,8}([xX×][1-9][0-9]{0,8})*", value):
            self.fail(
                "expected channels, height and width, each 1 or more, as in 3x224x224 (of a torch "
                f"network the sizes of any input, without the batch), found '{value}'.",
                param,
                ctx,
            )
        return tuple(int(part) for part in re.split("[xX×]", value))


class Location(click.Path):
    """The path of a file or folder, there or not."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Path:
        if not os.fspath(value):
            self.fail("expected a path, found an empty text.", param, ctx)
        return Path(value)


class Network(click.ParamType):
    """A network: a name from the zoo or a .net file, with constants set or not; or its text."""

    name = "network"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from striate.zoo import names

        if "(" in incomplete:
            return _constants(incomplete)
        files = [str(path) for path in _folder(incomplete).glob("*.net")]
        found = [word for word in (*names(), *sorted(files)) if word.startswith(incomplete)]
        return [CompletionItem(word) for word in found] or _paths(incomplete)


def _constants(incomplete: str) -> list[CompletionItem]:
    """Each constant that may come next, at the value that it has: `mobilenet_v2(alpha=1)`."""
    from striate.errors import UserError
    from striate.graph import find_source
    from striate.graph.constants import constants

    network, _, given = incomplete.partition("(")
    before, comma, begun = given.rpartition(",")
    taken = {part.partition("=")[0].strip() for part in before.split(",")}
    try:
        source = find_source(network)
        known = constants(source)
    except UserError:
        return _paths(incomplete)
    return [
        CompletionItem(f"{network}({before}{comma}{name}={source.text[body.start : body.end]})")
        for name, body in ((name, each.body.span) for name, each in known.items())
        if name.startswith(begun.strip()) and name not in taken
    ]


class Data(click.ParamType):
    """A data set's name, or a folder of images."""

    name = "data"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("expected a folder or a data set's name, found an empty text.", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from striate.data import BUILT_IN

        known = [name for name in BUILT_IN if name.startswith(incomplete)]
        return [CompletionItem(name) for name in known] or _paths(incomplete)


def _folder(incomplete: str) -> Path:
    """The folder that the beginning of a path names."""
    return Path(incomplete) if incomplete.endswith("/") else Path(incomplete + "*").parent


def _paths(incomplete: str) -> list[CompletionItem]:
    """Let the shell complete paths its own way."""
    return [CompletionItem(incomplete, type="file")]


def complete_recipe(context: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The recipes whose names begin so."""
    from striate.recipes import names

    return [name for name in names() if name.startswith(incomplete)]


FILE = Location()

network_argument = click.argument("network", metavar="NET", type=Network())
run_argument = click.argument("run", metavar="RUN", type=FILE)
data_argument = click.argument("data", metavar="DATA", type=Data())
input_option = click.option(
    "--input",
    "shape",
    metavar="CxHxW",
    type=InputShape(),
    help="The image's shape, in place of the text's own.",
)
inputs_option = click.option(
    "--input",
    "shapes",
    metavar="CxHxW",
    type=Sizes(),
    multiple=True,
    help="The image's shape, in place of the network's own; for a torch network of several inputs "
    "once for each.",
)
root_option = click.option(
    "--root", metavar="DIR", type=FILE, help="The folder that holds mnist, cifar10 and the like."
)
allow_unreadable_option = click.option(
    "--allow-unreadable", is_flag=True, help="Go on without the pictures that cannot be read."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated rows.")
