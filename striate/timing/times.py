"""The predicted time of a training step, beside that of real ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from striate.graph import Graph, load_graph
from striate.layers import Shape
from striate.ledgers import names_torch, step_time
from striate.modules.build import build
from striate.modules.network import Network
from striate.sizing.memory import StepSettings
from striate.sizing.roofline import TimeRow, Times
from striate.source import Source
from striate.timing.step import UNTIMED, Operations, measure_step
from striate.tracing.finding import find, with_memory
from striate.tracing.layers import layers
from striate.tracing.memory import owners
from striate.tracing.passes import record


def measure_time(
    what: str | Path | Source | Graph | nn.Module,
    *,
    batch: int = 1,
    input: Shape | None = None,
    precision: str = "float32",
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Times:
    """The time of a training step as `striate.step_time` predicts it, beside that of real ones.

    A copy of the network trains on one batch of random images: some steps as they are, then some
    in which each operation is timed. `progress(done, total)` is told of steps. Raises UserError as
    `step_time` does, and where the stored figures are of another torch or of a device that is not
    here.
    """
    times = step_time(what, batch=batch, input=input, precision=precision, device=device)
    model = _model(what, times.input)
    measured, operations = measure_step(
        model, times.input, batch, precision, times.machine, progress
    )
    took = _by_layer(model, times, operations)
    rows = tuple(
        _beside(row, took.get(key))
        for row, key in zip(times.rows, _keys(model, times.rows), strict=True)
    )
    return replace(times, rows=rows, measured=measured)


def _model(what: str | Path | Source | Graph | nn.Module, input: Shape) -> nn.Module:
    if isinstance(what, nn.Module):
        return what
    if isinstance(what, str) and names_torch(what):
        return with_memory(find(what, real=True).model)
    return build(load_graph(what, input=input), seed=0)


def _by_layer(
    model: nn.Module, times: Times, operations: Operations
) -> dict[str, tuple[float, float]]:
    """Seconds of both passes by the name that a layer has when the network is followed.

    Nothing where the network does other operations than when it was followed.
    """
    settings = StepSettings(precision=times.precision)
    seen = record(model, times.input, times.batch, settings)
    known = layers(seen)
    done = zip(seen.operations, owners(seen, known), strict=True)
    places = [(operation.name, owner) for operation, owner in done if operation.name not in UNTIMED]
    if [name for name, _ in places] != list(operations.names[: len(places)]):
        return {}
    forward, backward = defaultdict[str, float](float), defaultdict[str, float](float)
    for place, (_, owner) in enumerate(places):
        forward[owner] += operations.forward[place]
        backward[owner] += operations.backward[place]
    return {layer.name: (forward[layer.name], backward[layer.name]) for layer in known}


def _keys(model: nn.Module, rows: Sequence[TimeRow]) -> list[str]:
    """The name that each row's layer has when the network is followed.

    There a layer has the name of its module, and a number where that is used once more.
    """
    if not isinstance(model, Network):
        return [row.name for row in rows]
    uses, keys = Counter[str](), []
    for node in model.graph:
        path = node.weights or node.name
        uses[path] += 1
        keys.append(path if uses[path] == 1 else f"{path}#{uses[path]}")
    return keys


def _beside(row: TimeRow, took: tuple[float, float] | None) -> TimeRow:
    if took is None:
        return row
    return replace(row, measured_forward=took[0], measured_backward=took[1])
