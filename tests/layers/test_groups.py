"""The groups p4 and p4m, against matrices that turn and mirror the plane."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from striate.layers.groups import P4, P4M, combine, inverse, turned

TURN = np.array([[0, -1], [1, 0]])
MIRROR = np.array([[1, 0], [0, -1]])
POWERS = [np.linalg.matrix_power(TURN, turns) for turns in range(4)]
MATRICES = [*POWERS, *(power @ MIRROR for power in POWERS)]
"""What each element does to (row, column), counted from the image's middle, rows downwards."""


@pytest.mark.parametrize(("second", "first"), list(itertools.product(range(8), repeat=2)))
def test_combining_is_the_product_of_matrices(second: int, first: int) -> None:
    found = MATRICES[combine(second, first)]
    np.testing.assert_array_equal(found, MATRICES[second] @ MATRICES[first])


@pytest.mark.parametrize("order", [P4, P4M])
def test_they_are_groups(order: int) -> None:
    elements = set(range(order))
    for element in elements:
        assert {combine(element, other) for other in elements} == elements
        assert combine(inverse(element), element) == combine(element, inverse(element)) == 0


@pytest.mark.parametrize("element", range(8))
def test_an_image_is_turned_as_its_matrix_says(element: int) -> None:
    image = torch.arange(25).reshape(5, 5)
    found = turned(image, element)
    for row, column in itertools.product(range(-2, 3), repeat=2):
        to = (MATRICES[element] @ (row, column)).astype(int) + 2
        assert found[*to] == image[row + 2, column + 2]
