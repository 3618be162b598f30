"""Locally connected layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from striate import build, size
from striate.layers import MismatchError
from striate.layers.local import LocalConv
from striate.layers.windows import pads
from striate.modules import InputError

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
PADDINGS = st.one_of(st.sampled_from(["same", "valid", "full"]), st.integers(0, 2), PAIRS)
LAYERS = st.builds(LocalConv, PAIRS, st.integers(1, 3), PAIRS, PADDINGS, PAIRS, st.booleans())
VOLUMES = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))


@settings(max_examples=80, deadline=None)
@given(LAYERS, VOLUMES)
def test_each_position_is_a_convolution_of_its_own(
    layer: LocalConv, volume: tuple[int, int, int]
) -> None:
    try:
        channels, height, width = layer.output((volume,))
    except MismatchError:
        assume(False)
    module = layer.module((volume,)).double()
    assert {n: tuple(w.shape) for n, w in module.named_parameters()} == layer.weights((volume,))
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    rows, columns = pads(layer.padding, layer.kernel_size, layer.stride, layer.dilation)
    image = torch.randn(2, *volume, dtype=torch.float64)
    padded = torch.nn.functional.pad(image, (*columns, *rows))
    expected = torch.empty(2, channels, height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            found = torch.nn.functional.conv2d(
                padded,
                module.get_parameter("weight")[row, column],
                stride=layer.stride,
                dilation=layer.dilation,
            )
            offset = module.get_parameter("bias")[:, row, column] if layer.bias else 0
            expected[:, :, row, column] = found[:, :, row, column] + offset
    with FlopCounterMode(display=False) as counter:
        torch.testing.assert_close(module(image), expected)
    assert counter.get_total_flops() == 2 * 2 * layer.macs((volume,), (channels, height, width))


def test_backward() -> None:
    layer = LocalConv((3, 2), 2, (2, 1), 1, bias=True)
    module = layer.module(((2, 5, 4),)).double()
    names, weights = zip(*module.named_parameters(), strict=True)
    image = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)

    def run(image: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (image,))

    drawn = [torch.randn_like(weight).requires_grad_() for weight in weights]
    assert torch.autograd.gradcheck(run, (image, *drawn))


@settings(max_examples=25, deadline=None)
@given(LAYERS, VOLUMES)
def test_a_unit_reads_its_window(
    windows_are_right: Callable[..., None], layer: LocalConv, volume: tuple[int, int, int]
) -> None:
    try:
        layer.output((volume,))
    except MismatchError:
        assume(False)
    windows_are_right(layer, volume)


def test_weights_of_the_notes() -> None:
    """5×5 on 28×28×3 has 75 weights at every output position."""
    (row,) = size("input 3x28x28 -> localconv5-1 valid nobias").rows
    assert row.parameters == 75 * 24 * 24
    assert row.macs == 75 * 24 * 24
    (row,) = size("input 3x28x28 -> lconv5-4/2").rows
    assert row.parameters == (75 + 1) * 4 * 14 * 14


def test_an_image_of_another_size_is_told() -> None:
    network = build("input 1x8x8 -> conv3-4 -> local: localconv3-2 -> gap -> fc-2")
    with pytest.raises(InputError) as error:
        network(torch.zeros(1, 1, 9, 8))
    assert str(error.value) == (
        "the network takes images of 1×8×8, not 1×9×8: local has weights for 4×8×8, and would get "
        "4×9×8. Resize the images to 8×8, or build the network for their size"
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_network_trains_with_it(dtype: torch.dtype) -> None:
    network = build("input 3x8x8 -> localconv3-8/2 -> relu -> fc-4", seed=0)
    weight = network.get_parameter("localconv1.weight")
    assert float(weight.detach().std()) == pytest.approx(math.sqrt(2 / 27), rel=0.03)
    assert not network.get_parameter("localconv1.bias").any()
    network.fc1.to(dtype)
    network(torch.randn(2, 3, 8, 8).to(dtype)).float().pow(2).sum().backward()
    assert weight.grad is not None
    assert bool(weight.grad.isfinite().all())
    assert float(weight.grad.abs().sum()) > 0
