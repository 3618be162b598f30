"""Convolutions as products of matrices, held to torch's own in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from striate.modules.products import (
    DIRECT,
    Convolution,
    Products,
    Ways,
    choose,
    convolve,
    multiplies_tiles,
    shapes_of,
)

FLAT = Ways("flat", "flat", "flat")
TILED = Ways("flat", "flat", "gathered")
GATHERED = Ways("gathered", "gathered", "gathered")
MIXED = Ways("direct", "direct", "gathered")
BESIDE = Ways("beside", "beside", "beside")
HALF_BESIDE = Ways("direct", "direct", "beside")


def made(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.to(dtype).to(memory_format=torch.channels_last).requires_grad_()


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=PAIRS,
    stride=PAIRS,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    ways=st.sampled_from([FLAT, GATHERED, MIXED, BESIDE, DIRECT]),
)
def test_outputs_and_gradients_are_those_of_torch(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ways: Ways,
) -> None:
    if any(s + 2 * p < k for s, p, k in zip(size, padding, kernel, strict=True)):
        return
    if ways.to_images == "gathered" and stride != (1, 1):
        ways = Ways("gathered", "direct", "gathered")
    images, filters = made((6, 3, *size), 1), made((4, 3, *kernel), 2)
    if ways == BESIDE and shapes_of(images, filters, stride, padding).beside == 1:
        kernel, stride, padding = (3, 3), (1, 1), (1, 1)
        filters = made((4, 3, *kernel), 2)
    expected = functional.conv2d(images, filters, None, stride, padding)
    output = Products.apply(images, filters, shapes_of(images, filters, stride, padding), ways)
    torch.testing.assert_close(output, expected)
    gradient = made(tuple(expected.shape), 3).detach()
    found = torch.autograd.grad(output, (images, filters), gradient)
    wanted = torch.autograd.grad(expected, (images, filters), gradient)
    torch.testing.assert_close(found[0], wanted[0])
    torch.testing.assert_close(found[1], wanted[1], atol=1e-5, rtol=1e-5)  # summed in float32


@pytest.mark.parametrize("tiles", [False, True])
@pytest.mark.parametrize(
    ("channels", "size", "kernel", "stride", "expected"),
    [
        ((512, 512), 1, 3, 1, {False: FLAT, True: FLAT}),
        ((512, 512), 2, 3, 1, {False: FLAT, True: TILED}),
        ((256, 512), 2, 3, 2, {False: FLAT, True: FLAT}),
        ((128, 128), 4, 3, 1, {False: DIRECT, True: HALF_BESIDE}),
        ((512, 512), 4, 3, 1, {False: Ways("direct", "direct", "gathered"), True: BESIDE}),
        ((64, 64), 8, 3, 1, {False: DIRECT, True: HALF_BESIDE}),
        ((256, 512), 8, 3, 2, {False: MIXED, True: Ways("gathered", "direct", "gathered")}),
        ((512, 2048), 7, 1, 1, {False: DIRECT, True: GATHERED}),
        ((64, 64), 32, 3, 1, {False: DIRECT, True: DIRECT}),
        ((16, 16), 1, 3, 1, {False: DIRECT, True: DIRECT}),
    ],
)
def test_ways_follow_the_shapes_and_the_processor(
    channels: tuple[int, int],
    size: int,
    kernel: int,
    stride: int,
    expected: dict[bool, Ways],
    tiles: bool,
) -> None:
    images = torch.empty(8, channels[0], size, size)
    filters = torch.empty(channels[1], channels[0], kernel, kernel)
    pad = kernel // 2
    shapes = shapes_of(images, filters, (stride, stride), (pad, pad))
    assert choose(shapes, tiles=tiles) == expected[tiles]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_a_layer_in_bfloat16_is_as_near_as_torchs(size: int, stride: int, bias: bool) -> None:
    layer = nn.Conv2d(64, 128, 3, stride, 1, bias=bias).bfloat16()
    images = made((8, 64, size, size), 4, torch.bfloat16)
    shapes = shapes_of(images, layer.weight, (stride, stride), (1, 1))
    assert choose(shapes, tiles=False) != DIRECT
    exact = nn.Conv2d(64, 128, 3, stride, 1, bias=bias).double()
    exact.load_state_dict(layer.state_dict())
    results = []
    for module in (exact, layer):
        read = images.detach().to(module.weight.dtype).requires_grad_()
        output = module(read)
        output.backward(torch.ones_like(output))
        results.append([output, read.grad, *(each.grad for each in module.parameters())])
        module.zero_grad()
    layer.__class__ = Convolution
    read = images.detach().requires_grad_()
    output = layer(read)
    output.backward(torch.ones_like(output))
    found = [output, read.grad, *(each.grad for each in layer.parameters())]
    for wanted, torchs, ours in zip(*results, found, strict=True):
        error = (ours.double() - wanted).norm() / wanted.norm()
        assert error < max(0.004, 1.5 * (torchs.double() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2),
        nn.Conv2d(64, 64, 3, padding="same"),
        nn.Conv2d(64, 64, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(64, 64, 3, padding=1),
    ],
    ids=["groups", "dilation", "same", "circular", "float32"],
)
def test_what_it_does_not_take_is_torchs_to_the_bit(layer: nn.Conv2d) -> None:
    images = torch.randn(4, 64, 2, 2)
    expected = layer(images)
    layer.__class__ = Convolution
    assert torch.equal(layer(images), expected)


def test_frozen_parts_get_no_gradient() -> None:
    images, filters = made((4, 64, 2, 2), 5, torch.bfloat16), made((64, 64, 3, 3), 6)
    filters = filters.detach().bfloat16()
    output = convolve(images, filters, None, (1, 1), (1, 1))
    output.sum().backward()
    assert images.grad is not None and filters.grad is None


def test_too_small_a_map_is_told_by_torch() -> None:
    images, filters = (
        made((1, 64, 1, 1), 7, torch.bfloat16),
        made((64, 64, 3, 3), 8, torch.bfloat16),
    )
    with pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"):
        convolve(images, filters, None, (1, 1), (0, 0))


@pytest.mark.parametrize(
    ("count", "size", "many"), [(128, 8, 16), (128, 4, 32), (96, 4, 32), (7, 4, 7), (37, 8, 1)]
)
def test_as_many_stand_side_by_side_as_divide_the_batch(count: int, size: int, many: int) -> None:
    images, filters = torch.empty(count, 1, size, size), torch.empty(1, 1, 3, 3)
    assert shapes_of(images, filters, (1, 1), (1, 1)).beside == many
    assert shapes_of(images, filters, (2, 2), (1, 1)).beside == 1
    assert shapes_of(images, filters, (1, 1), (0, 0)).beside == 1


@pytest.mark.parametrize(
    ("held", "tiles"),
    [("AVX512_CORE_BF16", False), ("avx2", False), ("AVX512_CORE_AMX", True), ("ALL", True)],
)
def test_a_processor_held_to_less_multiplies_no_tiles(
    held: str, tiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", held)
    assert multiplies_tiles() == tiles
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert not multiplies_tiles()
