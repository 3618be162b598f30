"""Each equality as a picture that a teacher can put on a slide."""

from __future__ import annotations

from torch import Tensor

from striate.drawing.scene import Scene
from striate.equalities.case import Case, Equality
from striate.equalities.cells import Tile, cells, photograph, row, sign, slide, stacked
from striate.equalities.toeplitz import toeplitz_matrix
from striate.equalities.translation import STEPS
from striate.layers import show

_COLOURS = (
    *("#8ec5ef", "#f5b878", "#9ad9b4", "#d9a5d3", "#f2e07c", "#b3b6e8", "#ef9a8f", "#a9dede"),
    "#cfc4a3",
)
_MOST_CHANNELS = 4
_WIDEST = 620.0


def im2col(case: Case, found: Equality) -> Scene:
    """The image with one window framed, its patch as a column, and the product."""
    patches, filters = found.matrices["patches"], found.matrices["filters"]
    step = patches.shape[1] // 2
    taps = _taps(case, step)
    product = found.matrices["product"]
    cell = _cell(filters.shape[1] + 2 * patches.shape[1] + 4)
    column = [(i, step) for i in range(patches.shape[0])]
    whole = row(
        [
            cells(filters, f"filters {show(tuple(filters.shape))}", cell),
            sign("·"),
            cells(patches, f"patches {show(tuple(patches.shape))}", cell, marked=column),
            sign("="),
            cells(
                product,
                f"product {show(tuple(product.shape))}",
                cell,
                marked=[(i, step) for i in range(product.shape[0])],
            ),
        ]
    )
    given = row(
        [
            _volume(case.padded(), f"image {_size(case)}", 22, marked=taps),
            sign("*"),
            _volume(case.weight[:, 0], "filters", 22),
            sign("="),
            _volume(
                product.view(case.output_shape),
                "output before the bias",
                22,
                marked=[divmod(step, case.output_shape[2])],
            ),
        ],
        20,
    )
    return slide("im2col", found.statement, [given, whole], _outcome(found))


def toeplitz(case: Case, found: Equality) -> Scene:
    """The matrix with a colour for each weight, times the image as a column."""
    matrix = found.matrices["matrix"]
    taps = _which_weight(case)
    cell = _cell(matrix.shape[1] + 8)

    def colour(i: int, j: int) -> str:
        which = int(taps[i, j])
        return _COLOURS[which % len(_COLOURS)] if which >= 0 else "#ffffff"

    size = case.weight.shape[3]

    def filter_colour(i: int, j: int) -> str:
        return _COLOURS[(i * size + j) % len(_COLOURS)]

    named = f"matrix {show(tuple(matrix.shape))}: a colour for each weight"
    blocks = (case.output_shape[2], case.shape[2])
    given = row(
        [
            cells(case.weight[0, 0], "filter", 22, colour=filter_colour, faint=False),
            sign("over", 12),
            _volume(case.image, f"image {_size(case)}", 22),
        ],
        20,
    )
    product = row(
        [
            stacked([given, cells(matrix, named, cell, colour=colour, blocks=blocks)], 30),
            sign("·"),
            cells(found.matrices["image"], "image", cell),
            sign("="),
            cells(found.matrices["output"], "output", cell),
        ]
    )
    return slide("The Toeplitz matrix", found.statement, [product], _outcome(found))


def backward(case: Case, found: Equality) -> Scene:
    """Both gradients as convolutions of small grids."""
    image, weight, _ = found.pairs
    rows, columns = case.axes
    apart = found.matrices["gradient"].new_zeros(
        (found.matrices["gradient"].shape[1] - 1) * rows.stride + 1,
        (found.matrices["gradient"].shape[2] - 1) * columns.stride + 1,
    )
    apart[:: rows.stride, :: columns.stride] = found.matrices["gradient"][0]
    given = row(
        [
            _volume(found.matrices["gradient"], "gradient of the output", 22),
            cells(case.weight[0, 0], "filter", 22),
        ],
        30,
    )
    first = row(
        [
            _volume(found.matrices["stretched"], "the gradient, zeros between and around", 22),
            sign("*"),
            cells(found.matrices["turned"][0, 0], "filter, turned", 22),
            sign("="),
            _volume(image.right, "gradient of the image", 22),
        ]
    )
    second = row(
        [
            _volume(found.matrices["padded"], "the image with its padding", 22),
            sign("*"),
            cells(apart, "the gradient as a filter", 22),
            sign("="),
            cells(weight.right[0, 0], "gradient of the weights", 22),
        ]
    )
    return slide(
        "Backward is a convolution", found.statement, [given, first, second], _outcome(found)
    )


