"""`striate zoo`: the networks that come with Striate."""

from __future__ import annotations

import textwrap
from difflib import get_close_matches

import click

import striate
from striate import zoo
from striate.cli.parameters import examples
from striate.errors import UserError
from striate.sizing.table import big
from striate.source import Source


def _complete(context: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in zoo.names() if name.startswith(incomplete)]


@click.command("zoo", epilog=examples("striate zoo", "striate zoo vgg16 > mine.net"))
@click.argument("name", metavar="[NAME]", required=False, shell_complete=_complete)
@click.option("--table", is_flag=True, help="All of them beside published figures, in Markdown.")
def command(name: str | None, table: bool) -> None:
    """List the networks that come with Striate, or print one.

    With NAME, prints that network's text: a start for your own.
    """
    if name is not None and table:
        raise UserError("--table is about all networks. Leave out the name, or --table")
    if table:
        from striate.catalogue import entry, names, page

        click.echo(page([entry(known) for known in names()]), nl=False)
    elif name is None:
        click.echo(_row("network", "parameters", "MACs", "from"))
        for known in zoo.names():
            totals = striate.size(known).totals
            paper = textwrap.shorten(_header(zoo.read(known)), 60, placeholder="…")
            click.echo(_row(known, f"{totals.parameters:,}", big(totals.macs), paper))
    elif name.lower() in zoo.names():
        click.echo(zoo.read(name.lower()).text.rstrip("\n"))
    else:
        near = get_close_matches(name.lower(), zoo.names(), n=2)
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UserError(
            f"no network of the zoo is called '{name}'.{guess} It has {', '.join(zoo.names())}"
        )


def _row(name: str, parameters: str, macs: str, paper: str) -> str:
    return f"{name:<16} {parameters:>11} {macs:>8}  {paper}"


def _header(source: Source) -> str:
    """The comment at the top of a text, which says what it is and where it was published."""
    lines = source.text.splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return " ".join(line.lstrip("# ") for line in lines[:end])
