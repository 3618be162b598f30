"""`striate completion`: completes verbs, options, networks and files in a shell."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from striate.cli.parameters import examples

_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    "completion",
    epilog=examples(
        'eval "$(striate completion bash)"',
        "striate completion fish > ~/.config/fish/completions/striate.fish",
    ),
)
@click.argument("shell", metavar="SHELL", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands in your shell.

    SHELL is bash, zsh or fish. Evaluate the script in the shell's start-up file.
    """
    program = context.find_root().command
    click.echo(_SHELLS[shell](program, {}, "striate", "_STRIATE_COMPLETE").source())
