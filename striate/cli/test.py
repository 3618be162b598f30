"""`striate test`: how good a run is on pictures that it has not learned from."""

from __future__ import annotations

import json
from pathlib import Path

import click

import striate
from striate.cli.parameters import (
    Data,
    allow_unreadable_option,
    examples,
    json_option,
    root_option,
)


@click.command(
    "test",
    epilog=examples(
        "striate test runs/digits-digits",
        "striate test runs/photos-quick new-photos/ --json",
        "striate test runs/photos-1 runs/photos-2 runs/photos-3",
    ),
)
@click.argument("given", metavar="RUN… [DATA]", type=Data(), nargs=-1, required=True)
@root_option
@allow_unreadable_option
@json_option
def command(
    given: tuple[str, ...], root: Path | None, allow_unreadable: bool, as_json: bool
) -> None:
    """Measure a trained network on images that it has not seen.

    RUN is the folder of a training; of several the mean of what they say is measured. Without DATA
    the pictures are those that it held out; DATA is a folder of pictures sorted by class, or
    digits, mnist, fashion-mnist, cifar10 or cifar100.
    """
    runs, data = _runs(given)
    progress = striate.Display().reading
    if len(runs) == 1:
        result = striate.test(
            runs[0], data, root=root, allow_unreadable=allow_unreadable, progress=progress
        )
    else:
        result = striate.test_together(
            runs, data, root=root, allow_unreadable=allow_unreadable, progress=progress
        )
    for notice in result.notices:
        click.echo(f"note: {notice}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
    else:
        click.echo(result.table().rstrip("\n"))


def _runs(given: tuple[str, ...]) -> tuple[list[Path], str | None]:
    """The runs, and the pictures where what stands last is no run."""
    *first, last = given
    if first and not (Path(last) / "run.json").exists():
        return [Path(each) for each in first], last
    return [Path(each) for each in given], None
