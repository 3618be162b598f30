from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from striate.modules import Network, build
from striate.seeing.filters import first_filters
from striate.source import Source


def network(text: str) -> Network:
    return build(Source(text), seed=0)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png)), np.int64)


def test_colour_filters_are_pictures_of_their_weights_with_grey_for_zero() -> None:
    net = network("input 3x8x8 -> conv3-5 -> gap -> fc-2")
    weight = net.conv1.weight.detach()
    found = first_filters(net)
    assert found is not None and found.colour and found.total == 5
    strongest = weight[weight.pow(2).sum((1, 2, 3)).argmax()]
    expected = 127.5 + 127.5 * strongest / strongest.abs().max()
    shown = pixels(found.pictures[0])
    assert shown.shape == (3, 3, 3)
    np.testing.assert_allclose(shown, expected.permute(1, 2, 0).numpy(), atol=0.51)
    assert shown.min() == 0 or shown.max() == 255


def test_filters_stand_from_the_strongest_to_the_weakest() -> None:
    net = network("input 1x8x8 -> conv2x3-4 -> gap -> fc-2")
    with torch.no_grad():
        for number, size in enumerate((2.0, 8.0, 1.0, 4.0)):
            net.conv1.weight[number] = 0
            net.conv1.weight[number, 0, 0, number % 3] = size
    found = first_filters(net)
    assert found is not None and not found.colour
    places = [np.argwhere(pixels(png) == 255).tolist() for png in found.pictures]
    assert places == [[[0, 1]], [[0, 0]], [[0, 0]], [[0, 2]]]
    assert pixels(found.pictures[0]).shape == (2, 3)
    assert found.kernel_size == (2, 3)


def test_filters_of_zeros_are_grey() -> None:
    net = network("input 1x8x8 -> conv3-2 -> gap -> fc-2")
    torch.nn.init.zeros_(net.conv1.weight)
    found = first_filters(net)
    assert found is not None
    assert set(pixels(found.pictures[0]).reshape(-1)) == {128}


def test_the_first_convolution_may_stand_in_a_branch() -> None:
    net = network("input 3x8x8 -> (conv3-4 | conv5-2) -> gap -> fc-2")
    found = first_filters(net)
    assert found is not None and found.total == 4


@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> conv1-4 -> relu -> conv3-4 -> gap -> fc-2",
        "input 3x8x8 -> fc-4 -> relu -> fc-2",
        "input 3x8x8 -> pool2 -> conv3-4 -> gap -> fc-2",
    ],
)
def test_networks_without_filters_over_the_image_show_none(text: str) -> None:
    assert first_filters(network(text)) is None


def test_weights_that_are_not_numbers_show_none() -> None:
    net = network("input 1x8x8 -> conv3-2 -> gap -> fc-2")
    net.conv1.weight.data[0, 0, 0, 0] = float("nan")
    assert first_filters(net) is None


def test_no_more_than_256_are_shown_and_the_caption_says_so() -> None:
    found = first_filters(network("input 1x8x8 -> conv3-300 -> gap -> fc-2"))
    assert found is not None
    assert len(found.pictures) == 256
    assert found.caption.startswith("The 3×3 filters of conv1 (256 of 300), ")
    scene = found.scene()
    assert scene.width < 800
