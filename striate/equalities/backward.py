"""Both backward passes of a convolution as convolutions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.equalities.case import Case, Equality, compare
from striate.equalities.im2col import correlate
from striate.equalities.toeplitz import image_gradient

STATEMENT = (
    "the image's gradient is the output's gradient convolved with the filter turned by 180°, the "
    "weights' gradient is the image convolved with the output's gradient"
)


def backward(case: Case, gradient: Tensor) -> Equality:
    """Torch's backward passes, and the same by convolutions of the output's `gradient`.

    For the image: the gradient with stride − 1 zeros between its values, padded by what the filter
    reaches beyond the padding, under the filter turned by 180° with its in and out channels
    exchanged, stride 1. For the weights: the padded image under the gradient as a filter, whose
    dilation is the stride, moved in steps of the filter's dilation. For the bias: the gradient's
    sums. Matrices: `stretched`, `turned`, `padded` (Dumoulin & Visin, arXiv 1603.07285, chapter 4).
    """
    stretched, turned = _stretched(case, gradient), _turned(case)
    rows, columns = case.axes
    dilation = (rows.dilation, columns.dilation)
    image = compare(
        "image's gradient",
        "torch's backward pass",
        lambda: image_gradient(case, gradient),
        "gradient * turned filter",
        lambda: correlate(stretched, turned, dilation=dilation, groups=case.groups),
    )
    weight = compare(
        "weights' gradient",
        "torch's backward pass",
        lambda: _weight_gradient(case, gradient),
        "image * gradient",
        lambda: _weights_by_convolution(case, gradient),
    )
    bias = compare(
        "bias's gradient",
        "torch's backward pass",
        lambda: _bias_gradient(case, gradient),
        "sums of the gradient",
        lambda: gradient.sum(dim=(1, 2)),
    )
    matrices = {
        "gradient": gradient,
        "stretched": stretched,
        "turned": turned,
        "padded": case.padded(),
    }
    return Equality("backward", STATEMENT, (image, weight, bias), matrices)


def gradient_of(case: Case, seed: int) -> Tensor:
    """A gradient of the output in whole numbers, drawn from a seed."""
    generator = torch.Generator().manual_seed(seed + 1)
    return torch.randint(-3, 4, case.output_shape, generator=generator).to(case.image.dtype)


def _stretched(case: Case, gradient: Tensor) -> Tensor:
    """The output's gradient with zeros between and around; a negative border is cut off."""
    rows, columns = case.axes
    out_channels, height, width = gradient.shape
    apart = gradient.new_zeros(
        out_channels, (height - 1) * rows.stride + 1, (width - 1) * columns.stride + 1
    )
    apart[:, :: rows.stride, :: columns.stride] = gradient
    around = []
    for axis in (columns, rows):
        left_over = axis.room % axis.stride
        around += [axis.extent - 1 - axis.before, axis.extent - 1 - axis.after + left_over]
    return F.pad(apart, around)


def _turned(case: Case) -> Tensor:
    """The filters turned by 180°, in and out channels exchanged within each group."""
    out_channels, width, *size = case.weight.shape
    each = out_channels // case.groups
    grouped = case.weight.view(case.groups, each, width, *size).transpose(1, 2)
    return grouped.reshape(case.groups * width, each, *size).flip(2, 3)


def _weights_by_convolution(case: Case, gradient: Tensor) -> Tensor:
    """The padded image, channel by channel, under the output's gradient as a filter."""
    rows, columns = case.axes
    out_channels, width, height, length = case.weight.shape
    each = out_channels // case.groups
    padded = case.padded()
    found = torch.empty_like(case.weight)
    for channel in range(padded.shape[0]):
        group, c = divmod(channel, width)
        outs = slice(group * each, (group + 1) * each)
        moved = correlate(
            padded[channel : channel + 1],
            gradient[outs, None],
            stride=(rows.dilation, columns.dilation),
            dilation=(rows.stride, columns.stride),
        )
        found[outs, c] = moved[:, :height, :length]
    return found


def _weight_gradient(case: Case, gradient: Tensor) -> Tensor:
    weight = case.weight.clone().requires_grad_()
    (found,) = torch.autograd.grad(case.by_torch(weight=weight), weight, gradient)
    return found


def _bias_gradient(case: Case, gradient: Tensor) -> Tensor:
    bias = case.bias.clone().requires_grad_()
    output = Case(case.layer, case.image, case.weight, bias).by_torch()
    (found,) = torch.autograd.grad(output, bias, gradient)
    return found
