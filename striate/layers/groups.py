"""Quarter turns and mirrorings of an image: the groups p4 and p4m (Cohen & Welling 2016).

An element is a number. Elements 0 to 3 turn an image by that many quarter turns, counter-clockwise;
elements 4 to 7 first mirror it (left and right change places), then turn it by 0 to 3. p4 is the
first 4 elements, p4m all 8.

A layer over a group gives, for each of its features, one channel for each element, and these
channels stand together: channel `feature·order + element`. Element `g` of a feature answers to its
pattern turned by `g`. Turn the image by `u`, and every channel is turned by `u`, and what element
`g` had found is found by element `u·g`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

P4, P4M = 4, 8
"""The orders of the groups: how many elements each has."""


def combine(second: int, first: int) -> int:
    """The element that does what `first` and then `second` do."""
    turns, mirrored = first % 4, first // 4
    turns = second % 4 + (-turns if second >= 4 else turns)
    return turns % 4 + 4 * (mirrored ^ (second // 4))


def inverse(element: int) -> int:
    """The element that undoes this one. A mirroring undoes itself."""
    return element if element >= 4 else -element % 4


def turned(image: Tensor, element: int) -> Tensor:
    """Rows and columns (the last two axes) turned, after mirroring where the element mirrors."""
    mirrored = image.flip(-1) if element >= 4 else image
    return mirrored.rot90(element % 4, (-2, -1))
