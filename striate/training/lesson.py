"""What a batch teaches: the loss of a network's scores, of its side outputs, and of a teacher's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from striate.modules import Network
from striate.training.augment import Batch
from striate.training.distilling import Teacher, distance
from striate.training.growing import Growth, shown
from striate.training.heads import scores_of
from striate.training.prepare import to_input
from striate.training.run import Normalise
from striate.training.settings import Settings


@dataclass(frozen=True)
class Taught:
    """What a part of a batch came to."""

    loss: Tensor
    """The mean of its pictures at the network's end."""
    whole: Tensor
    """The same with the side outputs: what is learned from."""
    scores: Tensor


class Lesson:
    """Shows pictures to a network and compares what it says with their labels.

    With `classes` their weights in the loss are given. A `teacher`'s scores are learned beside the
    labels, at the share that the settings say.
    """

    def __init__(
        self,
        network: Network,
        normalise: Normalise,
        settings: Settings,
        dtype: torch.dtype,
        classes: Tensor | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self._scores = scores_of(network)
        self._normalise, self._settings, self._dtype = normalise, settings, dtype
        self._cross_entropy = partial(
            functional.cross_entropy, weight=classes, label_smoothing=settings.label_smoothing
        )
        self._teacher = teacher
        _, rows, columns = network.graph.input
        self._growth = Growth(settings, (rows, columns))

    def teach(self, part: Batch, progress: float = 1.0) -> Taught:
        """The loss of a part of a batch, when that share of the training is done."""
        images = to_input(part.pictures, self._normalise, self._dtype)
        scores, *sides = self._scores(shown(images, self._growth.at(progress)))
        loss = self._loss(scores, part)
        if self._teacher is not None:
            far = distance(scores, self._teacher(part.pictures), self._settings.temperature)
            loss = torch.lerp(loss, far, self._settings.distil)
        beside = (self._settings.tap_weight * self._loss(side, part) for side in sides)
        return Taught(loss, sum(beside, loss), scores)

    def _loss(self, scores: Tensor, part: Batch) -> Tensor:
        loss = self._cross_entropy(scores, part.labels)
        if part.share == 1:
            return loss
        return torch.lerp(self._cross_entropy(scores, part.others), loss, part.share)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights that let every class count alike: pictures of a class on average, by its own."""
    counts = torch.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1))
