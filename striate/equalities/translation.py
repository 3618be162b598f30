"""Translation: a convolution moves with its image, and a global mean does not move at all."""

from __future__ import annotations

from torch import Tensor

from striate.equalities.case import Case, Equality, compare
from striate.errors import UserError
from striate.layers import Pair
from striate.layers.windows import Axis

STATEMENT = (
    "a convolution of a moved image is the moved convolution, away from the borders and for steps "
    "that are multiples of the stride; the mean over all places stays"
)
STEPS: Pair = (1, 2)
"""By how many outputs the picture is moved, down and to the right."""


def translation(case: Case) -> Equality:
    """The layer over the moved image, and the moved output of the layer over the image.

    The image is moved by `STEPS` times the stride, zeros follow. The first pair compares the
    outputs whose windows lie within the image before and after; the second the means of each
    channel for an image that is zero near the borders, as global average pooling sees it. Matrices:
    that `image`, the `moved` one, their outputs `before` and `after` without bias, and `inside`,
    1 where the first pair compares.
    Raises UserError when the image is too small to be moved.
    """
    rows, columns = case.axes
    down, right = STEPS[0] * rows.stride, STEPS[1] * columns.stride
    image = _only(case.image, _kept(rows, down), _kept(columns, right))
    moved = shift(image, down, right)
    where = tuple(
        _inside(axis, positions, step)
        for axis, positions, step in zip(case.axes, case.output_shape[1:], STEPS, strict=True)
    )
    lines, places = where
    whole = case.image
    pair = compare(
        "output, away from the borders",
        "torch's convolution of the moved image",
        lambda: case.by_torch(shift(whole, down, right))[:, lines, places],
        "the moved output",
        lambda: shift(case.by_torch(whole), *STEPS)[:, lines, places],
    )
    mean = compare(
        "means over all places",
        "of the moved image's output",
        lambda: case.by_torch(moved).mean(dim=(1, 2)),
        "of the image's output",
        lambda: case.by_torch(image).mean(dim=(1, 2)),
    )
    inside = image.new_zeros(case.output_shape[1:])
    inside[lines, places] = 1
    bias = case.bias[:, None, None]
    matrices = {
        "image": image,
        "moved": moved,
        "before": case.by_torch(image) - bias,
        "after": case.by_torch(moved) - bias,
        "inside": inside,
    }
    return Equality("translation", STATEMENT, (pair, mean), matrices)


def shift(image: Tensor, down: int, right: int) -> Tensor:
    """The image moved down and to the right, zeros behind it."""
    moved = image.new_zeros(image.shape)
    height, width = image.shape[1:]
    moved[:, down:, right:] = image[:, : max(0, height - down), : max(0, width - right)]
    return moved


def _inside(axis: Axis, positions: int, step: int) -> slice:
    """The outputs whose windows read only what the image and the moved one share."""
    first = step - (-axis.before // axis.stride)
    last = (axis.size + axis.before - axis.extent) // axis.stride
    return _some(slice(first, min(positions, last + 1)), axis)


def _kept(axis: Axis, moved: int) -> slice:
    """The rows that every window meets which could, before and after they are moved."""
    last_start = axis.room // axis.stride * axis.stride - axis.before
    first = max(0, axis.extent - 1 - axis.before)
    return _some(slice(first, min(axis.size, last_start + 1) - moved), axis)


def _some(found: slice, axis: Axis) -> slice:
    if found.start >= found.stop:
        raise UserError(
            f"an image of {axis.size} rows or columns is too small to be moved under a filter of "
            f"{axis.extent} with stride {axis.stride}. Give a larger --input, such as 1x16x16"
        )
    return found


def _only(image: Tensor, rows: slice, columns: slice) -> Tensor:
    """The image with zeros outside of some rows and columns."""
    kept = image.new_zeros(image.shape)
    kept[:, rows, columns] = image[:, rows, columns]
    return kept
