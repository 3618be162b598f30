"""`striate size`: the ledger of a network."""

from __future__ import annotations

import click

import striate
from striate.cli.parameters import (
    Whole,
    csv_option,
    examples,
    input_option,
    json_option,
    network_argument,
    one_form,
)


@click.command(
    "size",
    epilog=examples(
        "striate size vgg16",
        "striate size resnet50 --input 3x320x320 --batch 32",
        "striate size 'input 1x28x28 -> conv3-8 -> relu -> pool2 -> fc-10' --json",
        "striate size resnet50 --object 200",
    ),
)
@network_argument
@click.option("--batch", type=Whole(1), default="1", help="Images in a batch; 1 if not given.")
@input_option
@click.option(
    "--object",
    "pixels",
    metavar="N",
    type=Whole(1),
    help="Warn when no unit sees an object of N×N pixels whole.",
)
@json_option
@csv_option
def command(
    network: str,
    batch: int,
    shape: tuple[int, int, int] | None,
    pixels: int | None,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show every volume, weight, MAC and receptive field of a network.

    NET is a network of the zoo, a .net file, or the text itself. Losses are told as warnings and
    what is worth knowing as notes, each with its place and the fix.
    """
    form = one_form(as_json, as_csv)
    ledger = striate.size(network, batch=batch, input=shape, object=pixels)
    write = {"json": ledger.to_json, "csv": ledger.to_csv, "table": ledger.table}[form]
    click.echo(write().rstrip("\n"))
    for lint in ledger.lints:
        click.echo(f"{lint.level}: {lint.shown}", err=True)
