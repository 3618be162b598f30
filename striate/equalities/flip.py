"""Correlation versus convolution: the same but for a filter turned by 180°."""

from __future__ import annotations

from torch import Tensor

from striate.equalities.case import Case, Equality, compare

STATEMENT = (
    "a convolution in the mathematical sense is the correlation that networks compute with the "
    "filter turned by 180°"
)


def flip(case: Case) -> Equality:
    """The sum that defines a convolution, and torch's layer with the filter turned by 180°.

    Both have the layer's stride, padding and dilation. Matrices: `filter`, `turned`, and for an
    image that is one 1 in the middle (`impulse`) what each gives: the `convolution` is the filter
    itself, the `correlation` the turned one.
    """
    turned = case.weight.flip(2, 3)
    pair = compare(
        "output",
        "convolution, by its definition",
        lambda: by_definition(case, case.image),
        "torch's layer, filter turned",
        lambda: case.by_torch(weight=turned),
    )
    impulse = case.image.new_zeros(case.shape)
    impulse[0, case.shape[1] // 2, case.shape[2] // 2] = 1
    bias = case.bias[:, None, None]
    matrices = {
        "filter": case.weight,
        "turned": turned,
        "impulse": impulse,
        "convolution": by_definition(case, impulse) - bias,
        "correlation": case.by_torch(impulse) - bias,
    }
    return Equality("flip", STATEMENT, (pair,), matrices)


def by_definition(case: Case, image: Tensor) -> Tensor:
    """`y[i, j] = Σ w[u, v] · x[i − u, j − v]`, channels added, at the places of the layer.

    An index that falls as the other grows is what turns the filter: where the layer's window
    begins, a convolution reads with the filter's last weight.
    """
    rows, columns = case.axes
    out_channels, height, width = case.output_shape
    _, reads, kernel_rows, kernel_columns = case.weight.shape
    each = out_channels // case.groups
    padded = case.padded(image)
    total = case.bias[:, None, None].repeat(1, height, width)
    for o in range(out_channels):
        first = o // each * reads
        for u in range(kernel_rows):
            top = (kernel_rows - 1 - u) * rows.dilation
            lines = padded[first : first + reads, top:][:, : (height - 1) * rows.stride + 1]
            for v in range(kernel_columns):
                left = (kernel_columns - 1 - v) * columns.dilation
                met = lines[:, :: rows.stride, left:][:, :, : (width - 1) * columns.stride + 1]
                weights = case.weight[o, :, u, v][:, None, None]
                total[o] += (weights * met[:, :, :: columns.stride]).sum(dim=0)
    return total
