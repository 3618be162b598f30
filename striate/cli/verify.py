"""`striate verify`: receptive fields against the pixels that gradients really reach."""

from __future__ import annotations

import click

import striate
from striate.cli.parameters import examples, input_option, json_option, network_argument


@click.command(
    "verify",
    epilog=examples(
        "striate verify lenet5",
        "striate verify torchvision:resnet18 --input 3x96x96",
        "striate verify 'input 3x64x64 -> conv7-8/2 -> conv3-8 d2' --layer conv2 --json",
    ),
)
@network_argument
@input_option
@click.option(
    "--layer",
    "layers",
    metavar="NAME",
    multiple=True,
    help="A layer to check, as striate size names it; may be given again.",
)
@json_option
def command(
    network: str, shape: tuple[int, int, int] | None, layers: tuple[str, ...], as_json: bool
) -> int:
    """Check receptive fields against the pixels that gradients reach.

    NET is what striate size takes. A copy of it runs once, with weights that let no two gradients
    cancel; for three units of each layer the pixels with a gradient are compared with those that
    the ledger says. The exit status is 1 if they differ.
    """
    found = striate.verify(
        network, input=shape, layers=layers or None, progress=striate.Display().checking
    )
    click.echo((found.to_json() if as_json else found.table()).rstrip("\n"))
    return 0 if found.agrees else 1
