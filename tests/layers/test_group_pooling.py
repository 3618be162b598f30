"""The maximum over turns."""

from __future__ import annotations

import pytest
import torch

from striate.layers import MismatchError
from striate.layers.group_pooling import P4mPool, P4Pool


@pytest.mark.parametrize("layer", [P4Pool(), P4mPool()])
def test_it_is_the_largest_of_each_features_channels(layer: P4Pool) -> None:
    volume = (3 * layer.order, 4, 5)
    image = torch.randn(2, *volume, dtype=torch.float64, requires_grad=True)
    n = layer.order
    expected = torch.stack([image[:, i * n : i * n + n].amax(1) for i in range(3)], 1)
    module = layer.module((volume,))
    assert torch.equal(module(image), expected)
    assert layer.output((volume,)) == (3, 4, 5)
    assert torch.autograd.gradcheck(module, (image,))


def test_features_that_are_no_whole_number() -> None:
    with pytest.raises(MismatchError) as error:
        P4mPool().output(((12, 5, 5),))
    assert str(error.value) == (
        "p4mpool takes 8 channels for each feature, one for each turn, but its input has 12. It "
        "stands behind a p4mlift or p4mconv"
    )
