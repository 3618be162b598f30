"""`striate memory`: what a training step takes, and the largest batch that fits."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import (
    FILE,
    Whole,
    examples,
    input_option,
    json_option,
    network_argument,
)
from striate.sizing.budget import parse_bytes
from striate.sizing.memory import OPTIMIZERS, PRECISIONS, StepSettings
from striate.sizing.memory_table import told


@click.command(
    "memory",
    epilog=examples(
        "striate memory resnet50 --batch 32",
        "striate memory torchvision:convnext_tiny --batch 8 --optimizer adam --precision bfloat16",
        "striate memory torchvision:resnet50 --fits 8GB --checkpoint 'layer?.*'",
        "striate memory vgg16 --plot vgg16-memory.svg",
    ),
)
@network_argument
@click.option("--batch", type=Whole(1), help="Images in a batch; 1 if not given.")
@input_option
@click.option(
    "--optimizer",
    type=click.Choice(OPTIMIZERS),
    default="momentum",
    help="What it keeps for each weight: nothing, one value, two (Adam and AdamW).",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="float32",
    help="bfloat16 is torch's autocast.",
)
@click.option("--channels-last", is_flag=True, help="Volumes with their channels innermost.")
@click.option(
    "--checkpoint",
    metavar="MODULES",
    multiple=True,
    help="Modules computed again in the backward pass, as in 'layer?.*'; may be given again.",
)
@click.option("--fits", metavar="BYTES", help="Find the largest batch that fits, as in 8GB.")
@click.option(
    "--plot", metavar="FILE", type=FILE, help="Draw the step's memory over time, .svg or .png."
)
@json_option
def command(
    network: str,
    batch: int | None,
    shape: tuple[int, int, int] | None,
    optimizer: str,
    precision: str,
    channels_last: bool,
    checkpoint: tuple[str, ...],
    fits: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show the memory of a training step, or the largest batch.

    NET is what striate size takes. Nothing is allocated or computed: the step is followed on
    tensors that have shapes and no values. docs/memory.md defines every column.
    """
    settings = StepSettings(optimizer, precision, channels_last, checkpoint)
    if fits is not None:
        if batch is not None:
            raise click.UsageError("--fits finds the batch: leave --batch out.")
        found = striate.largest_batch(network, parse_bytes(fits), input=shape, settings=settings)
        click.echo((found.to_json() if as_json else told(found)).rstrip("\n"))
        memory = found.memory
    else:
        memory = striate.memory(network, batch=batch or 1, input=shape, settings=settings)
        click.echo((memory.to_json() if as_json else memory.table()).rstrip("\n"))
    if plot is not None:
        striate.draw_memory(memory, plot)
        click.echo(f"{plot} written", err=True)
