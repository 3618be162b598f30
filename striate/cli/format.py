"""`striate format`: a network's text in its canonical form."""

from __future__ import annotations

import click

import striate
from striate.cli.parameters import examples, input_option, network_argument
from striate.graph import build_graph
from striate.networks import find_source


@click.command(
    "format",
    epilog=examples(
        "striate format 'INPUT 3x32x32 -> [CONV3-64 -> RELU]*2 -> POOL2 -> FC-10'",
        "striate format mine.net",
        "striate format torchvision:resnet18",
    ),
)
@network_argument
@input_option
def command(network: str, shape: tuple[int, int, int] | None) -> None:
    """Check a network's text and print it in the canonical form.

    NET is a network of the zoo, a .net file, a run, the text itself; or a torch network, which is
    written in the notation: torchvision:NAME, timm:NAME, module.path:factory, an ONNX file. Every
    mistake is shown with its place and the fix, and so are volumes that do not fit. Comments are
    left out.
    """
    source = find_source(network, input=shape)
    tree = striate.parse(source.text, source.name)
    if tree.input is not None:
        build_graph(tree)
    click.echo(striate.print_network(tree).rstrip("\n"))
