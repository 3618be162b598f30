"""Rules that the sizes of a traced network are held against, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from striate.graph.unread import last_lines
from striate.layers import Pair, windows
from striate.layers.windows import Axis
from striate.sizing.lints.alignment import RULE as OUT_OF_LINE
from striate.sizing.lints.alignment import Placed, apart, message
from striate.sizing.lints.checkerboard import Writing
from striate.sizing.lints.finding import Lint, times
from striate.tracing.fields import pixels
from striate.tracing.layers import INPUT, Layer
from striate.tracing.record import Operation, Record, tensors

NOTHING = (0, 0)
_POOLS = ("max_pool2d_with_indices", "avg_pool2d")


def lint(name: str, level: Any, message: str, layers: Sequence[str] = ()) -> Lint:
    """A lint on a network that has no text, and so no place in it."""
    return Lint(name, level, message, tuple(layers), line=0, column=0, span=(0, 0), shown=message)


def lints(record: Record, layers: Sequence[Layer]) -> Iterator[Lint]:
    """Rows that nothing reads, checkerboards, branches out of line, and biases without effect."""
    owners = {id(operation): layer for layer in layers for operation in layer.operations}
    reads = _reads(record.operations)
    yield from _unread(record.operations, owners, reads)
    yield from _checkerboards(layers)
    yield from _out_of_line(record.inputs[0], layers)
    yield from _useless_biases(record, owners, reads)


def left_over(layer: Layer) -> tuple[Pair, Pair]:
    """Rows and columns that a layer's stride leaves over, and those of them that are not padding.

    Padding that an operation of its own adds before it counts as rows of the volume here.
    """
    found = [sliding for each in layer.operations if (sliding := _sliding(each))]
    if len(found) != 1 or found[0].ceil:
        return NOTHING, NOTHING
    return windows.left_over(*found[0].axes), windows.really_lost(*found[0].axes)


@dataclass(frozen=True)
class _Sliding:
    """A window over N×C×H×W."""

    axes: tuple[Axis, Axis]
    ceil: bool
    """Whether a last, incomplete window counts."""

    @property
    def lost(self) -> Pair:
        return NOTHING if self.ceil else windows.really_lost(*self.axes)


def _sliding(operation: Operation) -> _Sliding | None:
    given = operation.arguments
    if operation.name == "convolution":
        image, weight, _, stride, padding, dilation, transposed, *_ = given
        if transposed or weight.dim() != 4:
            return None
        return _Sliding(_axes(image, weight.shape[2:], stride, padding, dilation), ceil=False)
    if operation.name not in _POOLS or given[0].dim() != 4:
        return None
    image, kernel, *rest = given
    unsaid: tuple[Any, ...] = ((), 0)
    stride, padding, *rest = (*rest, *unsaid[len(rest) :])
    dilation = rest.pop(0) if operation.name == _POOLS[0] and rest else 1
    return _Sliding(_axes(image, kernel, stride or kernel, padding, dilation), any(rest[:1]))


def _axes(
    image: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Axis, Axis]:
    sizes, around = tuple(image.shape[2:]), _pair(padding)
    height, width = (
        Axis(
            size=sizes[axis],
            kernel_size=_pair(kernel)[axis],
            stride=_pair(stride)[axis],
            before=around[axis],
            after=around[axis],
            dilation=_pair(dilation)[axis],
        )
        for axis in (0, 1)
    )
    return height, width


def _pair(value: Any) -> Pair:
    numbers = list(value) if not isinstance(value, int) else [value]
    return int(numbers[0]), int(numbers[-1])


def _reads(operations: Sequence[Operation]) -> dict[int, list[Operation]]:
    """The operations that read each tensor, by its id."""
    found: dict[int, list[Operation]] = {}
    for operation in operations:
        for each in {id(t): t for t in tensors((operation.arguments, operation.keywords))}.values():
            found.setdefault(id(each), []).append(operation)
    return found


def _unread(
    operations: Sequence[Operation], owners: dict[int, Layer], reads: dict[int, list[Operation]]
) -> Iterator[Lint]:
    """A warning for each volume whose last rows no operation reads."""
    zeros = {
        id(operation.result): (max(0, pads[3]), max(0, pads[1]))
        for operation in operations
        if operation.name == "constant_pad_nd" and len(pads := operation.arguments[1]) == 4
    }
    for operation in operations:
        sliding = _sliding(operation)
        if sliding is None or id(operation) not in owners:
            continue
        image = operation.arguments[0]
        readers = reads[id(image)]
        if readers[0] is not operation:
            continue
        added = zeros.get(id(image), NOTHING)
        lost = [
            tuple(max(0, lost - zero) for lost, zero in zip(each.lost, added, strict=True))
            if (each := _sliding(reader)) and reader.arguments[0] is image
            else NOTHING
            for reader in readers
        ]
        rows, columns = (min(each[axis] for each in lost) for axis in (0, 1))
        if (rows, columns) != NOTHING:
            name = owners[id(operation)].name
            message = f"{name} {_unread_words(sliding, (rows, columns))}"
            yield lint("unread rows", "warning", message, [name])


def _unread_words(sliding: _Sliding, lost: Pair) -> str:
    height, width = (axis.size for axis in sliding.axes)
    padding = _fitting_padding(sliding)
    fix = f". Take padding={padding}, or another size of image" if padding else ""
    return f"leaves {last_lines(lost)} of its {height}×{width} input unread{fix}"


def _fitting_padding(sliding: _Sliding) -> int | None:
    """The smallest padding on all sides with which the window reads all of its input."""
    for padding in range(1, max(axis.kernel_size for axis in sliding.axes) + 1):
        height, width = (replace(axis, before=padding, after=padding) for axis in sliding.axes)
        if windows.really_lost(height, width) == NOTHING:
            return padding
    return None


def _checkerboards(layers: Sequence[Layer]) -> Iterator[Lint]:
    """A warning for all transposed convolutions of the same uneven writing."""
    found: dict[Writing, list[str]] = {}
    for layer in layers:
        for operation in layer.operations:
            if operation.name != "convolution" or not operation.arguments[6]:
                continue
            _, weight, _, stride, _, dilation, *_ = operation.arguments
            if weight.dim() == 4:
                kernel = _pair(weight.shape[2:])
                writing = Writing(kernel, _pair(stride), _pair(dilation), int(weight.shape[1]))
                if writing.is_uneven:
                    found.setdefault(writing, []).append(layer.name)
    for writing, names in found.items():
        others = f" (and {times(len(names) - 1, 'layer')} more)" if len(names) > 1 else ""
        fix = "Take a filter that is a multiple of the stride, or upsample and convolve"
        message = f"{names[0]}{others} {writing.told}. {fix}"
        yield lint("checkerboard", "warning", message, names)


def _out_of_line(image: Tensor, layers: Sequence[Layer]) -> Iterator[Lint]:
    """A note for all layers that join branches whose units look at different places."""
    if image.dim() != 4:
        return
    placed = {layer.name: each for layer in layers if (each := _placed(layer))}
    seen = pixels(image)
    placed[INPUT] = Placed(seen.lengths, seen.fields)
    joins = [
        (layer.name, distance)
        for layer in layers
        if (distance := apart([placed[name] for name in layer.inputs if name in placed]))
    ]
    if joins:
        names = [name for name, _ in joins]
        yield lint(OUT_OF_LINE, "note", message(*joins[0], len(joins)), names)


def _placed(layer: Layer) -> Placed | None:
    """Where the units of a layer look; None for one without a place for each row and column."""
    sight = layer.sight
    placed = sight is not None and {"h", "w"} <= set(sight.layout)
    return Placed(sight.lengths, sight.fields) if sight and placed else None


def _useless_biases(
    record: Record, owners: dict[int, Layer], reads: dict[int, list[Operation]]
) -> Iterator[Lint]:
    """A note for all layers whose bias only batch normalisation reads, which subtracts it."""
    found: dict[int, tuple[Tensor, str]] = {}
    needed = {id(each) for each in tensors(record.result)}
    for operation in record.operations:
        place = {"convolution": 2, "addmm": 0}.get(operation.name)
        if place is None or id(operation) not in owners:
            continue
        bias = operation.arguments[place]
        if bias is None or not bias.requires_grad or bias.dim() != 1:
            continue
        result = operation.result
        readers = reads.get(id(result), [])
        normalised = readers and all("batch_norm" in reader.name for reader in readers)
        if normalised and record.training and id(result) not in needed:
            found.setdefault(id(bias), (bias, owners[id(operation)].name))
        else:
            needed.add(id(bias))
    useless = [(bias.numel(), name) for key, (bias, name) in found.items() if key not in needed]
    if useless:
        names = [name for _, name in useless]
        others = f", as in {times(len(names) - 1, 'layer')} more" if len(names) > 1 else ""
        count = times(sum(numbers for numbers, _ in useless), "parameter")
        yield lint(
            "useless bias",
            "note",
            f"{names[0]} adds a bias that the batch normalisation behind it subtracts{others}: "
            f"{count} without effect. Take bias=False",
            names,
        )
