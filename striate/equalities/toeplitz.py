"""A convolution as a product with one large, sparse matrix: doubly blocked Toeplitz."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.equalities.case import Case, Equality, compare, refuse_large
from striate.layers import product

STATEMENT = (
    "a convolution is a product with a doubly blocked Toeplitz matrix, and its backward pass one "
    "with that matrix transposed"
)


def toeplitz(case: Case) -> Equality:
    """Torch's convolution, and the product of its matrix with the image as one column.

    The second pair is the backward pass: a gradient of ones through torch, and the transposed
    matrix times a column of ones. Matrices: `matrix` (out_channels·H'·W')×(C·H·W), `image` and
    `output` as columns, without bias. Raises UserError when the matrix would have more than 20
    million entries (Goodfellow, Bengio & Courville 2016, section 9.1).
    """
    matrix = toeplitz_matrix(case)
    image = case.image.reshape(-1)
    forward = compare(
        "output",
        "torch's convolution",
        case.by_torch,
        "matrix · image",
        lambda: (matrix @ image).view(case.output_shape) + case.bias[:, None, None],
    )
    ones = torch.ones(case.output_shape, dtype=image.dtype)
    backward = compare(
        "image's gradient",
        "torch's backward pass",
        lambda: image_gradient(case, ones),
        "matrixᵀ · gradient",
        lambda: (matrix.T @ ones.reshape(-1)).view(case.shape),
    )
    matrices = {"matrix": matrix, "image": image[:, None], "output": (matrix @ image)[:, None]}
    return Equality("toeplitz", STATEMENT, (forward, backward), matrices)


def toeplitz_matrix(case: Case) -> Tensor:
    """The matrix of a convolution without its bias: (out_channels·H'·W')×(C·H·W).

    Entry ((o, i, j), (c, r, s)) is the weight that output (o, i, j) gives to pixel (c, r, s). With
    stride 1 it depends on r − i and s − j alone: Toeplitz blocks in a Toeplitz arrangement.
    """
    outputs, inputs = case.output_shape, case.shape
    refuse_large("Toeplitz", (product(outputs), product(inputs)))
    matrix = case.image.new_zeros(*outputs, *inputs)
    rows, columns = case.axes
    out_channels, width, *kernel_size = case.weight.shape
    each = out_channels // case.groups
    for u in range(kernel_size[0]):
        i, r = _meetings(rows.before, rows.stride, u * rows.dilation, outputs[1], inputs[1])
        for v in range(kernel_size[1]):
            j, s = _meetings(
                columns.before, columns.stride, v * columns.dilation, outputs[2], inputs[2]
            )
            for o in range(out_channels):
                for c in range(width):
                    channel = o // each * width + c
                    matrix[o, i[:, None], j, channel, r[:, None], s] = case.weight[o, c, u, v]
    return matrix.view(product(outputs), product(inputs))


def _meetings(
    before: int, stride: int, reach: int, outputs: int, inputs: int
) -> tuple[Tensor, Tensor]:
    """The outputs that meet a real pixel with one tap of the filter, and those pixels."""
    units = torch.arange(outputs)
    pixels = units * stride - before + reach
    inside = (pixels >= 0) & (pixels < inputs)
    return units[inside], pixels[inside]


def image_gradient(case: Case, gradient: Tensor) -> Tensor:
    """What torch's backward pass gives for the image, from a gradient of the output."""
    image = case.image.clone().requires_grad_()
    (found,) = torch.autograd.grad(case.by_torch(image), image, gradient)
    return found
