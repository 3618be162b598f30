"""`striate predict`: what is on pictures."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import (
    FILE,
    Whole,
    csv_option,
    examples,
    json_option,
    one_form,
    run_argument,
)


@click.command(
    "predict",
    epilog=examples(
        "striate predict runs/photos-quick cat.jpg",
        "striate predict runs/photos-quick holiday/ --top 1 --csv > found.csv",
    ),
)
@run_argument
@click.argument("paths", metavar="PATH…", type=FILE, nargs=-1, required=True)
@click.option("--top", type=Whole(1), default="5", help="Classes to name; 5 if not given.")
@json_option
@csv_option
@click.pass_context
def command(
    context: click.Context,
    run: Path,
    paths: tuple[Path, ...],
    top: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Name what is on pictures.

    RUN is the folder of a training; each PATH is a picture, or a folder of them. A picture that
    cannot be read is told in its place. The exit status is then 1, or 2 if none could be read.
    """
    form = one_form(as_json, as_csv)
    predictions = striate.predict(run, paths, top=top)
    for line in predictions.lines(form):
        click.echo(line)
    context.exit(predictions.exit_status)
