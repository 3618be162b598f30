"""Channel shuffle."""

from __future__ import annotations

import pytest
import torch

from striate.layers import MismatchError
from striate.layers.shuffling import Shuffle


@pytest.mark.parametrize(("groups", "channels"), [(1, 4), (3, 12), (4, 12), (6, 6)])
def test_it_transposes_groups_and_their_channels(groups: int, channels: int) -> None:
    """Zhang et al. 2017, section 3.1."""
    layer, volume = Shuffle(groups), (channels, 3, 2)
    image = torch.randn(2, *volume, dtype=torch.float64, requires_grad=True)
    per_group = channels // groups
    order = [group * per_group + i for i in range(per_group) for group in range(groups)]
    module = layer.module((volume,))
    assert torch.equal(module(image), image[:, order])
    assert torch.autograd.gradcheck(module, (image,))
    assert layer.output((volume,)) == volume


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(MismatchError) as error:
        Shuffle(3).output(((8, 5, 5),))
    assert str(error.value) == (
        "shuffle3 deals channels out of 3 equal groups, but its input has 8 channels. Choose a "
        "divisor of 8"
    )
