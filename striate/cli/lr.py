"""`striate lr`: which learning rate a network takes on some pictures."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import (
    FILE,
    Whole,
    allow_unreadable_option,
    data_argument,
    examples,
    input_option,
    json_option,
    network_argument,
    root_option,
)
from striate.cli.train import recipe_option, set_option


@click.command(
    "lr",
    epilog=examples(
        "striate lr lenet5 digits",
        "striate lr resnet18 photos/ --recipe resnet -o rates.svg",
    ),
)
@network_argument
@data_argument
@click.option("-o", "--output", metavar="FILE", type=FILE, help="Draw the losses: .svg or .png.")
@recipe_option
@set_option
@click.option("--batch", type=Whole(1), help="Pictures in a step.")
@click.option("--seed", type=Whole(0), default="0", help="Where chance begins; 0 if not given.")
@input_option
@root_option
@allow_unreadable_option
@json_option
def command(
    network: str,
    data: str,
    output: Path | None,
    recipe: str,
    settings: tuple[tuple[str, object], ...],
    batch: int | None,
    seed: int,
    shape: tuple[int, int, int] | None,
    root: Path | None,
    allow_unreadable: bool,
    as_json: bool,
) -> None:
    """Find a learning rate: the loss while the rate rises from far too small to far too large.

    NET and DATA are those of striate train; nothing is written but the drawing. The proposal is a
    third of the first rate by which the loss has done 95 % of its fall.
    """
    found = striate.find_rate(
        network,
        data,
        output=output,
        recipe=recipe,
        settings=dict(settings),
        batch=batch,
        seed=seed,
        input=shape,
        root=root,
        allow_unreadable=allow_unreadable,
    )
    click.echo(found.to_json() if as_json else found.table())
    if output is not None:
        click.echo(f"{output} written", err=True)
