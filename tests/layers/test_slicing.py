"""Some of the channels."""

from __future__ import annotations

import pytest
import torch

from striate import build, size
from striate.layers import MismatchError
from striate.layers.slicing import Slice


@pytest.mark.parametrize(("first", "count"), [(0, 2), (3, 2), (0, 5), (4, 1)])
def test_it_takes_neighbouring_channels(first: int, count: int) -> None:
    layer, volume = Slice(first, count), (5, 3, 2)
    image = torch.randn(2, *volume, dtype=torch.float64, requires_grad=True)
    module = layer.module((volume,))
    assert torch.equal(module(image), image[:, first : first + count])
    assert layer.output((volume,)) == (count, 3, 2)
    assert torch.autograd.gradcheck(module, (image,))


def test_a_split_put_together_again_is_the_volume() -> None:
    """Ma et al. 2018, figure 3: split, work on one part, concatenate, shuffle."""
    image = torch.randn(2, 6, 4, 4)
    network = build("input 6x4x4 -> (slice0-3 | slice3-3)", seed=0)
    assert torch.equal(network(image), image)
    unit = "(slice0-3 | slice3-3 -> conv1-3 -> relu) -> shuffle2"
    rows = size(f"input 6x4x4 -> conv3-6 -> {unit}").rows
    assert rows[-1].output == (6, 4, 4)
    assert rows[-1].receptive_field == (3, 3)


def test_channels_that_are_not_there() -> None:
    with pytest.raises(MismatchError) as error:
        Slice(4, 3).output(((6, 5, 5),))
    assert str(error.value) == (
        "slice4-3 takes channels up to 6, counted from 0, but its input has 6. Take fewer, or "
        "begin earlier"
    )
