"""`striate prove`: a statement about convolutions, checked and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import click

import striate
from striate.cli.parameters import FILE, InputShape, Whole, examples, json_option


@click.command(
    "prove",
    epilog=examples(
        "striate prove im2col",
        "striate prove toeplitz --layer 'conv3-2/2 p1' --input 3x8x8 -o toeplitz.png",
        "striate prove backward --seed 7 --json",
        "striate prove edges -o edges.svg",
    ),
)
@click.argument("equality", metavar="EQUALITY")
@click.option(
    "--layer", metavar="TEXT", help="A convolution as in a network, in place of the usual one."
)
@click.option(
    "--input", "shape", metavar="CxHxW", type=InputShape(), help="The shape of the layer's image."
)
@click.option("--seed", type=Whole(0), default="0", help="Other numbers; 0 if not given.")
@click.option("--image", metavar="FILE", type=FILE, help="A photograph for edges.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="Draw the equality into this file, .svg or .png.",
)
@json_option
def command(
    equality: str,
    layer: str | None,
    shape: tuple[int, int, int] | None,
    seed: int,
    image: Path | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Check a statement about convolutions, and draw it.

    Both of its sides are computed and compared. EQUALITY is im2col, toeplitz, backward, pointwise,
    flip, translation or edges. The exit status is 1 if the sides differ.
    """
    proof = striate.prove(equality, layer=layer, input=shape, seed=seed, image=image)
    click.echo(json.dumps(proof.to_dict(), ensure_ascii=False) if as_json else proof.table())
    if output is not None:
        proof.draw(output)
        click.echo(f"{output} written", err=True)
    return 0 if proof.equal else 1
