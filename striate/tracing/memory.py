"""The memory of a training step of any network, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from striate.errors import UserError
from striate.layers import Shape
from striate.sizing.memory import Fits, Instant, Memory, MemoryRow, StepSettings
from striate.sizing.table import big_bytes
from striate.tracing.finding import Found, check_image
from striate.tracing.layers import Layer, layers
from striate.tracing.ledger import reason
from striate.tracing.passes import record
from striate.tracing.record import Record
from striate.tracing.step import Loss, Moment, Step, take_step

LARGEST_BATCH = 1 << 20


def trace_memory(
    found: Found, batch: int, settings: StepSettings, loss: Loss | None = None
) -> Memory:
    """The memory of a training step of a network that was found.

    Raises UserError where the network does not get through a step.
    """
    seen = trained(found, batch, settings)
    shape = check_image(found, None)
    step = take_step(found.model, shape, batch, settings, loss)
    return _memory(found.name, shape, batch, settings, seen, layers(seen), step)


def trained(found: Found, batch: int, settings: StepSettings) -> Record:
    """What a network that was found does in the forward pass of a training step.

    Raises UserError where it does not get through one.
    """
    if batch < 1:
        raise UserError(f"a batch holds at least 1 image, not {batch}")
    shape = check_image(found, None)
    seen = record(found.model, shape, batch, settings)
    if seen.stopped is not None:
        raise UserError(f"{found.name} has no training step to follow: {reason(seen)}")
    if seen.normalises_one_value:
        raise UserError(
            f"{found.name} cannot train on a batch of 1 image: batch normalisation of volumes of "
            "1×1 needs more than one value for each channel. Take a batch of 2"
        )
    if not seen.training:
        raise UserError(
            f"{found.name} runs on images alone only outside of training, so that there is no "
            "training step to follow"
        )
    return seen


def largest_batch(found: Found, limit: int, settings: StepSettings) -> Fits:
    """The largest batch whose step takes at most so many bytes.

    Memory grows nearly in a line with the batch: the line through two batches gives the next guess,
    until one fits and the next does not. Raises UserError when no batch fits.
    """
    known: dict[int, Memory] = {}

    def at(batch: int) -> Memory:
        if batch not in known:
            known[batch] = trace_memory(found, batch, settings)
        return known[batch]

    first = _first(at)
    if at(first).peak.bytes > limit:
        raise UserError(_too_large(found, at(first), limit, settings))
    low, high = first, LARGEST_BATCH + 1
    other = first + 1
    while high - low > 1:
        guess = _on_the_line(at(first), at(other), limit) if other != first else low + 1
        other = min(max(guess, low + 1), high - 1)
        if at(other).peak.bytes <= limit:
            low = other
        else:
            high = other
        other = low if low > first else high if high <= LARGEST_BATCH else first + 1
    return Fits(limit, at(low), at(high) if high <= LARGEST_BATCH else None)


def _first(at: Callable[[int], Memory]) -> int:
    """The smallest batch that trains: 2 where batch normalisation meets single values."""
    try:
        at(1)
    except UserError:
        at(2)
        return 2
    return 1


def _on_the_line(one: Memory, two: Memory, limit: int) -> int:
    growth = (two.peak.bytes - one.peak.bytes) / (two.batch - one.batch)
    if growth <= 0:
        return LARGEST_BATCH
    return min(LARGEST_BATCH, one.batch + int((limit - one.peak.bytes) / growth))


def _too_large(found: Found, memory: Memory, limit: int, settings: StepSettings) -> str:
    others = {
        "bfloat16": replace(settings, precision="bfloat16"),
        "SGD without momentum": replace(settings, optimizer="sgd"),
    }
    cheaper = []
    for words, other in others.items():
        changed = trace_memory(found, memory.batch, other)
        if changed.peak.bytes < memory.peak.bytes:
            cheaper.append(f"{words} takes {big_bytes(changed.peak.bytes)}")
    hints = f" ({', '.join(cheaper)})" if cheaper else ""
    return (
        f"{found.name} does not fit {big_bytes(limit)}: a step of {memory.batch} "
        f"{'image' if memory.batch == 1 else 'images'} of this size takes "
        f"{big_bytes(memory.peak.bytes)} with {settings}{hints}. Take smaller images or a smaller "
        "network"
    )


def _memory(
    name: str,
    shape: Shape,
    batch: int,
    settings: StepSettings,
    seen: Record,
    known: list[Layer],
    step: Step,
) -> Memory:
    places = owners(seen, known)
    forward = [moment.operation for moment in step.moments if moment.phase == "forward"]
    ours = [operation.name for operation in seen.operations]
    if forward[: len(ours)] != ours:
        places = [""] * len(places)  # a network that does not do the same twice
    timeline = tuple(
        Instant(moment.phase, _owner(moment, places), moment.operation, moment.live)
        for moment in step.moments
    )
    rows = tuple(_row(layer, batch, step, timeline) for layer in known)
    return Memory(name, shape, batch, settings, rows, step.image, step.buffers, timeline)


def owners(seen: Record, known: Sequence[Layer]) -> list[str]:
    """The layer that each operation belongs to; what belongs to none goes with the one before."""
    names = {id(operation): layer.name for layer in known for operation in layer.operations}
    found, last = [], ""
    for operation in seen.operations:
        last = names.get(id(operation), last)
        found.append(last)
    return found


def _owner(moment: Moment, places: list[str]) -> str:
    return places[moment.place] if 0 <= moment.place < len(places) else ""


def _row(layer: Layer, batch: int, step: Step, timeline: tuple[Instant, ...]) -> MemoryRow:
    mine = [instant for instant in timeline if instant.layer == layer.name]
    forward = [instant.bytes for instant in mine if instant.phase == "forward"]
    backward = [instant.bytes for instant in mine if instant.phase == "backward"]
    learned = [parameter for parameter in layer.own.values() if parameter.requires_grad]
    return MemoryRow(
        name=layer.name,
        kind=layer.kind,
        output=layer.shape_of_one(batch),
        parameters=sum(parameter.nbytes for parameter in layer.own.values()),
        gradients=sum(parameter.nbytes for parameter in learned),
        optimizer=sum(step.optimizer.get(name, 0) for name in layer.own),
        output_bytes=layer.output_bytes,
        saved=layer.saved_bytes,
        live=forward[-1] if forward else 0,
        backward=max(backward, default=0),
    )
