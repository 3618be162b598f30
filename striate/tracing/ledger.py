"""From what a torch network did in one pass to its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import Tensor, nn

from striate.errors import UserError
from striate.sizing.conventions import Convention
from striate.sizing.conventions import find as find_convention
from striate.sizing.conventions.tally import tallied
from striate.sizing.ledger import MISMATCH, Ledger, Row
from striate.sizing.lints import Lint
from striate.sizing.receptive_field import Field
from striate.tracing.finding import Found, check_input, find, locate
from striate.tracing.inputs import Inputs, shapes, told
from striate.tracing.layers import Layer, layers
from striate.tracing.lints import left_over, lint, lints
from striate.tracing.mismatches import mismatch
from striate.tracing.passes import evaluated, really, record
from striate.tracing.record import Record
from striate.tracing.uses import uses


def size(
    what: str | Path | nn.Module,
    *,
    batch: int = 1,
    input: Inputs | None = None,
    object: int | None = None,
    convention: str | None = None,
    run: bool = False,
) -> Ledger:
    """The ledger of any torch network, as `striate.size` gives it.

    The network is copied without its memory and run once on tensors that hold no values: nothing
    is allocated or computed, and the network itself stays as it is. Raises UserError when it does
    not get as far as one layer; where it stops later, the ledger ends there with a warning.
    """
    if batch < 1:
        raise UserError(f"a batch holds at least 1 image, not {batch}")
    if object is not None:
        raise UserError("an object's size is asked of networks in the notation alone")
    way = find_convention(convention) if convention is not None else None
    chosen = locate(what)
    given = check_input(chosen, input)
    found = record(chosen.model, given, batch)
    if run and found.stopped is not None and depends_on_data(found):
        real = find(what, real=True).model if isinstance(what, str | Path) else what
        found = really(real, given, batch)
    return _ledger(found, chosen, given, batch, way)


def _ledger(
    found: Record, chosen: Found, given: Inputs, batch: int, convention: Convention | None
) -> Ledger:
    model, name, input = chosen.model, chosen.name, shapes(given)[0]
    known = layers(found)
    if found.stopped is not None and not any(layer.output for layer in known):
        if unfit := mismatch(found):
            raise UserError(f"{name} does not fit together: {unfit}")
        raise UserError(f"{name} does not run on a batch of {_show(found.image)}: {reason(found)}")
    rows = tuple(_row(layer, batch, training=found.training) for layer in known)
    if not rows:
        raise UserError(f"{name} does nothing to its input, so that there is nothing to size")
    last = [layer.name for layer in known if layer.output][-1]
    said = [*_lints(found, known, name), *lints(found, known)]
    if not isinstance(given, tuple):
        words = f"{name} takes {told(given)}; what is seen is told of the first"
        said.append(lint("several inputs", "note", words))
    said.sort(key=lambda each: each.level == "note")
    ledger = Ledger(name, input, batch, rows, output=last, lints=tuple(said))
    if convention is None:
        return ledger
    ran = evaluated(model, given, batch)
    return tallied(ledger, convention, uses(found, known, ran))


def _row(layer: Layer, batch: int, *, training: bool) -> Row:
    nothing = Field(0, ())
    height, width = layer.sight.fields if layer.sight else (nothing, nothing)
    remainder, lost = left_over(layer)
    return Row(
        name=layer.name,
        kind=layer.kind,
        notation=layer.notation,
        inputs=tuple(layer.inputs),
        weights=layer.weights,
        output=layer.shape_of_one(batch),
        parameters=layer.parameters,
        macs=layer.macs,
        backward_macs=layer.backward_macs,
        output_bytes=layer.output_bytes,
        jump=(height.jump, width.jump),
        receptive_field=(height.size, width.size),
        start=(height.start, width.start),
        center=(height.center, width.center),
        whole_input=height.whole and width.whole,
        remainder=remainder,
        lost=lost,
        span=None,
        saved_bytes=layer.saved_bytes if training else None,
        unknown_field=layer.sight is None and layer.reads_image,
    )


def _lints(found: Record, known: list[Layer], name: str) -> Iterator[Lint]:
    if found.stopped is not None:
        where = found.stopped_at or "its own forward"
        said = mismatch(found)
        yield lint(
            MISMATCH if said else "stopped",
            "warning",
            f"{name} is sized up to {where}, where it stops: {said or reason(found)}",
            (found.stopped_at,) if found.stopped_at else (),
        )
    if found.ran:
        yield lint(
            "run",
            "note",
            f"{name} depends on the values of the data: it was run in evaluation on random images, "
            "and other images give other numbers from there on",
        )
    elif not found.training:
        yield lint(
            "not in training",
            "note",
            f"{name} runs on images alone only outside of training, and was sized so: what it "
            "keeps for the backward pass is not known",
        )
    if found.normalises_one_value:
        yield lint(
            "one value",
            "note",
            f"{name} cannot train on a batch of 1 image: batch normalisation of volumes of 1×1 "
            "needs more than one value for each channel. Take a batch of 2",
        )
    if found.stopped is None and (
        unused := [layer.name for layer in known if not layer.operations]
    ):
        yield lint(
            "unused",
            "note",
            f"the parameters of {_listed(unused)} are not used in this pass",
            tuple(unused),
        )
    doubtful: dict[str, str] = {}
    for layer in known:
        for operation in layer.unknown:
            doubtful.setdefault(operation, layer.name)
    for operation, first in doubtful.items():
        yield lint(
            "unknown reach",
            "note",
            f"it is not known what {operation} in {first} reads, nor what is seen behind it",
            (first,),
        )
    uncounted: dict[str, list[str]] = {}
    for layer in known:
        for operation in layer.uncounted:
            uncounted.setdefault(operation, []).append(layer.name)
    for operation, names in uncounted.items():
        message = f"{operation} in {_listed(names)} is not counted in MACs"
        yield lint("not counted", "note", message, tuple(names))


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def depends_on_data(found: Record) -> bool:
    """Whether a pass stopped since it needs the values of tensors."""
    kind = type(found.stopped).__name__
    return kind in ("DataDependentOutputException", "DynamicOutputShapeException")


def reason(found: Record) -> str:
    """Why a pass stopped, in one line."""
    error = found.stopped
    kind = type(error).__name__
    if depends_on_data(found):
        operation = getattr(error, "func", "an operation")
        return (
            f"what follows depends on the values of the data ({operation}), and sizing runs on "
            "shapes alone. --run (in Python run=True) completes it on random images"
        )
    first = str(error).strip().split("\n")[0]
    return f"{kind}: {first}" if first else kind


def _show(image: Tensor) -> str:
    return "×".join(str(n) for n in image.shape)
