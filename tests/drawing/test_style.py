from itertools import combinations
from math import dist

import pytest

from striate.drawing.style import LOOKS, shade

# Machado, Oliveira & Fernandes 2009, table 1, severity 1: what a reader without one kind of cone
# sees, on linear RGB.
VISION = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _lab(colour, vision):
    """CIE L*a*b* of a colour as seen."""
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    seen = [min(1, max(0, v)) for v in _times(VISION[vision], linear)]
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (v / white for v, white in zip(_times(XYZ, seen), (0.9505, 1, 1.089), strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("vision", VISION)
def test_kinds_can_be_told_apart(vision):
    """A difference of 2.3 is just noticeable; apart in a picture several times that is needed."""
    for one, other in combinations(LOOKS, 2):
        assert dist(_lab(one.fill, vision), _lab(other.fill, vision)) > 14, (one, other)


def test_shades():
    assert shade("#808080", 0.5) == "#c0c0c0"
    assert shade("#808080", -0.5) == "#404040"
    assert shade("#123456", 0) == "#123456"
