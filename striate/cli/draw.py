"""`striate draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import FILE, examples, input_option, network_argument
from striate.drawing import render


@click.command(
    "draw", epilog=examples("striate draw lenet5", "striate draw resnet50 -o resnet50.svg")
)
@network_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="Write to this file, in the format that its ending says: .svg, .png or .txt.",
)
@input_option
def command(network: str, output: Path | None, shape: tuple[int, int, int] | None) -> None:
    """Draw a network as SVG, PNG or text.

    NET is a network of the zoo, a .net file, or the text itself. Without -o the text drawing is
    printed.
    """
    graph = striate.load_graph(network, input=shape)
    if output is None:
        click.echo(render(graph, "txt").decode(), nl=False)
    else:
        striate.draw(graph, output)
        click.echo(f"{output} written", err=True)
