"""`striate size`: the ledger of a network, or two beside each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click

import striate
from striate.cli.parameters import (
    FILE,
    Network,
    Whole,
    csv_option,
    examples,
    inputs_option,
    json_option,
    network_argument,
)
from striate.errors import UserError
from striate.files import write_whole
from striate.layers import Shape, show
from striate.ledgers import in_notation
from striate.sizing import Ledger
from striate.sizing.badge import to_badge
from striate.sizing.budget import check, parse_budget
from striate.sizing.conventions import CONVENTIONS
from striate.sizing.ledger import MISMATCH
from striate.sizing.lints.finding import Lint
from striate.sizing.memory import PRECISIONS
from striate.sizing.page import to_html


@click.command(
    "size",
    epilog=examples(
        "striate size vgg16",
        "striate size resnet50 --input 3x320x320 --batch 32",
        "striate size 'input 1x28x28 -> conv3-8 -> relu -> pool2 -> fc-10' --json",
        "striate size vgg16 vgg19",
        "striate size unet --symbolic",
        "striate size resnet50 --object 200",
        "striate size mobilenet_v2 --backward",
        "striate size mobilenet_v2 --convention fvcore",
        "striate size resnet50 --batch 8 --time",
        "striate size quick --batch 64 --measure",
    ),
)
@network_argument
@click.argument("other", metavar="[OTHER]", type=Network(), required=False)
@click.option("--batch", type=Whole(1), default="1", help="Images in a batch; 1 if not given.")
@inputs_option
@click.option(
    "--object",
    "pixels",
    metavar="N",
    type=Whole(1),
    help="Warn when no unit sees an object of N×N pixels whole.",
)
@click.option(
    "--budget",
    metavar="LIMITS",
    help="End with status 3 when NET has more, as in params=5M,macs=600M,peak=4GB.",
)
@click.option(
    "--convention",
    metavar="NAME",
    type=click.Choice(list(CONVENTIONS), case_sensitive=False),
    help=f"Show what another tool counts beside the MACs: {', '.join(CONVENTIONS)}.",
)
@click.option(
    "--backward", is_flag=True, help="Show the MACs of the backward pass, layer by layer, as well."
)
@click.option(
    "--run",
    is_flag=True,
    help="Run a torch network that depends on its data, as detectors do, on random images.",
)
@click.option("--time", "timed", is_flag=True, help="Predict the time of a training step instead.")
@click.option("--measure", is_flag=True, help="Predict it, and measure a real step beside it.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), help="That of the step; float32 if not given."
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="The step's; a GPU that was measured, or the CPU.",
)
@json_option
@csv_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table.")
@click.option(
    "--symbolic",
    is_flag=True,
    help="Show sizes as formulas of the image's H and W, and which images fit.",
)
@click.option("--html", "page", metavar="FILE", type=FILE, help="Write a page of HTML as well.")
@click.option(
    "--badge", metavar="FILE.svg", type=FILE, help="Write one line of SVG for a README as well."
)
def command(
    network: str,
    other: str | None,
    batch: int,
    shapes: tuple[Shape, ...],
    pixels: int | None,
    budget: str | None,
    convention: str | None,
    backward: bool,
    run: bool,
    timed: bool,
    measure: bool,
    precision: str | None,
    device: str | None,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
    symbolic: bool,
    page: Path | None,
    badge: Path | None,
) -> None:
    """Show every volume, weight, MAC and receptive field of a network.

    NET is a network of the zoo, a .net file, or the text itself; or a torch network, as
    torchvision:NAME, timm:NAME, module.path:factory or an ONNX file. Losses are told as warnings
    and what is worth knowing as notes, each with its place and the fix. With OTHER, NET is compared
    with it: totals, and the layers that were added, removed or changed.
    """
    form = _form(as_json, as_csv, as_markdown)
    if symbolic:
        _refuse_others(
            ("symbolic", "shapes", "as_json"),
            "--symbolic goes with one network, --input and --json alone.",
        )
        _symbolic(network, _image(shapes), form)
        return
    if timed or measure:
        _refuse_others(
            ("timed", "measure", "batch", "shapes", "precision", "device", "as_json"),
            "--time and --measure go with one network, --batch, --input, --precision, --device "
            "and --json alone.",
        )
        step = precision or "float32", device or "auto"
        _times(network, batch, _image(shapes), *step, form, measure=measure)
        return
    if precision or device:
        raise click.UsageError("--precision and --device are of a step: add --time or --measure.")
    limits = parse_budget(budget) if budget is not None else ()
    if any(in_notation(net) for net in (network, other) if net is not None):
        _refuse_no_image(_image(shapes))
    shape = _image(shapes) if len(shapes) < 2 else list(shapes)
    ledger = striate.size(
        network, batch=batch, input=shape, object=pixels, convention=convention, run=run
    )
    if other is not None:
        if limits or page or badge or convention or backward or form == "csv":
            raise click.UsageError(
                "--budget, --convention, --backward, --csv, --html and --badge are about one "
                "network: leave OTHER out."
            )
        after = striate.size(other, batch=batch, input=shape, object=pixels, run=run)
        _compare(ledger, after, form)
        if not (ledger.fits and after.fits):
            sys.exit(UserError.exit_status)
        return
    forms: dict[str, Callable[[], str]] = {
        "json": ledger.to_json,
        "csv": ledger.to_csv,
        "markdown": partial(ledger.to_markdown, backward=backward),
        "table": partial(ledger.table, backward=backward),
    }
    click.echo(forms[form]().rstrip("\n"))
    _tell(ledger.lints)
    _write(ledger, page, badge)
    memory = None
    if any(limit.of_step for limit in limits):
        memory = striate.memory(network, batch=batch, input=_image(shapes))
    for line in check(ledger, limits, memory):
        click.echo(line, err=True)
    if not ledger.fits:
        sys.exit(UserError.exit_status)


def _refuse_others(names: tuple[str, ...], message: str) -> None:
    """Refuse a second network and all options that were given but these."""
    context = click.get_current_context()
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    if given - {"network", *names}:
        raise click.UsageError(message)


def _image(shapes: tuple[Shape, ...]) -> Shape | None:
    """The one shape of an image that was given, or none."""
    if len(shapes) > 1:
        raise click.UsageError(
            f"--input is given {len(shapes)} times, but this is about a network of one image."
        )
    return shapes[0] if shapes else None


def _refuse_no_image(shape: Shape | None) -> None:
    if shape is not None and len(shape) != 3:
        raise click.BadParameter(
            "expected channels, height and width, each 1 or more, as in 3x224x224, found "
            f"'{show(shape)}'.",
            param_hint="'--input'",
        )


def _symbolic(network: str, shape: Shape | None, form: str) -> None:
    sizes = striate.symbolic(network, input=shape, progress=striate.Display().measuring)
    click.echo((sizes.to_json() if form == "json" else sizes.table()).rstrip("\n"))


def _times(
    network: str,
    batch: int,
    shape: Shape | None,
    precision: str,
    device: str,
    form: str,
    *,
    measure: bool,
) -> None:
    tell = striate.step_time
    if measure:
        tell = partial(striate.measure_time, progress=striate.Display().measuring)
    times = tell(network, batch=batch, input=shape, precision=precision, device=device)
    click.echo((times.to_json() if form == "json" else times.table()).rstrip("\n"))


def _write(ledger: Ledger, page: Path | None, badge: Path | None) -> None:
    for path, text in ((page, to_html), (badge, to_badge)):
        if path is not None:
            write_whole(path, text(ledger))
            click.echo(f"{path} written", err=True)


def _form(as_json: bool, as_csv: bool, as_markdown: bool) -> str:
    asked = {"json": as_json, "csv": as_csv, "markdown": as_markdown}
    forms = [form for form, wanted in asked.items() if wanted]
    if len(forms) > 1:
        names = " and ".join(f"--{form}" for form in forms[:2])
        raise click.UsageError(f"{names} are two forms of one output: give one of them.")
    return forms[0] if forms else "table"


def _compare(before: Ledger, after: Ledger, form: str) -> None:
    comparison = striate.compare(before, after)
    forms = {
        "json": comparison.to_json,
        "markdown": comparison.to_markdown,
        "table": comparison.table,
    }
    click.echo(forms[form]().rstrip("\n"))
    for ledger in (before, after):
        _tell([lint for lint in ledger.lints if lint.rule in ("stopped", MISMATCH)])


def _tell(lints: Iterable[Lint]) -> None:
    for lint in lints:
        click.echo(f"{lint.level}: {lint.shown}", err=True)
