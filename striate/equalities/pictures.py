"""Each equality as a picture that a teacher can put on a slide."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hls_to_rgb

import torch
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
"""Those of a 3×3 filter; larger ones take theirs from all around the circle."""
_CELL = 22.0
_WIDEST = 620.0
_MOST_ROWS = 14
_MOST_BEHIND = 3


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
            _volume(case.padded(), f"image {_size(case)}", marked=taps),
            sign("*"),
            _volume(case.weight[:, 0], "filters"),
            sign("="),
            _volume(
                product.view(case.output_shape),
                "output before the bias",
                marked=[divmod(step, case.output_shape[2])],
            ),
        ],
        20,
    )
    return slide("im2col", found.statement, [given, whole], _outcome(found))


def toeplitz(case: Case, found: Equality) -> Scene:
    """The matrix with a colour for each weight, times the image as a column."""
    matrix = found.matrices["matrix"]
    taps = _which_weight(case).int().tolist()
    cell = _cell(matrix.shape[1] + 8)
    size = case.weight.shape[3]
    colours = (*_colours(case.weight[0, 0].numel()), "#ffffff")
    named = f"matrix {show(tuple(matrix.shape))}: a colour for each place in the filter"
    blocks = (case.output_shape[2], case.shape[2])
    given = row(
        [
            cells(
                case.weight[0, 0],
                "filter",
                _CELL,
                colour=lambda i, j: colours[i * size + j],
                faint=False,
            ),
            sign("over", 12),
            _volume(case.image, f"image {_size(case)}"),
        ],
        20,
    )
    large = cells(matrix, named, cell, colour=lambda i, j: colours[taps[i][j]], blocks=blocks)
    product = row(
        [
            stacked([given, large], 30),
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
            _volume(found.matrices["gradient"], "gradient of the output"),
            _volume(case.weight[0], "filter"),
        ],
        30,
    )
    first = row(
        [
            _volume(found.matrices["stretched"], "the gradient, zeros between and around"),
            sign("*"),
            _volume(found.matrices["turned"][0], "filter, turned"),
            sign("="),
            _volume(image.right, "gradient of the image"),
        ]
    )
    second = row(
        [
            _volume(found.matrices["padded"], "the image with its padding"),
            sign("*"),
            cells(apart, "the gradient as a filter", _CELL),
            sign("="),
            _volume(weight.right[0], "gradient of the weights"),
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
            cells(found.matrices["weights"], "weights", _CELL),
            sign("·"),
            cells(pixel, "pixel", _CELL, marked=[(i, 0) for i in range(len(pixel))]),
            sign("+"),
            cells(case.bias[:, None], "bias", _CELL),
            sign("="),
            cells(output[:, middle[0], middle[1]][:, None], "output", _CELL),
        ]
    )
    volumes = row(
        [
            _volume(case.image, f"image {_size(case)}", marked=[read]),
            sign("→"),
            _volume(output, f"output {show(tuple(output.shape))}", marked=[middle]),
        ],
        20,
    )
    return slide("1×1 convolution", found.statement, [volumes, product], _outcome(found))


def flip(case: Case, found: Equality) -> Scene:
    """What a single 1 becomes under both, and the two filters."""
    matrices = found.matrices
    impulse = cells(matrices["impulse"][0], "image: a single 1", _CELL)
    convolution = row(
        [
            impulse,
            sign("*"),
            cells(matrices["filter"][0, 0], "filter", _CELL),
            sign("="),
            cells(matrices["convolution"][0], "convolution: the filter itself", _CELL),
        ]
    )
    correlation = row(
        [
            impulse,
            sign("*"),
            cells(matrices["filter"][0, 0], "filter", _CELL),
            sign("="),
            cells(matrices["correlation"][0], "correlation: the filter turned", _CELL),
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
    return max(3.0, min(_CELL, _WIDEST / columns))


def _volume(tensor: Tensor, name: str, marked: Sequence[tuple[int, int]] = ()) -> Tile:
    """A volume: its channels under each other if they are few, else the first before the others."""
    channels, height, width = tensor.shape
    cell = min(_CELL, _WIDEST / 2 / max(height, width))
    if channels * height <= _MOST_ROWS:
        names = [name, *[""] * (channels - 1)]
        tiles = zip(tensor, names, strict=True)
        return stacked([cells(channel, text, cell, marked=marked) for channel, text in tiles])
    named = f"{name}, 1 of {channels}" if channels > 1 else name
    return cells(tensor[0], named, cell, marked=marked, behind=min(channels - 1, _MOST_BEHIND))


def _taps(case: Case, step: int) -> list[tuple[int, int]]:
    """The places of the padded image that one output reads."""
    rows, columns = case.axes
    i, j = divmod(step, case.output_shape[2])
    return [
        (i * rows.stride + u * rows.dilation, j * columns.stride + v * columns.dilation)
        for u in range(rows.kernel_size)
        for v in range(columns.kernel_size)
    ]


def _colours(count: int) -> tuple[str, ...]:
    """So many colours that neighbours are told apart."""
    if count <= len(_COLOURS):
        return _COLOURS[:count]
    around = (hls_to_rgb(0.618 * index % 1, 0.75, 0.7) for index in range(count))
    return tuple("#" + "".join(f"{round(255 * c):02x}" for c in colour) for colour in around)


def _which_weight(case: Case) -> Tensor:
    """The index of the weight of a filter at each entry of the Toeplitz matrix, or −1."""
    index = torch.ones_like(case.weight).flatten(2).cumsum(2).view_as(case.weight)
    numbered = Case(case.layer, case.image, index, case.bias)
    return toeplitz_matrix(numbered) - 1