def pointwise(case: Case, found: Equality) -> Scene:
    """One pixel as a column through the layer's matrix."""
    output = found.pairs[0].left
    middle = (output.shape[1] // 2, output.shape[2] // 2)
    index = middle[0] * output.shape[2] + middle[1]
    pixel = found.matrices["pixels"][index][:, None]
    rows, columns = case.axes
    read = (middle[0] * rows.stride, middle[1] * columns.stride)
    product = row(
        [
            cells(found.matrices["weights"], "weights", 22),
            sign("·"),
            cells(pixel, "pixel", 22, marked=[(i, 0) for i in range(len(pixel))]),
            sign("+"),
            cells(case.bias[:, None], "bias", 22),
            sign("="),
            cells(output[:, middle[0], middle[1]][:, None], "output", 22),
        ]
    )
    volumes = row(
        [
            _volume(case.image, f"image {_size(case)}", 22, marked=[read]),
            sign("→"),
            _volume(output, f"output {show(tuple(output.shape))}", 22, marked=[middle]),
        ],
        20,
    )
    return slide("1×1 convolution", found.statement, [volumes, product], _outcome(found))


def flip(case: Case, found: Equality) -> Scene:
    """What a single 1 becomes under both, and the two filters."""
    matrices = found.matrices
    impulse = cells(matrices["impulse"][0], "image: a single 1", 22)
    convolution = row(
        [
            impulse,
            sign("*"),
            cells(matrices["filter"][0, 0], "filter", 22),
            sign("="),
            cells(matrices["convolution"][0], "convolution: the filter itself", 22),
        ]
    )
    correlation = row(
        [
            impulse,
            sign("*"),
            cells(matrices["filter"][0, 0], "filter", 22),
            sign("="),
            cells(matrices["correlation"][0], "correlation: the filter turned", 22),
        ]
    )
    return slide(
        "Convolution and correlation",
        found.statement,
        [convolution, correlation],
        _outcome(found),
    )


def translation(case: Case, found: Equality) -> Scene:
    """The image and the moved image, and what the layer makes of both."""
    matrices = found.matrices
    cell = _cell(2 * case.shape[2] + 4)
    inside = [(i, j) for i, j in matrices["inside"].nonzero().tolist()]
    outside = [(i - STEPS[0], j - STEPS[1]) for i, j in inside]
    images = [("image", "image"), ("moved", "the image moved")]
    outputs = [("before", "its output", outside), ("after", "its output has moved with it", inside)]
    rows = [
        row(
            [
                cells(matrices[first][0], one, cell),
                sign("→"),
                cells(matrices[second][0], other, cell, marked=framed),
            ]
        )
        for (first, one), (second, other, framed) in zip(images, outputs, strict=True)
    ]
    return slide("Translation", found.statement, rows, _outcome(found))


def edges(found: Equality) -> Scene:
    """The photograph, the filter, and where it finds edges."""
    picture, result = found.matrices["picture"], found.matrices["edges"]
    width = min(420.0, 420.0 * picture.shape[1] / picture.shape[0])
    strength = result.abs()
    ordered = strength.flatten().sort().values
    bright = max(1.0, float(ordered[int(0.99 * (len(ordered) - 1))]))
    tiles = row(
        [
            photograph(picture, "picture", width),
            sign("*"),
            cells(found.matrices["filter"], "filter", 26),
            sign("="),
            photograph(255 - strength * 255 / bright, "edges: dark where it changes", width),
        ]
    )
    return slide("Edges", found.statement, [tiles], _outcome(found))


def _outcome(found: Equality) -> str:
    largest = max(pair.difference for pair in found.pairs)
    verdict = "equal" if found.equal else "NOT EQUAL"
    return f"{verdict}: the largest difference is {largest:.3g}"


def _size(case: Case) -> str:
    return show(case.shape)


def _cell(columns: int) -> float:
    return max(3.0, min(22.0, _WIDEST / columns))


def _volume(
    tensor: Tensor,
    name: str,
    cell: float,
    marked: list[tuple[int, int]] | None = None,
) -> Tile:
    """The first channels of a volume under each other."""
    smaller = min(cell, _WIDEST / 2 / max(tensor.shape[1:]))
    shown = list(tensor[:_MOST_CHANNELS])
    more = len(tensor) - len(shown)
    title = f"{name}, {len(shown)} of {len(tensor)} channels" if more else name
    return stacked(
        [
            cells(channel, title if index == 0 else "", smaller, marked=marked or ())
            for index, channel in enumerate(shown)
        ]
    )


def _taps(case: Case, step: int) -> list[tuple[int, int]]:
    """The places of the padded image that one output reads."""
    rows, columns = case.axes
    i, j = divmod(step, case.output_shape[2])
    return [
        (i * rows.stride + u * rows.dilation, j * columns.stride + v * columns.dilation)
        for u in range(rows.kernel_size)
        for v in range(columns.kernel_size)
    ]


def _which_weight(case: Case) -> Tensor:
    """The index of the weight of a filter at each entry of the Toeplitz matrix, or −1."""
    size = case.weight[0, 0].numel()
    index = (case.weight.new_ones(case.weight.shape).flatten(2).cumsum(2)).view_as(case.weight)
    numbered = Case(case.layer, case.image, index, case.bias)
    return (toeplitz_matrix(numbered) - 1).clamp(max=size - 1)
