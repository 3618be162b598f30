"""`striate format`: a network's text in its canonical form."""

from __future__ import annotations

import click

import striate
from striate.cli.parameters import examples, network_argument


@click.command(
    "format",
    epilog=examples(
        "striate format 'INPUT 3x32x32 -> [CONV3-64 -> RELU]*2 -> POOL2 -> FC-10'",
        "striate format vgg16 > my.net",
    ),
)
@network_argument
def command(network: str) -> None:
    """Check a network's text and print it in the canonical form.

    NET is a network of the zoo, a .net file, or the text itself. Every mistake in it is shown, with
    its place and the fix.
    """
