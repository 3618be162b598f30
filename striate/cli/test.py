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
    run_argument,
)


@click.command(
    "test",
    epilog=examples(
        "striate test runs/digits-digits", "striate test runs/photos-quick new-photos/ --json"
    ),
)
@run_argument
@click.argument("data", metavar="[DATA]", type=Data(), required=False)
@root_option
@allow_unreadable_option
@json_option
def command(
    run: Path, data: str | None, root: Path | None, allow_unreadable: bool, as_json: bool
) -> None:
    """Measure a trained network on images that it has not seen.

    RUN is the folder of a training. Without DATA the pictures are those that it held out; DATA is a
    folder of pictures sorted by class, or digits, mnist, fashion-mnist, cifar10 or cifar100.
    """
    result = striate.test(
        run,
        data,
        root=root,
        allow_unreadable=allow_unreadable,
        progress=striate.Display().reading,
    )
    for notice in result.notices:
        click.echo(f"note: {notice}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
    else:
        click.echo(result.table().rstrip("\n"))
