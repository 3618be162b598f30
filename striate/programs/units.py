"""The layers of a followed pass, and how they lie: what pictures and rates need of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from striate.graph import IMAGE
from striate.graph.program import Unit
from striate.layers import Add, Concat, Multiply, Shape, product
from striate.layers.base import Layer as Kind
from striate.layers.base import Role
from striate.layers.traced import Traced
from striate.notation.vocabulary import OUTPUT
from striate.programs.blocks import blocks
from striate.tracing.layers import INPUT, Layer, layers_and_sources
from striate.tracing.record import Operation, Record, tensors
from striate.transcribing.steps import Step, Steps, Unwritten
from striate.transcribing.structure import Placed, structure

_NORMS = {
    "native_batch_norm": "bn",
    "_native_batch_norm_legit": "bn",
    "native_layer_norm": "ln",
    "native_group_norm": "gn",
}
_POOLS = {
    "max_pool2d_with_indices": ("pool", "pool"),
    "avg_pool2d": ("avgpool", "avgpool"),
    "_adaptive_avg_pool2d": ("gap", "avgpool"),
    "adaptive_max_pool2d": ("gmp", "pool"),
    "mean": ("gap", "mean"),
    "amax": ("gmp", "max"),
}
"""What each is called over the whole of an image, and over a part of it."""
_PRODUCTS = ("bmm", "baddbmm", "_scaled_dot_product_flash_attention_for_cpu", "matmul")
_ACTIVATIONS = {
    **{
        word: word for word in ("relu", "gelu", "silu", "elu", "mish", "tanh", "sigmoid", "softmax")
    },
    **{word: word for word in ("hardswish", "hardsigmoid", "softplus", "selu", "celu", "exp")},
    "_softmax": "softmax",
    "leaky_relu": "leakyrelu",
    "hardtanh": "relu6",
    "clamp": "relu6",
}
_OTHERS = {"constant_pad_nd": "pad"}
_MERGES = {"add": "add", "sub": "add", "cat": "concat", "stack": "concat", "mul": "multiply"}
_NOISES = ("bernoulli", "native_dropout")
_COPIES = ("clone", "_unsafe_view", "_to_copy", "copy", "contiguous", "lift_fresh")
_LIGHT: tuple[Role, ...] = ("norm", "activation", "regularise", "shape")
"""What pictures write beside another layer."""


def units(
    record: Record, batch: int, outputs: Mapping[str, Tensor]
) -> tuple[tuple[Unit, ...], list[Any], dict[str, str]]:
    """The layers, the structure of a program, and the layer that gives each output.

    `outputs` are the network's own, the main one first.
    """
    found, source = layers_and_sources(record)
    known = [layer for layer in found if layer.operations]
    copies = {layer.name: next(iter(layer.inputs), INPUT) for layer in known if _is_copy(layer)}

    def origin(name: str) -> str:
        while name in copies:
            name = copies[name]
        return name

    names = {layer.name for layer in known if layer.name not in copies}
    made = []
    for layer in known:
        if layer.name in names:
            read = dict.fromkeys(map(origin, layer.inputs))
            inputs = tuple(name for name in read if name in names or name == INPUT) or (INPUT,)
            made.append(_unit(layer, batch, inputs))
    ends = {end: origin(source[id(tensor)]) for end, tensor in outputs.items()}
    for end, tensor in outputs.items():
        shape = tuple(tensor.shape[1:])
        last = next(unit for unit in made if unit.name == ends[end])
        if product(last.output) != product(shape):  # a part of what the last layer gives
            ends[end] = f"{last.name}.{end}"
            made.append(Unit(ends[end], "slice", "slice", "shape", (last.name,), shape, 0, ()))
    kinds = {call.path: call.kind for call in record.calls}
    heavy = {unit.name for unit in made if unit.role not in _LIGHT}
    return tuple(made), blocks(_nested(made, record, ends), kinds, heavy), ends


def _is_copy(layer: Layer) -> bool:
    """Whether an operation between modules gives the values that it is given."""
    return not layer.own and all(each.name in _COPIES for each in layer.operations)


def _unit(layer: Layer, batch: int, inputs: tuple[str, ...]) -> Unit:
    kind, label, role = _kind(layer, len(inputs))
    path = layer.name.partition("#")[0]
    weights = tuple(
        (name.removeprefix(f"{path}."), tuple(parameter.shape))
        for name, parameter in layer.own.items()
    )
    return Unit(
        layer.name,
        kind,
        label,
        role,
        inputs,
        layer.shape_of_one(batch),
        layer.macs // batch,
        weights,
        layer.weights,
    )


def _kind(layer: Layer, inputs: int) -> tuple[str, str, Role]:
    """What a layer is called in tables, how a paper writes it, and what it is for."""
    by_name = {operation.name.rstrip("_"): operation for operation in layer.operations}
    if convolution := by_name.get("convolution"):
        return _convolution(convolution)
    if matrices := by_name.get("addmm") or by_name.get("mm"):
        width = tensors(matrices.result)[0].shape[-1]
        return "fc", f"fc-{width}", "linear"
    if any(name in by_name for name in _PRODUCTS):
        word = "matmul" if {"bmm", "baddbmm"} & by_name.keys() else "attention"
        return word, word, "linear"
    for name, word in _NORMS.items():
        if name in by_name:
            return word, word, "norm"
    if layer.own:
        return layer.kind.lower(), layer.kind.lower(), "norm"
    for name, (word, part) in _POOLS.items():
        if name in by_name:
            whole = product(tuple(tensors(by_name[name].result)[0].shape[2:])) == 1
            return (word, word, "pool") if whole else (part, part, "pool")
    for name, word in _ACTIVATIONS.items():
        if name in by_name:
            return word, word, "activation"
    if any(name in by_name for name in _NOISES):
        word = layer.kind.lower() if layer.kind not in _NOISES else "dropout"
        return word, word, "regularise"
    for name, word in _MERGES.items():
        if name in by_name and inputs > 1:
            return word, word, "merge"
    word = next((word for name, word in _OTHERS.items() if name in by_name), layer.kind.lower())
    return word, word, "shape"


def _convolution(operation: Operation) -> tuple[str, str, Role]:
    _, weight, _, stride, _, dilation, transposed, _, groups = operation.arguments
    kernel, step, spread = (_pair(each) for each in (weight.shape[2:], stride, dilation))
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    word = "tconv" if transposed else "conv"
    if groups == channels == weight.shape[0] > 1 and not transposed:
        label = f"dwconv{kernel}"
    else:
        label = f"{word}{kernel}-{channels}"
    label += f"/{step}" if step != "1" else ""
    label += f" d{spread}" if spread != "1" else ""
    if groups > 1 and not label.startswith("dw"):
        label += f" g{groups}"
    return word, label, "conv"


def _pair(sizes: Sequence[int]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))


def _nested(made: Sequence[Unit], record: Record, ends: Mapping[str, str]) -> list[Any]:
    """The layers as series and branches; in one line where names do not undo their crossings."""
    places = {unit.name: index for index, unit in enumerate(made)} | {INPUT: IMAGE}
    steps = tuple(
        Step(_join(unit), tuple(places[name] for name in unit.inputs), unit.output) for unit in made
    )
    others = {end: places[name] for end, name in ends.items() if end != OUTPUT}
    image: Shape = tuple(record.image.shape[1:])
    try:
        tree = structure(Steps(image, steps, places[ends[OUTPUT]], others))
    except Unwritten:
        return [unit.name for unit in made]
    return _Parts(made).of(tree.chain, {}, INPUT, "")


def _join(unit: Unit) -> Kind:
    if len(unit.inputs) > 1:
        return {"add": Add(), "concat": Concat()}.get(unit.kind, Multiply())
    return Traced(unit.kind, unit.label, unit.role, unit.output, unit.macs, unit.weights)


class _Parts:
    """Turns what is placed in a text into the parts of a program's structure."""

    def __init__(self, made: Sequence[Unit]) -> None:
        self.made = made

    def of(
        self, chain: Sequence[Placed], names: Mapping[str, str], before: str, join: str
    ) -> list[Any]:
        """A chain's. `names` are the layers of the labels that are known, `before` the layer that
        it goes on from, and `join` the one between whose branches it lies."""
        known = dict(names)
        found: list[Any] = []
        for placed in chain:
            if placed.group:
                found += self.of(placed.group, known, before, join)
                before = self._last(placed.group) or before
            elif placed.origin:
                before = known[placed.origin]
                found.append({"from": placed.origin, "of": before})
            elif placed.join:
                own = self.made[placed.step].name if placed.step >= 0 else join
                branches = [self.of(each, known, before, own) for each in placed.branches]
                found.append({"branches": branches, "join": own})
                before = own
            elif placed.step >= 0:
                before = self.made[placed.step].name
                found.append(before)
            if placed.label:
                known[placed.label] = before
            for name, body in placed.taps:
                found.append({"tap": name, "parts": self.of(body, known, before, join)})
        return found

    def _last(self, chain: Sequence[Placed]) -> str:
        """The layer that a chain ends in."""
        last = chain[-1]
        if last.group:
            return self._last(last.group)
        return self.made[last.step].name if last.step >= 0 else ""
