"""Cropping."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from striate import build, size
from striate.layers.base import SizeError
from striate.layers.cropping import Crop


@pytest.mark.parametrize(
    ("layer", "kept"),
    [
        (Crop((2, 2)), (slice(2, -2), slice(2, -2))),
        (Crop((1, 0), (0, 3)), (slice(1, None), slice(0, -3))),
        (Crop((0, 0)), (slice(None), slice(None))),
    ],
)
def test_it_takes_rows_and_columns_off(layer: Crop, kept: tuple[slice, slice]) -> None:
    image = torch.randn(2, 3, 8, 9, requires_grad=True)
    cropped = layer.module(((3, 8, 9),))(image)
    assert torch.equal(cropped, image[:, :, *kept])
    assert tuple(cropped.shape[1:]) == layer.output(((3, 8, 9),))
    cropped.sum().backward()
    assert image.grad is not None
    assert image.grad.sum() == cropped.numel()
    assert image.grad[:, :, *kept].min() == 1


def test_a_unit_reads_its_own_pixel(windows_are_right: Callable[..., None]) -> None:
    windows_are_right(Crop((1, 2), (3, 0)), (1, 6, 5))


def test_the_receptive_field_keeps_its_place() -> None:
    rows = size("input 1x20x20 -> conv3-1 -> crop4x1 a0 -> conv3-1").rows
    assert rows[1].receptive_field == rows[0].receptive_field == (3, 3)
    assert rows[1].start == (3, 0)
    assert rows[1].lost == (0, 0)
    assert rows[2].start == (2, -1)


def test_a_skip_connection_of_u_net_fits() -> None:
    """Ronneberger et al. 2015, figure 1: 64×64 cropped to 56×56."""
    text = "input 8x64x64 -> (crop4 | conv3-8 valid -> conv3-8 p0 -> crop2)"
    assert build(text)(torch.zeros(1, 8, 64, 64)).shape == (1, 16, 56, 56)


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(SizeError) as error:
        Crop((4, 1)).output(((3, 8, 9),))
    assert str(error.value) == (
        "this crop takes 8×2 rows and columns off an input of 8×9 and leaves nothing. Crop less, "
        "or shrink the image less before it"
    )
