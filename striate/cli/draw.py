"""`striate draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path

import click

import striate
from striate.cli.parameters import FILE, examples, inputs_option, network_argument
from striate.drawing import render
from striate.layers import Shape
from striate.ledgers import in_notation
from striate.networks import load_picture


@click.command(
    "draw",
    epilog=examples(
        "striate draw lenet5",
        "striate draw resnet50 -o resnet50.svg",
        "striate draw 'input 1x5x5 -> conv3-1/2 p1' --steps -o steps.svg",
        "striate draw lenet5 --steps avgpool1 -o pool.png",
    ),
)
@network_argument
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="Write to this file, in the format that its ending says: .svg, .png or .txt.",
)
@click.option(
    "--steps",
    "layer",
    metavar="[LAYER]",
    is_flag=False,
    flag_value="",
    help="Draw the arithmetic of one layer step by step: .svg moves, .png has all steps on a "
    "sheet. LAYER is its name in `striate size`, the first that slides a window if not given.",
)
@inputs_option
def command(
    network: str, output: Path | None, layer: str | None, shapes: tuple[Shape, ...]
) -> None:
    """Draw a network as SVG, PNG or text, or one layer's arithmetic step by step.

    NET is a network of the zoo, a .net file, a run, the text itself; or a torch network:
    torchvision:NAME, timm:NAME, module.path:factory, an ONNX file. Without -o the text drawing is
    printed.
    """
    if in_notation(network) and len(shapes) > 1:
        raise click.UsageError(
            f"--input is given {len(shapes)} times, but a network in the notation takes one image."
        )
    given = list(shapes) if len(shapes) > 1 else next(iter(shapes), None)
    graph = load_picture(network, input=given)
    if layer is not None:
        if output is None:
            raise click.UsageError("--steps draws into a file: give -o steps.svg or -o steps.png.")
        drawn = striate.draw_steps(graph, output, layer)
        click.echo(f"{output} written: the steps of {drawn}", err=True)
    elif output is None:
        click.echo(render(graph, "txt").decode(), nl=False)
    else:
        striate.draw(graph, output)
        click.echo(f"{output} written", err=True)
