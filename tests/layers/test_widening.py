"""Channels of zeros."""

from __future__ import annotations

import pytest
import torch

from striate.layers import MismatchError
from striate.layers.widening import Widen


@pytest.mark.parametrize(("channels", "wide"), [(2, 5), (4, 4), (1, 8)])
def test_zeros_come_after_the_channels(channels: int, wide: int) -> None:
    layer, volume = Widen(wide), (channels, 3, 2)
    image = torch.randn(2, *volume, dtype=torch.float64, requires_grad=True)
    module = layer.module((volume,))
    output = module(image)
    assert tuple(output.shape) == (2, *layer.output((volume,))) == (2, wide, 3, 2)
    assert torch.equal(output[:, :channels], image)
    assert not output[:, channels:].any()
    assert torch.autograd.gradcheck(module, (image,))
    assert layer.weights((volume,)) == {}


def test_channels_are_not_taken_away() -> None:
    with pytest.raises(MismatchError) as error:
        Widen(8).output(((16, 5, 5),))
    assert str(error.value) == (
        "widen-8 adds channels, but its input has 16 already. Write conv1-8 for fewer"
    )
