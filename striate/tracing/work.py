"""What the operations of any torch network do: the tasks that a step's time is predicted from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from striate.errors import UserError
from striate.sizing.machine import Machine
from striate.sizing.memory import StepSettings
from striate.sizing.roofline import Times, predict
from striate.sizing.work import (
    POOLS,
    Task,
    Work,
    accumulated,
    convolution,
    multiplied,
    passed,
)
from striate.tracing.finding import Found, check_image
from striate.tracing.layers import Layer, is_view, layers
from striate.tracing.macs import Reached, backward_macs, macs
from striate.tracing.memory import owners, trained
from striate.tracing.record import Operation, Record, tensors

_FAMILIES = {
    **dict.fromkeys(("add", "sub", "cat", "stack"), "sum"),
    **dict.fromkeys(("mul", "div"), "gate"),
    **dict.fromkeys(
        ("gelu", "silu", "sigmoid", "tanh", "mish", "softplus", "elu", "exp", "erf", "pow"),
        "smooth",
    ),
    **dict.fromkeys(("_softmax", "_log_softmax"), "smooth"),
    **dict.fromkeys(("native_batch_norm", "_native_batch_norm_legit"), "norm"),
    **dict.fromkeys(("native_layer_norm", "native_group_norm"), "layernorm"),
    **dict.fromkeys(("max_pool2d_with_indices", "adaptive_max_pool2d"), "maxpool"),
    **dict.fromkeys(("avg_pool2d", "_adaptive_avg_pool2d"), "avgpool"),
    **dict.fromkeys(("slice", "select", "split", "split_with_sizes", "chunk", "narrow"), "slice"),
    "bernoulli": "dropout",
}
"""The family of each operation that is no product; of others `copy`."""
_FREE = ("empty", "empty_like", "new_empty", "detach", "alias", "lift_fresh")
"""Operations without work."""


def works(record: Record, known: Sequence[Layer], batch: int) -> list[Work]:
    """What each layer of a followed pass does forwards and backwards."""
    tasks: dict[str, list[Task]] = {layer.name: [] for layer in known}
    reached = Reached(record)
    operations = record.operations
    uses = Counter(id(each) for operation in operations for each in _read(operation, reached))
    makers = {id(each): o for o in operations for each in tensors(o.result)}
    for operation, owner in zip(operations, owners(record, known), strict=True):
        if not owner or operation.name in _FREE:
            continue
        learned = bool(operation.learns) and operation in reached
        found = tasks[owner]
        found += _tasks(operation, learned=learned)
        if learned:
            for each in (e for e in tensors(operation.result) if makers[id(e)] is operation):
                found += accumulated(uses[id(each)], each.nbytes)
    return [
        Work(layer.name, layer.kind, layer.shape_of_one(batch), tuple(tasks[layer.name]))
        for layer in known
    ]


def _read(operation: Operation, reached: Reached) -> list[Tensor]:
    """What it reads that a gradient goes back to; what it changes in place is none of it."""
    if operation not in reached:
        return []
    given = tensors((operation.arguments, operation.keywords))
    if operation.name.endswith("_"):
        given = given[1:]
    return [each for each in given if id(each) in operation.learns and not each.is_leaf]


def _tasks(operation: Operation, *, learned: bool) -> list[Task]:
    read = tensors((operation.arguments, operation.keywords))
    output = sum(each.nbytes for each in tensors(operation.result))
    if count := macs(operation):
        family, at = _product(operation)
        if operation.name in ("addmm", "baddbmm", "addbmm"):
            read = read[1:]
        first, weights = read[0].nbytes, sum(each.nbytes for each in read[1:])
        gradients = backward_macs(operation) // count if learned else 0
        wanted = gradients > 1, gradients > 0
        return multiplied(family, at, count, (first, weights, output), wanted)
    name = operation.name.strip("_") if operation.name.endswith("_") else operation.name
    family = _FAMILIES.get(name, "view" if is_view(operation) else "copy")
    sizes = [each.nbytes for each in read]
    inputs = sum(sizes) if family in ("sum", "gate") else max(sizes, default=0)
    window = _window(operation) if family in POOLS else 0
    values = tensors(operation.result)[0].numel() * max(1, window)
    return passed(family, values, inputs, output, learned=learned, at=window)


def _window(operation: Operation) -> int:
    """The values that a window of a pool holds."""
    if operation.name.lstrip("_").startswith("adaptive"):
        given, result = (tensors(each)[0] for each in (operation.arguments, operation.result))
        return max(1, given.numel() // result.numel())
    kernel = operation.arguments[1]
    return int(kernel[0] * kernel[-1])


def _product(operation: Operation) -> tuple[str, int]:
    """The family of a product, and its size: the fewest of rows, columns and what is summed."""
    read = tensors((operation.arguments, operation.keywords))
    if operation.name == "convolution":
        image, weight = read[0], read[1]
        groups, transposed = operation.arguments[8], operation.arguments[6]
        outputs = weight.shape[1] * groups if transposed else weight.shape[0]
        kernel, stride = tuple(weight.shape[2:]), operation.arguments[3]
        return convolution(image.shape[1], outputs, groups, kernel, stride)
    return "matrix", min(n for each in read if each.dim() > 1 for n in each.shape[-2:])


def trace_time(found: Found, batch: int, precision: str, machine: Machine) -> Times:
    """The time of a training step of a network that was found.

    Raises UserError where the network does not get through a step, or learns nothing.
    """
    seen = trained(found, batch, StepSettings(precision=precision))
    learned = [each.numel() for each in seen.network.parameters() if each.requires_grad]
    if not learned:
        raise UserError(f"{found.name} has no weights that learn, and so no training step")
    shape = check_image(found, None)
    done = works(seen, layers(seen), batch)
    return predict(found.name, shape, batch, precision, done, learned, machine)
