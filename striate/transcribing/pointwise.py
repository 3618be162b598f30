"""Operations on every value alike: activations, dropout, sums and products."""

from __future__ import annotations

from typing import Any

from striate.layers import Add, Dropout, Multiply
from striate.layers.base import Layer
from striate.layers.pointwise import (
    ELU,
    GELU,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from striate.layers.scaling import Scale, Times
from striate.layers.stochastic_depth import DropPath
from striate.tracing.record import Operation
from striate.transcribing.layouts import CHANNELS, REPEATED, Axis, Layout, whole
from striate.transcribing.reading import Noise, Reader
from striate.transcribing.steps import Value

PLAIN: dict[str, type[Layer]] = {
    "relu": ReLU,
    "silu": SiLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "hardswish": HardSwish,
    "hardsigmoid": HardSigmoid,
    "mish": Mish,
}
"""Functions without settings, in place or not."""


def activation(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A function of each value."""
    value = reader.value(operation, operation.arguments[0])
    reader.give(operation, _function(reader, operation, given), value, value.layout)


def _function(reader: Reader, operation: Operation, given: dict[str, Any]) -> Layer:
    name = operation.name.removesuffix("_")
    if name in PLAIN:
        return PLAIN[name]()
    match name:
        case "gelu" if given["approximate"] == "none":
            return GELU()
        case "leaky_relu":
            return LeakyReLU(given["negative_slope"])
        case "elu" if given["scale"] == given["input_scale"] == 1:
            return ELU(float(given["alpha"]))
        case "hardtanh" if (given["min_val"], given["max_val"]) == (0, 6):
            return ReLU6()
        case "clamp" if (given["min"], given["max"]) == (0, 6):
            return ReLU6()
        case "clamp" if (given["min"], given["max"]) == (0, None):
            return ReLU()
        case "clamp_min" if given["min"] == 0:
            return ReLU()
    numbers = [
        f"{key}={each}" for key, each in given.items() if isinstance(each, int | float | str)
    ]
    raise reader.unwritten(
        operation, f"calls {name} with {', '.join(numbers)}, for which it has no word"
    )


def softmax(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """Over the channels."""
    value = reader.value(operation, operation.arguments[0])
    axis = value.layout[given["dim"]]
    if axis != whole(CHANNELS, reader.output(value.step)[0]):
        raise reader.unwritten(operation, "takes a softmax over another axis than the channels")
    reader.give(operation, Softmax(), value, value.layout)


def dropout(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """The operation that gives its mask too."""
    value = reader.value(operation, given["input"])
    reader.give(operation, Dropout(given["p"]), value, value.layout)


def add(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A sum or a difference of two volumes of one shape."""
    if isinstance(given["other"], int | float) and given["other"] == 0:
        reader.put(operation.result, reader.value(operation, given["self"]))
        return
    one, other = (reader.value(operation, given[name]) for name in ("self", "other"))
    factor = given["alpha"] * (-1 if operation.name.startswith("sub") else 1)
    if factor != 1:
        step = reader.add(operation, Times(factor), (other.step,), reader.output(other.step))
        other = Value(step, other.layout)
    layout, steps = _met(reader, operation, one, other)
    shape = reader.output(steps[0])
    if reader.output(steps[1]) != shape:
        raise reader.unwritten(operation, "adds volumes of two shapes")
    reader.give_step(operation, reader.add(operation, Add(), steps, shape), layout)


def divide(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """By a number."""
    value, number = reader.value(operation, given["self"]), given["other"]
    if not isinstance(number, int | float) or not number:
        raise reader.unwritten(operation, "divides by more than a number")
    reader.give(operation, Times(1 / number), value, value.layout)


def multiply(reader: Reader, operation: Operation, given: dict[str, Any]) -> None:
    """A product with a number, a volume, a gate, learned factors, or dropout's mask."""
    one, other = given["self"], given["other"]
    if id(one) in reader.noise or id(one) in reader.learned:
        one, other = other, one
    value = reader.value(operation, one)
    if isinstance(other, int | float):
        reader.give(operation, Times(other), value, value.layout)
    elif noise := reader.noise.get(id(other)):
        _masked(reader, operation, value, noise, tuple(other.shape), tuple(one.shape))
    elif id(other) in reader.learned:
        _scaled(reader, operation, value, other)
    else:
        _gated(reader, operation, value, reader.value(operation, other))


def _masked(
    reader: Reader,
    operation: Operation,
    value: Value,
    noise: Noise,
    mask: tuple[int, ...],
    sizes: tuple[int, ...],
) -> None:
    """Dropout of values, or of whole images."""
    p = 1 - noise.keep
    if not noise.scaled and p:
        raise reader.unwritten(operation, "drops values without scaling up the others")
    if mask == sizes:
        layer: Layer = Dropout(p)
    elif mask == (reader.batch, *(1,) * (len(sizes) - 1)):
        layer = DropPath(p)
    else:
        raise reader.unwritten(operation, f"drops parts of the shape {'×'.join(map(str, mask))}")
    reader.give(operation, layer, value, value.layout)


def _scaled(reader: Reader, operation: Operation, value: Value, factors: Any) -> None:
    """One learned factor for each channel, wherever these stand."""
    shape = reader.output(value.step)
    sizes = (1,) * (len(value.layout) - factors.dim()) + tuple(factors.shape)
    channels = whole(CHANNELS, shape[0])
    places = [axis for axis, n in enumerate(sizes) if n > 1]
    if [value.layout[axis] for axis in places] != [channels] * (shape[0] > 1):
        raise reader.unwritten(operation, "multiplies with other weights than one for each channel")
    weights = {"weight": reader.weight(operation, factors)}
    step = reader.add(operation, Scale(), (value.step,), shape, weights)
    reader.give_step(operation, step, value.layout)


def _gated(reader: Reader, operation: Operation, one: Value, other: Value) -> None:
    if len(_runs(one.layout)) < len(_runs(other.layout)):
        one, other = other, one
    layout, steps = _met(reader, operation, one, other)
    shape = max((reader.output(step) for step in steps), key=lambda each: (len(each), each[1:]))
    reader.give_step(operation, reader.add(operation, Multiply(), steps, shape), layout)


def _met(
    reader: Reader, operation: Operation, one: Value, other: Value
) -> tuple[Layout, tuple[int, int]]:
    """Two values whose axes lie alike, or of which the second counts at every position."""
    rank = max(len(one.layout), len(other.layout))
    if len(one.layout) == rank:
        padded = ((),) * (rank - len(other.layout)) + other.layout
        same = all(
            mine == its or not _real(its) for mine, its in zip(one.layout, padded, strict=True)
        )
        if same and _fit(reader, one, other):
            return one.layout, (one.step, other.step)
    steps = reader.straight(operation, one), reader.straight(operation, other)
    if len(one.layout) != len(other.layout):
        raise reader.unwritten(operation, f"calls {operation.name} on a volume and a vector")
    sizes = (reader.batch, *reader.output(steps[0]))
    return tuple(map(whole, range(rank), (*sizes, 1, 1))), steps


def _fit(reader: Reader, one: Value, other: Value) -> bool:
    """Whether the notation takes the two: one shape, or a gate and what it gates."""
    first, second = reader.output(one.step), reader.output(other.step)
    return first == second or (second[1:] in ((), (1, 1)) and first[0] == second[0])


def _real(axis: Axis) -> bool:
    return any(run.axis != REPEATED for run in axis)


def _runs(layout: Layout) -> list[Any]:
    return [run for axis in layout for run in axis if run.axis != REPEATED]
