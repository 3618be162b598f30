"""What a batch teaches: mixed labels, side outputs, a teacher, classes that count alike."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from striate.modules import build
from striate.training.augment import Batch
from striate.training.lesson import Lesson, class_weights
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.settings import Settings

NORMALISE = Normalise((100.0,), (50.0,))
TEXT = "input 1x6x6 -> conv3-4 -> relu -> tap side [gap -> fc-3] -> fc-3"


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    pictures = torch.randint(256, (8, 6, 6, 1), dtype=torch.uint8)
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    return Batch(pictures, labels, torch.arange(8), labels.flip(0), share=0.7)


def lesson(settings: Settings, classes: Tensor | None = None, teacher: object = None) -> Lesson:
    network = build(TEXT, seed=0)
    return Lesson(network, NORMALISE, settings, torch.float32, classes, teacher)  # type: ignore[arg-type]


def outputs(batch: Batch) -> dict[str, Tensor]:
    return build(TEXT, seed=0).outputs(to_input(batch.pictures, NORMALISE, torch.float32))


def mixed(scores: Tensor, batch: Batch, weights: Tensor | None = None) -> Tensor:
    own, other = (
        functional.cross_entropy(scores, labels, weight=weights, label_smoothing=0.1)
        for labels in (batch.labels, batch.others)
    )
    return batch.share * own + (1 - batch.share) * other


def test_labels_of_mixed_pictures_share_the_loss_and_side_outputs_add_to_it(batch: Batch) -> None:
    taught = lesson(Settings(epochs=1, tap_weight=0.3)).teach(batch)
    found = outputs(batch)
    end, side = mixed(found["output"], batch), mixed(found["side"], batch)
    assert torch.allclose(taught.loss, end)
    assert torch.allclose(taught.whole, end + 0.3 * side)
    assert torch.allclose(taught.scores, found["output"])


def test_weights_of_classes_are_in_the_loss(batch: Batch) -> None:
    weights = class_weights(batch.labels, 3)
    taught = lesson(Settings(epochs=1), weights).teach(batch)
    assert torch.allclose(taught.loss, mixed(outputs(batch)["output"], batch, weights))


def test_a_teacher_has_its_share_of_the_loss_at_the_end_alone(batch: Batch) -> None:
    settings = Settings(epochs=1, distil=0.25, temperature=2.0, tap_weight=0.0)
    told = torch.randn(8, 3)
    taught = lesson(settings, teacher=lambda _: told).teach(batch)
    scores = outputs(batch)["output"]
    soft, target = ((each / 2).log_softmax(1) for each in (scores, told))
    far = 4 * functional.kl_div(soft, target, log_target=True, reduction="batchmean")
    assert torch.allclose(taught.whole, 0.75 * mixed(scores, batch) + 0.25 * far, rtol=1e-4)


def test_classes_count_alike() -> None:
    labels = torch.tensor([0] * 6 + [1] * 2 + [2] * 1)
    weights = class_weights(labels, 4)
    assert weights[:3].tolist() == pytest.approx([9 / 24, 9 / 8, 9 / 4])
    counts = torch.bincount(labels, minlength=3)
    assert (weights[:3] * counts).tolist() == pytest.approx([2.25] * 3)
