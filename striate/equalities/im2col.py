"""A convolution as one matrix product: filters times the unrolled patches (im2col)."""

from __future__ import annotations

import torch
from torch import Tensor

from striate.equalities.case import Case, Equality, compare, refuse_large
from striate.layers import Pair, product

STATEMENT = "a convolution is one matrix product: its filters times the unrolled patches"


def im2col(case: Case) -> Equality:
    """Torch's convolution, and the product of the filters with the patches.

    Matrices: `filters` out_channels×(C·kh·kw), zero where a group does not read a channel;
    `patches` (C·kh·kw)×(H'·W'), a column for each output; `product` out_channels×(H'·W'). Raises
    UserError when the patches would be more than 20 million values (Chellapilla et al. 2006).
    """
    kernel_size = case.layer.kernel_size
    refuse_large("patches", (case.shape[0] * product(kernel_size), product(case.output_shape[1:])))
    rows, columns = case.axes
    patches = unroll(
        case.padded(),
        kernel_size,
        (rows.stride, columns.stride),
        (rows.dilation, columns.dilation),
    )
    filters = filter_matrix(case.weight, case.shape[0], case.groups)
    pair = compare(
        "output",
        "torch's convolution",
        case.by_torch,
        "filters · patches",
        lambda: (filters @ patches + case.bias[:, None]).view(case.output_shape),
    )
    matrices = {"filters": filters, "patches": patches, "product": filters @ patches}
    return Equality("im2col", STATEMENT, (pair,), matrices)


def unroll(image: Tensor, kernel_size: Pair, stride: Pair, dilation: Pair) -> Tensor:
    """The patches that a filter meets as columns: C×H×W to (C·kh·kw)×(H'·W'), without padding.

    Rows are ordered by channel, then row, then column of the filter; columns by output.
    """
    taps = []
    for size, k, s, d in zip(image.shape[1:], kernel_size, stride, dilation, strict=True):
        positions = (size - d * (k - 1) - 1) // s + 1
        taps.append(torch.arange(positions)[:, None] * s + torch.arange(k) * d)  # H'×kh
    rows, columns = taps
    found = image[:, rows[:, None, :, None], columns[None, :, None, :]]  # C×H'×W'×kh×kw
    return found.permute(0, 3, 4, 1, 2).reshape(
        image.shape[0] * product(kernel_size), rows.shape[0] * columns.shape[0]
    )


def filter_matrix(weight: Tensor, in_channels: int, groups: int) -> Tensor:
    """A filter in each row, over all channels: zero where its group does not read one."""
    out_channels, width, *size = weight.shape
    whole = weight.new_zeros(out_channels, in_channels, *size)
    each = out_channels // groups
    for group in range(groups):
        outs, ins = (
            slice(group * each, (group + 1) * each),
            slice(group * width, (group + 1) * width),
        )
        whole[outs, ins] = weight[outs]
    return whole.flatten(1)


def correlate(
    image: Tensor, weight: Tensor, stride: Pair = (1, 1), dilation: Pair = (1, 1), groups: int = 1
) -> Tensor:
    """A convolution as this product alone: C×H×W to out_channels×H'×W', no padding, no bias."""
    kernel_size = (weight.shape[2], weight.shape[3])
    patches = unroll(image, kernel_size, stride, dilation)
    height = (image.shape[1] - dilation[0] * (kernel_size[0] - 1) - 1) // stride[0] + 1
    product_ = filter_matrix(weight, image.shape[0], groups) @ patches
    return product_.view(weight.shape[0], height, -1)
