"""What operations do: their arithmetic, and the bytes that they move, forwards and backwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from striate.graph import IMAGE, Graph, Node
from striate.layers import Layer, Shape, product
from striate.layers.convolution import Conv, TransposedConv

PRODUCTS = ("matrix", "conv", "pointwise", "depthwise", "depthwise stride", "grouped")
"""Families whose arithmetic is MACs. A convolution of one group is `pointwise` with a kernel of
1×1, else `conv`; one with a group for each channel is `depthwise`, of its own family with a stride,
where some libraries are many times slower."""
VALUES = ("smooth", "norm", "layernorm", "maxpool", "avgpool", "dropout")
"""Families with arithmetic of their own beside memory, counted in values: of their output, or for
pools those that all windows read."""
POOLS = ("maxpool", "avgpool")
PASSES = {
    "copy": ((1, 1), (1, 2)),
    "sum": ((1, 1), (0, 0)),
    "gate": ((1, 1), (2, 2)),
    "slice": ((0, 0), (1, 2)),
    "view": ((0, 0), (0, 0)),
    "smooth": ((1, 1), (2, 1)),
    "norm": ((2, 1), (3, 2)),
    "layernorm": ((2, 1), (3, 2)),
    "maxpool": ((1, 3), (1, 3)),
    "avgpool": ((1, 1), (1, 1)),
    "dropout": ((1, 2), (1, 2)),
}
"""How often the bytes of inputs and of outputs are moved, forwards and then backwards. docs/time.md
says why, family by family."""
KINDS = {
    **dict.fromkeys(("relu", "relu6", "leakyrelu", "hardswish", "hardsigmoid"), "copy"),
    **dict.fromkeys(("gap", "gmp", "upsample", "shuffle", "pad", "times"), "copy"),
    **dict.fromkeys(("add", "concat"), "sum"),
    **dict.fromkeys(("multiply", "droppath", "scale"), "gate"),
    **dict.fromkeys(("id", "flatten"), "view"),
    **dict.fromkeys(("elu", "gelu", "silu", "mish", "tanh", "sigmoid", "softmax", "lrn"), "smooth"),
    **dict.fromkeys(("bn", "p4bn", "p4mbn"), "norm"),
    **dict.fromkeys(("ln", "gn"), "layernorm"),
    **dict.fromkeys(("pool", "minpool"), "maxpool"),
    **dict.fromkeys(("avgpool", "l2pool"), "avgpool"),
    "dropout": "dropout",
    **dict.fromkeys(("crop", "slice"), "slice"),
}
"""The family of each kind of the notation that multiplies no weights; of others `copy`."""
BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class Task:
    """One operation in one direction."""

    family: str
    """The one whose rates and overhead count; `copy` for those that memory alone bounds."""
    at: int
    """What the rate of a product or a pool is a function of."""
    arithmetic: int
    """MACs or values."""
    bytes: int
    """Those that are read and written."""
    backward: bool = False


@dataclass(frozen=True)
class Work:
    """What one layer does in a training step."""

    name: str
    kind: str
    output: Shape
    """For one image."""
    tasks: tuple[Task, ...]


def convolution(
    inputs: int, outputs: int, groups: int, kernel: Shape, stride: Sequence[int]
) -> tuple[str, int]:
    """The family of a convolution, and what decides its rate.

    That is how many products are summed into a value, of the output or of the input's gradient, the
    fewer of both; for a depthwise one, where these are few always, all channels.
    """
    fewest = min(inputs, outputs) // groups * product(kernel)
    if groups == inputs > 1:
        return ("depthwise stride" if max(stride) > 1 else "depthwise"), inputs
    if groups > 1:
        return "grouped", fewest
    return ("conv" if max(kernel) > 1 else "pointwise"), fewest


def multiplied(
    family: str, at: int, macs: int, moved: tuple[int, int, int], gradients: tuple[bool, bool]
) -> list[Task]:
    """The tasks of a product of an input with weights, or of two inputs.

    `moved` are the bytes of the input, the weights and the output, `gradients` whether the backward
    pass wants those of the input and of the weights: each is a product of the same size.
    """
    forward = Task(family, at, macs, sum(moved))
    count = sum(gradients)
    return [forward, *([Task(family, at, count * macs, count * sum(moved), True)] * bool(count))]


def passed(
    family: str, values: int, inputs: int, output: int, *, learned: bool, at: int = 0
) -> list[Task]:
    """The tasks of all else: `values` of arithmetic, bytes of all inputs and of the output.

    `at` are the values that a window of a pool holds.
    """
    tasks = []
    for backward, (reads, writes) in enumerate(PASSES[family]):
        if reads + writes and (learned or not backward):
            measured = family in VALUES
            moved = reads * inputs + writes * output
            counted = (family, at, values) if measured else ("copy", 0, 0)
            tasks.append(Task(*counted, moved, bool(backward)))
    return tasks


def cast(values: int, *, learned: bool) -> list[Task]:
    """A float32 tensor written in bfloat16, as autocast does, and its gradient back."""
    return [Task("copy", 0, 0, 6 * values, backward) for backward in (False, True)[: 1 + learned]]


def accumulated(uses: int, size: int) -> list[Task]:
    """Gradients of a volume that several operations read, added to each other."""
    return [Task("copy", 0, 0, 3 * size, True)] * max(0, uses - 1)


def works(graph: Graph, batch: int, precision: str) -> list[Work]:
    """What each layer of a network in the notation does, for a batch of images."""
    learns = {IMAGE: False}
    uses = Counter(i for node in graph for i in node.inputs)
    found = []
    for index, node in enumerate(graph):
        shapes = graph.shapes_into(node)
        has_weights = bool(node.layer.weights(shapes))
        reads_learned = any(learns[i] for i in node.inputs)
        learns[index] = has_weights or reads_learned
        tasks = _tasks(graph, node, batch, precision, reads_learned)
        if learns[index]:
            tasks += accumulated(uses[index], batch * BYTES[precision] * product(node.output))
        found.append(Work(node.name, node.kind, node.output, tuple(tasks)))
    return found


def _tasks(graph: Graph, node: Node, batch: int, precision: str, reads_learned: bool) -> list[Task]:
    shapes, layer, size = graph.shapes_into(node), node.layer, BYTES[precision]
    inputs = batch * size * sum(product(graph.shape(i)) for i in node.inputs)
    output = batch * size * product(node.output)
    macs = batch * layer.macs(shapes, node.output)
    weights = [product(shape) for shape in layer.weights(shapes).values()]
    tasks: list[Task] = []
    if not macs:
        family = KINDS.get(node.kind, "copy")
        learned = reads_learned or bool(weights)
        window = _window(layer, shapes, node.output)
        values = batch * product(node.output) * max(1, window)
        return passed(family, values, inputs, output, learned=learned, at=window)
    if precision == "bfloat16":
        for count in weights:
            tasks += cast(count, learned=True)
        if IMAGE in node.inputs:
            tasks += cast(batch * product(graph.input), learned=False)
    family, at = _product(layer, shapes, node.output, batch)
    moved = inputs, size * sum(weights), output
    return tasks + multiplied(family, at, macs, moved, (reads_learned, bool(weights)))


def _window(layer: Layer, shapes: tuple[Shape, ...], output: Shape) -> int:
    """The values that a window of a pool holds; 0 for other layers."""
    if KINDS.get(layer.kind) in POOLS:
        return product(layer.window(shapes, output).kernel_size)
    return 0


def _product(layer: Layer, shapes: tuple[Shape, ...], output: Shape, batch: int) -> tuple[str, int]:
    """The family of a layer that multiplies, and its size."""
    inputs, outputs = shapes[0][0], output[0]
    if layer.role == "pool":
        return "depthwise", inputs
    weight = layer.weights(shapes)["weight"]
    if layer.role == "linear" or len(weight) > 5:
        return "matrix", min(batch, product(shapes[0]), product(output))
    if isinstance(layer, Conv):
        groups = layer.grouping(inputs)[1]
    else:
        groups = layer.groups if isinstance(layer, TransposedConv) else 1
    return convolution(inputs, outputs, groups, weight[-2:], getattr(layer, "stride", (1, 1)))
