"""`striate draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import INPUT, NETWORK, examples


@click.command(
    "draw",
    epilog=examples("striate draw lenet5", "striate draw resnet50 -o resnet50.svg"),
)
@click.argument("network", metavar="NET", type=NETWORK)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file, as its ending says: .svg, .png or .txt.",
)
@click.option("--input", "shape", type=INPUT, help="The image's shape, in place of the text's own.")
def command(network: str, output: Path | None, shape: tuple[int, int, int] | None) -> None:
    """Draw a network as SVG, PNG or text; without -o, as text on the terminal.

    NET is a network of the zoo, a .net file, or the text itself.
    """
    raise NotImplementedError
