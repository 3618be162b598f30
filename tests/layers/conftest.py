"""What the tests of single kinds share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import strategies as st

from striate.layers import Layer, Shape
from striate.layers.l2_pooling import L2Pool
from striate.layers.min_pooling import MinPool
from striate.layers.pooling import MaxPool, Pool
from striate.layers.weighted_pooling import WeightedPool

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def pools(draw: st.DrawFn, kind: type[Pool]) -> Pool:
    """A pool of a kind with settings that fit together."""
    kernel_size, stride = draw(PAIRS), draw(st.just((0, 0)) | PAIRS)
    most = (kernel_size[0] // 2, kernel_size[1] // 2)
    padding = draw(st.sampled_from(["valid", 0, most]))
    if issubclass(kind, MaxPool):
        return kind(kernel_size, stride, padding, draw(st.booleans()))
    return kind(kernel_size, stride, padding)


for _kind in (L2Pool, MinPool, WeightedPool):
    st.register_type_strategy(_kind, pools(_kind))


def check_windows(layer: Layer, volume: Shape) -> None:
    """Each unit's window holds the rows and columns that it reads, and no others.

    A unit reads a pixel if the unit's value changes with the pixel's, in either direction.
    """
    output = layer.output((volume,))
    window = layer.window((volume,), output)
    module = layer.module((volume,)).double().eval()
    for weight in module.parameters():
        torch.nn.init.uniform_(weight, 0.5, 1.5)
    _, height, width = volume
    pixels = torch.eye(height * width).double().reshape(-1, 1, height, width)
    plain = torch.ones(1, *volume).double()
    with torch.no_grad():
        before = module(plain)
        moves = [(module(plain + step * pixels) - before).abs() for step in (0.5, -0.5)]
    changed = (moves[0] + moves[1]).amax(1) > 1e-9
    changed = changed.reshape(height, width, *output[1:])
    for row in range(output[1]):
        for column in range(output[2]):
            read = changed[:, :, row, column]
            for axis, unit in ((0, row), (1, column)):
                found = set(read.any(1 - axis).nonzero().flatten().tolist())
                first = unit * window.stride[axis] - window.before[axis]
                places = [
                    first + j * window.dilation[axis] for j in range(window.kernel_size[axis])
                ]
                expected = {int(n) for n in places if n == int(n) and 0 <= n < volume[1 + axis]}
                assert found == expected or not read.any()


@pytest.fixture(scope="session")
def windows_are_right() -> Callable[[Layer, Shape], None]:
    """A check of a layer's windows on a volume."""
    return check_windows
