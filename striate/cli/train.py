"""`striate train`: a network and pictures to a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import striate
from striate.cli.parameters import (
    FILE,
    Data,
    Network,
    Positive,
    Whole,
    allow_unreadable_option,
    complete_recipe,
    examples,
    input_option,
    json_option,
    root_option,
)
from striate.cli.reporting import DONE, INTERRUPTED

if TYPE_CHECKING:
    from striate.api import TrainResult
    from striate.training.folds import Folds
    from striate.training.testing import TestResult

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")
LOGS = ("tensorboard",)


class BatchSize(Whole):
    """A number of pictures, or `auto`."""

    name = "N|auto"

    def __init__(self) -> None:
        super().__init__(1)

    def convert(  # type: ignore[override]
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        if value == "auto":
            return value
        if not value.strip("+-").isdigit():
            self.fail(f"expected a whole number or auto, found '{value}'.", param, ctx)
        return super().convert(value, param, ctx)


class Setting(click.ParamType):
    """A setting and its value, which is JSON or a word."""

    name = "NAME=VALUE"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        name, sign, given = value.partition("=")
        if not (sign and name.strip() and given.strip()):
            self.fail(f"expected a name and a value, as in mixup=0.2, found '{value}'.", param, ctx)
        try:
            return name.strip(), json.loads(given)
        except ValueError:
            return name.strip(), given.strip()


recipe_option = click.option(
    "--recipe",
    metavar="NAME",
    default="default",
    shell_complete=complete_recipe,
    help="Named settings, which `striate recipes` lists, or a .toml file of one's own.",
)
set_option = click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    type=Setting(),
    multiple=True,
    help="Any other setting of docs/training.md: --set mixup=0.2 --set schedule=cosine.",
)


@click.command(
    "train",
    epilog=examples(
        "striate train lenet5 mnist --download --seconds 30",
        "striate train examples/digits.net digits",
        "striate train torchvision:shufflenet_v2_x0_5 photos/ --input 3x96x96",
        "striate train quick photos/ --input 3x96x96 --epochs 20 -o runs/photos",
        "striate train resnet50_d photos/ --recipe tricks --set mixup=0.4",
        "striate train resnet50 photos/ --start resnet50.pth --set body_rate=0.1",
        "striate train quick photos/ --folds 5 -o runs/photos",
        "striate train --resume runs/photos",
    ),
)
@click.argument("network", metavar="NET", type=Network(), required=False)
@click.argument("data", metavar="DATA", type=Data(), required=False)
@click.option(
    "--resume",
    metavar="RUN",
    type=FILE,
    help="Go on with this training, which was interrupted or killed. NET and DATA are left out.",
)
@click.option(
    "-o",
    "--output",
    metavar="RUN",
    type=FILE,
    help="The run's folder; runs/DATA-NET, numbered when taken, if not given.",
)
@click.option(
    "--start",
    metavar="RUN|FILE",
    type=FILE,
    help="First weights: a run's, or a checkpoint's (.safetensors, .pth). The last layer is new "
    "for another number of classes.",
)
@click.option("--epochs", type=Positive(), help="Train for this many passes over the pictures.")
@click.option("--seconds", type=Positive(), help="Train for so many seconds, and no more.")
@recipe_option
@set_option
@click.option(
    "--batch",
    type=BatchSize(),
    help="Pictures in a step; auto learns a batch in as many parts as free memory asks for.",
)
@click.option("--lr", type=Positive(), help="The highest learning rate.")
@click.option("--seed", type=Whole(0), default="0", help="Where chance begins; 0 if not given.")
@click.option(
    "--ensemble",
    metavar="N",
    type=Whole(2),
    help="Train N networks from as many seeds, and test the mean of what they say.",
)
@click.option(
    "--folds",
    metavar="K",
    type=Whole(2),
    help="Train K times, each time testing on another K-th of the pictures (cross-validation).",
)
@input_option
@root_option
@click.option("--download", is_flag=True, help="Fetch the data set if it is not there.")
@allow_unreadable_option
@click.option("--device", type=click.Choice(DEVICES), default="auto", help="Where to compute.")
@click.option(
    "--precision", type=click.Choice(PRECISIONS), default="auto", help="The precision to train in."
)
@click.option(
    "--log",
    type=click.Choice(LOGS),
    help="Write the curves to RUN/tensorboard too, for tensorboard --logdir RUN.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    network: str | None,
    data: str | None,
    resume: Path | None,
    output: Path | None,
    start: Path | None,
    epochs: float | None,
    seconds: float | None,
    recipe: str,
    settings: tuple[tuple[str, Any], ...],
    batch: int | str | None,
    lr: float | None,
    seed: int,
    ensemble: int | None,
    folds: int | None,
    shape: tuple[int, int, int] | None,
    root: Path | None,
    download: bool,
    allow_unreadable: bool,
    device: str,
    precision: str,
    log: str | None,
    as_json: bool,
) -> None:
    """Train a network on images.

    NET is a network of the zoo, a .net file, the text itself; or a torch network:
    torchvision:NAME, timm:NAME, module.path:factory, an ONNX file, of which the last two start
    from the weights that they have. DATA is a folder with one folder
    of pictures for each class (or with those in train, val and test), tar archives of pictures, or
    one of digits, mnist, fashion-mnist, cifar10, cifar100. Ctrl-C ends the training early and keeps
    the best weights; --resume goes on with it.
    """
    if resume is not None:
        _tell(context, _resumed(context, resume, root, allow_unreadable, log), as_json=as_json)
    if network is None or data is None:
        missing = "NET" if network is None else "DATA"
        raise click.UsageError(f"Missing argument '{missing}'.", context)
    train = partial(
        striate.train,
        network,
        data,
        start=start,
        epochs=epochs,
        seconds=seconds,
        recipe=recipe,
        settings=dict(settings),
        batch=batch,
        lr=lr,
        input=shape,
        root=root,
        download=download,
        allow_unreadable=allow_unreadable,
        device=device,
        precision=precision,
        log=log,
    )
    if ensemble is not None and folds is not None:
        raise click.UsageError("Give --ensemble or --folds, not both.", context)
    if folds is not None:
        each = [partial(train, seed=seed, fold=(number, folds)) for number in range(folds)]
        found = _several(context, each, output, as_json=as_json)
        tests = tuple(result.test for result in found if result.test is not None)
        _tell_all(context, striate.Folds(tests), as_json=as_json)
    if ensemble is not None:
        each = [partial(train, seed=seed + number, split=seed) for number in range(ensemble)]
        found = _several(context, each, output, as_json=as_json)
        together = striate.test_together([result.run.folder for result in found])
        _tell_all(context, together, as_json=as_json)
    result = train(output=output, seed=seed)
    _tell(context, result, as_json=as_json)


_WITH_RESUME = ("resume", "root", "allow_unreadable", "log", "as_json")


def _resumed(
    context: click.Context, run: Path, root: Path | None, allow_unreadable: bool, log: str | None
) -> TrainResult:
    given = [
        name
        for name in context.params
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if others := [name for name in given if name not in _WITH_RESUME]:
        raise click.UsageError(
            f"--resume goes on with the settings that {run} was begun with: leave {others[0]} out.",
            context,
        )
    return striate.resume(run, root=root, allow_unreadable=allow_unreadable, log=log)


def _several(
    context: click.Context,
    trainings: Sequence[Callable[..., TrainResult]],
    output: Path | None,
    *,
    as_json: bool,
) -> list[TrainResult]:
    """Run trainings one after the other, their folders numbered; ends where one is interrupted."""
    results = []
    for number, train in enumerate(trainings, 1):
        place = None if output is None else output.with_name(f"{output.name}-{number}")
        results.append(train(output=place))
        if results[-1].interrupted:
            _tell(context, results[-1], as_json=as_json)
    return results


def _tell_all(context: click.Context, found: TestResult | Folds, *, as_json: bool) -> NoReturn:
    from striate.training.team import join

    if join().leads:
        if as_json:
            click.echo(json.dumps(found.to_json(), ensure_ascii=False, indent=1))
        else:
            click.echo(found.table().rstrip("\n"))
    join().leave()
    context.exit(DONE)


def _tell(context: click.Context, result: TrainResult, *, as_json: bool) -> NoReturn:
    """Say what came of it; no process ends before the leader has, since torchrun then ends it."""
    from striate.training.team import join

    if join().leads:
        _say(result, as_json=as_json)
    status = INTERRUPTED if result.interrupted else DONE
    join().leave(status)
    context.exit(status)


def _say(result: TrainResult, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=1))
    elif result.test is not None:
        low, high = result.test.interval
        click.echo(
            f"test accuracy {result.test.accuracy:.2%} on {result.test.images:,} pictures "
            f"(95 % interval {low:.2%} to {high:.2%})"
        )
    folder = result.run.folder
    if result.interrupted:
        click.echo(
            f"interrupted: the best weights so far are in {folder}. striate train --resume "
            f"{folder} goes on",
            err=True,
        )
    click.echo(f"report: {folder / 'report.html'}", err=True)
