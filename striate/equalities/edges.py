"""What an edge filter shows of a photograph."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from striate.equalities.case import Equality, compare

STATEMENT = (
    "the edge filter takes nine times a pixel less the sum of its neighbourhood: nothing where the "
    "picture is even, much where it changes"
)
EDGE = ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))
LARGEST_SIDE = 384


def edges(picture: Tensor) -> Equality:
    """Torch's convolution with the edge filter, and nine times each pixel less the sums around it.

    `picture` is H×W with values from 0 to 255; the border is repeated outwards. The sums come from
    cumulative sums, not from a convolution. Matrices: `picture`, `filter`, `edges`.
    """
    bordered = F.pad(picture[None, None], (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor(EDGE, dtype=picture.dtype)
    pair = compare(
        "edges",
        "torch's convolution",
        lambda: F.conv2d(bordered, kernel[None, None])[0, 0],
        "9 · pixel − sum of 3×3",
        lambda: 9 * picture - _sums(bordered[0, 0]),
    )
    matrices = {"picture": picture, "filter": kernel, "edges": pair.left}
    return Equality("edges", STATEMENT, (pair,), matrices)


def _sums(bordered: Tensor) -> Tensor:
    """The sum of each 3×3 neighbourhood, by differences of cumulative sums (Crow 1984)."""
    table = F.pad(bordered.cumsum(0).cumsum(1), (1, 0, 1, 0))
    return table[3:, 3:] - table[:-3, 3:] - table[3:, :-3] + table[:-3, :-3]


def grey_picture(path: str | Path) -> Tensor:
    """A photograph in grey as a person sees it, H×W, at most 384 pixels a side, in float64.

    Raises UserError when it cannot be read.
    """
    from striate.data.pictures import Preprocess, picture_shape, read_picture

    _, height, width = picture_shape(path)
    smaller = min(1.0, LARGEST_SIDE / max(height, width))
    size = (max(1, round(height * smaller)), max(1, round(width * smaller)))
    pixels = read_picture(path, Preprocess(1, *size, fit="stretch"))
    return torch.from_numpy(pixels[:, :, 0].copy()).double()


def drawn_picture() -> Tensor:
    """A picture made of even areas, a soft slope and a fine pattern: 160×240, values 0 to 255."""
    rows, columns = torch.meshgrid(torch.arange(160.0), torch.arange(240.0), indexing="ij")
    picture = 150 + 90 * rows / 160
    picture[(rows - 45) ** 2 + (columns - 185) ** 2 < 26**2] = 250
    hill = 122 + 14 * torch.sin(columns / 37 + 2.2)
    picture = torch.where(rows > hill, 95 - 20 * (rows - hill) / 60, picture)
    wall = (rows > 78) & (rows < 138) & (columns > 46) & (columns < 122)
    picture[wall] = 205
    roof = (rows > 44) & (rows <= 78) & ((columns - 84).abs() < 1.35 * (rows - 44))
    picture[roof] = 70
    picture[(rows > 98) & (rows < 138) & (columns > 74) & (columns < 94)] = 40
    for left in (54, 100):
        window = (rows > 92) & (rows < 110) & (columns > left) & (columns < left + 15)
        picture[window] = 40
        bars = window & ((rows == 101) | (columns == left + 8))
        picture[bars] = 205
    fence = (rows > 138) & (rows < 156) & (columns > 140) & (columns % 8 < 3)
    picture[fence] = 225
    return picture.round().clamp(0, 255).double()
