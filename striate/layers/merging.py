"""Where branches meet. These have no word of their own: the text writes `(a | b)`, `(a + b)` and
`(a * b)`."""

from __future__ import annotations

from typing import ClassVar

from striate.layers.base import Layer, MismatchError, Role, Shape, SizeError, show


class Concat(Layer):
    """Depth concatenation: channels add up, height and width must agree (Szegedy et al. 2014)."""

    words: ClassVar[tuple[str, ...]] = ("concat",)
    role: ClassVar[Role] = "merge"
    example: ClassVar[str] = "(conv1-64 | conv3-64)"
    summary: ClassVar[str] = "branches side by side, joined along depth"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        _same_rank(inputs)
        if any(shape[1:] != inputs[0][1:] for shape in inputs):
            raise SizeError(
                "branches joined along depth must agree in height and width, but they give "
                f"{_list(inputs)}. {_spatial_fix(inputs)}"
            )
        return sum(shape[0] for shape in inputs), *inputs[0][1:]


class Add(Layer):
    """The sum of volumes of one shape: a residual connection (He et al. 2015)."""

    words: ClassVar[tuple[str, ...]] = ("add",)
    role: ClassVar[Role] = "merge"
    example: ClassVar[str] = "(conv3-64 + id)"
    summary: ClassVar[str] = "branches added, value by value"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        _same_rank(inputs)
        if any(shape[1:] != inputs[0][1:] for shape in inputs):
            raise SizeError(
                "branches that are added must have one shape, but they give "
                f"{_list(inputs)}. {_spatial_fix(inputs)}"
            )
        if any(shape != inputs[0] for shape in inputs):
            raise MismatchError(
                "branches that are added must have one shape, but they give "
                f"{_list(inputs)}. End each with the same number of channels; a shortcut can be "
                f"conv1-{inputs[0][0]} in place of id"
            )
        return inputs[0]


class Multiply(Layer):
    """The product of volumes, value by value: a gate (Hu et al. 2017, squeeze-and-excitation).

    A branch of C×1×1, or a vector of C values, counts at every row and column of the others.
    Products of two activations that are not summed are no MACs.
    """

    words: ClassVar[tuple[str, ...]] = ("multiply",)
    role: ClassVar[Role] = "merge"
    example: ClassVar[str] = "(id * gap -> conv1-64 -> sigmoid)"
    summary: ClassVar[str] = "branches multiplied, value by value"

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        largest = max(inputs, key=lambda shape: (len(shape), shape[1:]))
        if any(_size(shape) not in ((1, 1), _size(largest)) for shape in inputs):
            raise SizeError(
                "branches that are multiplied must agree in height and width, or be 1×1, but they "
                f"give {_list(inputs)}. {_spatial_fix(inputs)}"
            )
        if any(shape[0] != largest[0] for shape in inputs):
            raise MismatchError(
                "branches that are multiplied must have the same number of channels, but they "
                f"give {_list(inputs)}. End each with as many; a gate can end with "
                f"conv1-{largest[0]} -> sigmoid"
            )
        return largest


def _size(shape: Shape) -> Shape:
    """Height and width; 1×1 for a vector."""
    return shape[1:] or (1, 1)


def _list(inputs: tuple[Shape, ...]) -> str:
    *first, last = (show(shape) for shape in inputs)
    return f"{', '.join(first)} and {last}"


def _same_rank(inputs: tuple[Shape, ...]) -> None:
    if len({len(shape) for shape in inputs}) > 1:
        raise MismatchError(
            f"branches that meet must all be volumes or all be vectors, but they give "
            f"{_list(inputs)}. An fc flattens its input: use conv1-N to keep the image, "
            "or end every branch with an fc or flatten"
        )


def _spatial_fix(inputs: tuple[Shape, ...]) -> str:
    sizes = [shape[1:] for shape in inputs]
    largest = max(sizes)
    for size in sizes:
        ratio = -(-largest[0] // size[0]) if size else 1
        if ratio > 1 and all(-(-n // ratio) == m for n, m in zip(largest, size, strict=True)):
            return f"Give every branch the same stride: the larger one needs /{ratio}"
    return "Give every branch the same padding and stride, for example same padding"
