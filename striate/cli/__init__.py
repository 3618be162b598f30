"""The program `striate`: one module for each verb, imported when the verb is called."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from striate import __version__
from striate.cli.reporting import run

VERBS = {
    "size": "Show every volume, weight, MAC and receptive field of a network.",
    "memory": "Show the memory of a training step, or the largest batch.",
    "machine": "Measure how fast this machine computes, and store it.",
    "verify": "Check receptive fields against the pixels that gradients reach.",
    "draw": "Draw a network as SVG, PNG or text.",
    "prove": "Check a statement about convolutions, and draw it.",
    "train": "Train a network on images.",
    "lr": "Find a learning rate: the loss while the rate rises.",
    "recipes": "List the recipes of trainings side by side, or print one.",
    "test": "Measure a trained network on images that it has not seen.",
    "predict": "Name what is on pictures.",
    "zoo": "List the networks that come with Striate, or print one.",
    "pattern": "Write a network by the sizing rules of the textbook pattern.",
    "format": "Check a network's text and print it in the canonical form.",
    "completion": "Print the script that completes commands in your shell.",
}
"""Every verb with its line in the help, so that the help imports none of their modules."""


class Program(click.Group):
    """The group of verbs. A verb's module `striate.cli.<verb>` holds its `command`."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = import_module(f"striate.cli.{name}").command
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = arguments[0]
        if word in VERBS or word.startswith("-"):
            return super().resolve_command(context, arguments)
        raise click.UsageError(_unknown_verb(word), context)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _unknown_verb(word: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS, n=1)
    fix = f"Did you mean '{near[0]}'?" if near else f"The verbs are: {', '.join(VERBS)}."
    return f"There is no verb '{word}'. {fix}"


@click.group(
    cls=Program,
    invoke_without_command=True,
    subcommand_metavar="VERB …",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExamples:\n  striate size vgg16\n  striate train quick photos/",
)
@click.version_option(__version__, message="striate %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    """A workbench for convolutional networks: write one as papers do, size, draw and train it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    0: done; 1: it failed; 2: a mistake in what the user gave; 130: interrupted.
    """
    return run(program, arguments)
