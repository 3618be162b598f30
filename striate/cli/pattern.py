"""`striate pattern`: a network by the sizing rules."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import FILE, InputShape, Whole, examples, json_option
from striate.errors import UserError
from striate.files import write_whole


@click.command(
    "pattern",
    epilog=examples(
        "striate pattern --input 3x32x32 --classes 10",
        "striate pattern --N 2 --M 3 --K 1 --input 3x32x32 --classes 10 -o small.net",
        "striate pattern --input 3x224x224 --classes 1000 --bn --gap --params 5000000",
    ),
)
@click.option("--input", "shape", metavar="CxHxW", type=InputShape(), required=True, help="Image.")
@click.option("--classes", type=Whole(1), required=True, help="Scores that come out.")
@click.option(
    "--N", "convolutions", type=Whole(0), default="2", help="CONV -> RELU before a pool; 2."
)
@click.option(
    "--M", "blocks", type=Whole(0), help="Blocks with a pool; as many as leave 4 to 7 rows."
)
@click.option(
    "--K", "hidden", type=Whole(0), help="FC -> RELU before the last FC; 1, 0 with --gap."
)
@click.option("--width", type=Whole(1), help="Filters of the first block; 64.")
@click.option(
    "--params", "parameters", type=Whole(1), help="As wide as this many parameters allow."
)
@click.option("--bn", is_flag=True, help="Batch normalisation behind every convolution.")
@click.option("--gap", is_flag=True, help="Global average pooling before the FC.")
@click.option(
    "-o", "--output", metavar="FILE", type=FILE, help="Write to this new file, as in small.net."
)
@json_option
def command(
    shape: tuple[int, int, int],
    classes: int,
    convolutions: int,
    blocks: int | None,
    hidden: int | None,
    width: int | None,
    parameters: int | None,
    bn: bool,
    gap: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Write a network by the sizing rules of the textbook pattern.

    INPUT -> [[CONV -> RELU]*N -> POOL]*M -> [FC -> RELU]*K -> FC with small filters, padding that
    keeps the size, pools that halve it and channels that double. The text says why for each number.
    A wish that cannot be had is refused with the nearest that can.
    """
    found = striate.pattern(
        shape,
        classes,
        convolutions=convolutions,
        blocks=blocks,
        hidden=hidden,
        width=width,
        parameters=parameters,
        bn=bn,
        gap=gap,
    )
    if output is not None:
        if output.exists():
            raise UserError(f"{output} is there already. Give another name, or remove it first")
        write_whole(output, found.text)
        click.echo(f"{output} written", err=True)
    if as_json:
        click.echo(found.to_json(), nl=False)
    elif output is None:
        click.echo(found.text, nl=False)
    for lint in found.ledger.lints:
        click.echo(f"{lint.level}: {lint.shown}", err=True)
