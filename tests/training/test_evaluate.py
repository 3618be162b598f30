from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as oracle

from striate.data import DataSet
from striate.errors import StriateError
from striate.modules import Network, build
from striate.source import Source
from striate.training.evaluate import Views, batch_size, probabilities
from striate.training.prepare import to_input, to_scores
from striate.training.run import Normalise

GREY = Normalise((78.0,), (96.0,))
COLOUR = Normalise((120.0, 110.0, 100.0), (60.0, 61.0, 62.0))


def colours(count: int, height: int = 6, width: int = 8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def test_input_is_torchvisions_normalisation_in_channels_last_memory() -> None:
    images = torch.from_numpy(colours(5))
    found = to_input(images, COLOUR, torch.float32)
    values = images.permute(0, 3, 1, 2).float()
    expected = oracle.normalize(values, list(COLOUR.mean), list(COLOUR.std))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert found.shape == (5, 3, 6, 8)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_input_is_rounded_once_and_leaves_its_batch_alone() -> None:
    images = torch.from_numpy(colours(5)).float()
    before = images.clone()
    found = to_input(images, COLOUR, torch.bfloat16)
    assert torch.equal(images, before)
    assert torch.equal(found, to_input(images, COLOUR, torch.float32).bfloat16())


def test_probabilities_are_the_softmax_of_the_network(trained: Network, digits: DataSet) -> None:
    images = digits.test.images[:50]
    found = probabilities(trained, images, GREY)
    with torch.no_grad():
        scores = trained((torch.from_numpy(images).permute(0, 3, 1, 2).float() - 78) / 96)
    np.testing.assert_allclose(found, scores.softmax(1).numpy(), atol=1e-6)
    assert found.dtype == np.float32 and found.shape == (50, 10)


@pytest.mark.parametrize("batch", [1, 7, 50, 200])
def test_batches_change_nothing(trained: Network, digits: DataSet, batch: int) -> None:
    images = digits.test.images[:50]
    found = probabilities(trained, images, GREY, batch=batch)
    np.testing.assert_allclose(found, probabilities(trained, images, GREY), atol=1e-6)


def test_a_read_only_map_of_a_file_will_do(trained: Network, digits: DataSet) -> None:
    images = digits.test.images[:20].copy()
    images.flags.writeable = False
    assert probabilities(trained, images, GREY).shape == (20, 10)


def test_no_picture_gives_no_row(trained: Network, digits: DataSet) -> None:
    assert probabilities(trained, digits.test.images[:0], GREY).shape == (0, 10)


def test_a_network_that_ends_in_softmax_is_not_softened_twice() -> None:
    text = "input 3x6x8 -> conv3-4 -> relu -> gap -> fc-3"
    plain, soft = (build(Source(text + end), seed=1) for end in ("", " -> softmax"))
    plain.fc1.weight.data *= 300
    soft.load_state_dict(plain.state_dict())
    images = colours(9)
    expected = probabilities(plain, images, COLOUR)
    assert expected.max() > 0.6
    np.testing.assert_allclose(probabilities(soft, images, COLOUR), expected, atol=1e-6)


def test_scores_of_a_softmax_give_its_own_loss() -> None:
    network = build(Source("input 3x6x8 -> gap -> fc-3 -> softmax"), seed=1)
    output = torch.tensor([[0.5, 0.3, 0.2]])
    loss = torch.nn.functional.cross_entropy(to_scores(network.graph, output), torch.tensor([1]))
    assert loss.item() == pytest.approx(-np.log(0.3))


def test_flip_is_the_mean_with_the_mirror_image() -> None:
    network = build(Source("input 3x6x8 -> conv3-4 -> relu -> fc-3"), seed=1)
    images = colours(4)
    found = probabilities(network, images, COLOUR, views=Views(flip=True))
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    pair = [probabilities(network, side, COLOUR) for side in (images, mirrored)]
    np.testing.assert_allclose(found, (pair[0] + pair[1]) / 2, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_moves_are_the_mean_with_the_picture_moved_four_ways(channels: int) -> None:
    network = build(Source(f"input {channels}x6x8 -> conv3-4 -> relu -> fc-3"), seed=1)
    normalise = GREY if channels == 1 else COLOUR
    images = colours(4)[..., :channels]
    mode = {1: "constant", 3: "edge"}[channels]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode)
    places = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))
    crops = [np.ascontiguousarray(padded[:, y : y + 6, x : x + 8]) for y, x in places]
    singly = [probabilities(network, crop, normalise) for crop in crops]
    before = images.copy()
    found = probabilities(network, images, normalise, views=Views(moves=True))
    np.testing.assert_allclose(found, np.mean(singly, 0), atol=1e-6)
    assert np.array_equal(images, before)
    both = probabilities(network, images, normalise, views=Views(flip=True, moves=True))
    mirrored = [probabilities(network, crop[:, :, ::-1].copy(), normalise) for crop in crops]
    np.testing.assert_allclose(both, np.mean(singly + mirrored, 0), atol=1e-6)


def test_lower_precision_is_near_and_the_same_for_either_way(
    trained: Network, digits: DataSet
) -> None:
    images = digits.test.images[:100]
    exact = probabilities(trained, images, GREY)
    lower = probabilities(trained, images, GREY, precision=torch.bfloat16)
    assert 0 < np.abs(lower - exact).max() < 0.1


def test_evaluation_mode_is_used_and_the_networks_own_put_back() -> None:
    network = build(Source("input 3x6x8 -> conv3-4 -> bn -> relu -> dropout0.5 -> fc-3"), seed=1)
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first = probabilities(network, colours(8), COLOUR)
    assert network.training and network.bn1.training
    assert np.array_equal(first, probabilities(network, colours(8), COLOUR))
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_progress_is_told_of_every_batch(trained: Network, digits: DataSet) -> None:
    told: list[tuple[int, int]] = []
    probabilities(
        trained,
        digits.test.images[:25],
        GREY,
        batch=10,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(10, 25), (20, 25), (25, 25)]


def test_outputs_that_are_not_finite_are_refused() -> None:
    network = build(Source("input 3x6x8 -> gap -> fc-3"), seed=1)
    network.fc1.bias.data[1] = float("nan")
    with pytest.raises(StriateError) as caught:
        probabilities(network, colours(4), COLOUR)
    assert str(caught.value) == (
        "the network's outputs for 4 of 4 pictures are not finite numbers (nan or infinity): its "
        "weights have diverged. Train again with a smaller --lr"
    )
    assert caught.value.exit_status == 1


def test_batches_hold_many_small_pictures_and_few_large_ones() -> None:
    cpu = torch.device("cpu")
    sizes = [batch_size((side, side, 3), cpu) for side in (8, 32, 224, 4000)]
    assert sizes == [1000, 341, 8, 8]
