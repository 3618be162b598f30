"""A 1×1 convolution as a fully connected layer at every pixel."""

from __future__ import annotations

from torch.nn import functional as F

from striate.equalities.case import Case, Equality, compare
from striate.equalities.im2col import filter_matrix
from striate.errors import UserError

STATEMENT = "a 1×1 convolution is a fully connected layer applied at every pixel"


def pointwise(case: Case) -> Equality:
    """Torch's 1×1 convolution, and torch's fully connected layer over the list of pixels.

    Matrices: `pixels` (H'·W')×C, a pixel in each row, those that a stride leaves out left out;
    `weights` out_channels×C. Raises UserError for a larger filter or with padding (Lin, Chen & Yan,
    arXiv 1312.4400).
    """
    rows, columns = case.axes
    if case.layer.kernel_size != (1, 1) or any((rows.before, columns.before)):
        height, width = case.layer.kernel_size
        raise UserError(
            f"this equality is about 1×1 filters without padding, and this one is {height}×{width} "
            f"with a padding of {rows.before}. Give one such as --layer conv1-4"
        )
    seen = case.image[:, :: rows.stride, :: columns.stride]
    pixels = seen.flatten(1).T
    weights = filter_matrix(case.weight, case.shape[0], case.groups)
    pair = compare(
        "output",
        "torch's convolution",
        case.by_torch,
        "fully connected, pixel by pixel",
        lambda: F.linear(pixels, weights, case.bias).T.reshape(case.output_shape),
    )
    return Equality("pointwise", STATEMENT, (pair,), {"pixels": pixels, "weights": weights})
