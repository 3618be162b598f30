"""`striate recipes`: the named settings of trainings, side by side or one by one."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from striate import recipes
from striate.cli.parameters import complete_recipe, examples, json_option


@click.command("recipes", epilog=examples("striate recipes", "striate recipes resnet > mine.toml"))
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_recipe)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the recipes of trainings side by side, or print one.

    With NAME, prints that recipe's file: a start for your own, which `striate train --recipe
    mine.toml` takes.
    """
    known = [recipes.read(each) for each in ([name] if name else recipes.names())]
    if as_json:
        click.echo(json.dumps([asdict(each) for each in known], ensure_ascii=False, indent=1))
    elif name:
        click.echo(recipes.text_of(name).rstrip("\n"))
    else:
        click.echo(_table(known))


_COLUMNS = ("recipe", "optimizer", "rate", "schedule", "batch", "decay")
_BESIDE = ("label_smoothing", "mixup", "cutmix", "crop", "lighting", "clip", "ema", "zero_gamma")


def _table(known: list[recipes.Recipe]) -> str:
    rows = [_COLUMNS, *(_row(each) for each in known)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    told = [line for each in known for line in _told(each)]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:], "", *told])


def _told(recipe: recipes.Recipe) -> list[str]:
    """What it is, where it is from, and what stands beside the columns."""
    beside = [
        name if value is True else f"{name} {value:g}"
        for name in _BESIDE
        if (value := recipe.settings.get(name))
    ]
    lines = [f"{recipe.name}: {recipe.about}", f"  {recipe.paper}"]
    return [*lines, f"  beside: {', '.join(beside)}"] if beside else lines


def _row(recipe: recipes.Recipe) -> tuple[str, ...]:
    """A recipe in the words of papers; what it leaves open is `·`."""
    from striate.training.settings import Settings

    settings = Settings.from_json({"epochs": 1, **recipe.settings})
    optimizer = settings.optimizer
    if optimizer in ("sgd", "rmsprop", "muon"):
        nesterov = " Nesterov" if optimizer == "sgd" and settings.nesterov else ""
        optimizer += f" {settings.momentum:g}{nesterov}"
    rate = f"{settings.lr:g}" + (f"·b/{recipe.lr_batch}" if recipe.lr_batch else "")
    schedule = settings.schedule
    if schedule in ("drops", "plateau"):
        every = f" / {settings.drop_every:g} epochs" if schedule == "drops" else ""
        schedule = f"{schedule} ×{settings.drop:g}{every}"
    if settings.warmup:
        schedule = f"warm-up {settings.warmup:.0%}, {schedule}"
    batch = str(recipe.settings.get("batch", "·"))
    decay = f"{settings.weight_decay:g}" + (" on all" if settings.decay_all else "")
    return recipe.name, optimizer, rate, schedule, batch, decay
