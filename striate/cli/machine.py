"""`striate machine`: what this machine does, measured and stored."""

from __future__ import annotations

import click

import striate
from striate.cli.parameters import Whole, examples, json_option
from striate.sizing.machine import path
from striate.sizing.machine_table import table


@click.command(
    "machine",
    epilog=examples("striate machine", "striate machine --threads 1 --json"),
)
@click.option(
    "--threads",
    type=Whole(1),
    help="What the CPU computes with; as many as torch takes if not given.",
)
@json_option
def command(threads: int | None, as_json: bool) -> None:
    """Measure how fast this machine computes, and store it.

    Matrix and convolution rates, memory bandwidth and the overhead of operations, on the CPU and on
    a GPU where there is one. striate size --time tells times from them. It takes half a minute
    for a device.
    """
    found = striate.machine(threads=threads, progress=striate.Display().measuring)
    for each in found:
        click.echo((each.to_json() if as_json else table(each)).rstrip("\n"))
    click.echo(f"{path()} written", err=True)
