from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from striate.data import DataSet, Preprocess, open_data
from striate.modules import build
from striate.source import Source
from striate.training.device import Machine
from striate.training.heads import heads, scores_of
from striate.training.loop import train_network
from striate.training.optimise import macs_of
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.watching import Watcher

NORMALISE = Normalise((78.0,), (96.0,))
TAPPED = """
input 1x8x8 -> conv3-4 -> relu
-> tap side [gap -> fc-10] -> tap feature -> tap five [gap -> fc-5] -> pool2
-> tap soft [fc-10 -> softmax] -> fc-10 -> softmax
"""


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return open_data("digits", Preprocess(1, 8, 8))


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_the_last_layer_and_taps_of_as_many_values_are_heads() -> None:
    graph = build(Source(TAPPED), seed=0).graph
    assert heads(graph) == ["fc1", "side.fc1", "soft.fc1"]
    assert heads(build(Source("input 1x8x8 -> fc-8 -> softmax -> fc-3"), seed=0).graph) == ["fc2"]


def test_scores_come_from_before_a_last_softmax() -> None:
    network = build(Source(TAPPED), seed=0)
    found = scores_of(network)(images())
    outputs = network.outputs(images())
    assert torch.allclose(found[0].softmax(1), network(images()), atol=1e-6)
    assert torch.equal(found[1], outputs["side"])
    assert torch.allclose(found[2].softmax(1), outputs["soft"], atol=1e-6)


def test_scores_are_float32_vectors() -> None:
    network = build(Source("input 1x8x8 -> conv8-3 valid"), seed=0).bfloat16()
    (scores,) = scores_of(network)(images().bfloat16())
    assert scores.dtype == torch.float32 and scores.shape == (4, 3)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_a_step_follows_the_weighted_sum_of_the_losses(digits: DataSet, weight: float) -> None:
    """One step of plain gradient descent, beside torch's own."""
    settings = Settings(
        epochs=1e-3, batch=len(digits.train), optimizer="sgd", lr=0.1, momentum=0.0, warmup=0.0
    )
    settings = replace(settings, label_smoothing=0.0, whiten=False, tap_weight=weight)
    ours, plain = (build(Source(TAPPED), seed=3) for _ in range(2))
    machine = Machine(torch.device("cpu"), torch.float32)
    trained = train_network(ours, digits, NORMALISE, settings, machine, Watcher())
    assert trained.steps == 1

    pictures = to_input(torch.from_numpy(digits.train.images), NORMALISE, torch.float32)
    answers = torch.from_numpy(digits.train.labels)
    main, *sides = scores_of(plain)(pictures)
    loss_of = nn.CrossEntropyLoss()
    (loss_of(main, answers) + weight * sum(loss_of(side, answers) for side in sides)).backward()
    for name, value in plain.named_parameters():
        expected = value if value.grad is None else value - 0.1 * value.grad
        assert torch.allclose(trained.weights[name], expected, atol=1e-5), name
    moved = (trained.weights["side.fc1.weight"] - plain.state_dict()["side.fc1.weight"]).abs().max()
    assert bool(moved > 1e-4) == bool(weight)


def test_shared_weights_are_used_as_often_as_they_stand() -> None:
    graph = build(Source("input 2x8x8 -> a: conv3-2 -> relu -> again a -> fc-3"), seed=0).graph
    assert macs_of(graph, 5)["a"] == 5 * 2 * (2 * 2 * 9 * 64)
