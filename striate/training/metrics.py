"""What a classifier's probabilities are worth: every number of a test, from its definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]

BINS = 15
TOP5_FROM = 11
_Z = 1.959963984540054  # the normal distribution's quantile at 0.975
_LEAST = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class ClassScore:
    """One class: nan where nothing was predicted (precision), is there (recall), or is right."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    """Pictures of the class."""


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error and its bins of equal width over the confidence 0…1.

    The confidence is the probability of the class that is said; bin i of n holds those in
    (i/n, (i+1)/n]. The error is the mean of |accuracy − confidence| over the bins, weighted by
    their counts (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, eq. 5).
    """

    error: float
    confidence: tuple[float, ...]
    """Mean confidence of each bin, nan where the bin is empty."""
    accuracy: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Metrics:
    """All numbers of a test of `images` pictures."""

    classes: tuple[str, ...]
    images: int
    right: int
    interval: tuple[float, float]
    """Of the accuracy, 95 % (Wilson)."""
    top5: float | None
    """Only told from 11 classes up."""
    log_loss: float
    calibration: Calibration
    per_class: tuple[ClassScore, ...]
    confusion: NDArray[np.int64]
    """Rows are true classes, columns those that were said."""

    @property
    def accuracy(self) -> float:
        """The share of pictures whose most probable class is the true one."""
        return self.right / self.images

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes; values that do not exist are None."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "images": self.images,
            "right": self.right,
            "top5": self.top5,
            "log_loss": self.log_loss,
            "calibration_error": self.calibration.error,
            "classes": [
                {
                    "name": score.name,
                    "precision": _number(score.precision),
                    "recall": _number(score.recall),
                    "f1": _number(score.f1),
                    "support": score.support,
                }
                for score in self.per_class
            ],
            "confusion": self.confusion.tolist(),
            "calibration": {
                "confidence": [_number(value) for value in self.calibration.confidence],
                "accuracy": [_number(value) for value in self.calibration.accuracy],
                "counts": list(self.calibration.counts),
            },
        }


def measure(probabilities: Probabilities, labels: Labels, classes: Sequence[str]) -> Metrics:
    """All metrics of probabilities N×K for pictures of known classes (N ≥ 1).

    Raises ValueError when the shapes do not agree or there is no picture.
    """
    if not len(labels) or probabilities.shape != (len(labels), len(classes)):
        raise ValueError(
            f"probabilities {probabilities.shape} for {len(labels)} labels of {len(classes)} "
            "classes cannot be measured"
        )
    said = probabilities.argmax(1)
    matrix = confusion(labels, said, len(classes))
    right = int(np.trace(matrix))
    return Metrics(
        classes=tuple(classes),
        images=len(labels),
        right=right,
        interval=wilson(right, len(labels)),
        top5=top_k(probabilities, labels, 5) if len(classes) >= TOP5_FROM else None,
        log_loss=log_loss(probabilities, labels),
        calibration=calibrate(probabilities, labels),
        per_class=per_class(matrix, classes),
        confusion=matrix,
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % score interval of a share `right`/`count` (Wilson, JASA 22, 1927).

    Unlike the normal approximation it stays within 0…1 and holds for few pictures and for shares
    near 0 and 1. Without pictures it is 0…1.
    """
    if count == 0:
        return 0.0, 1.0
    share, square = right / count, _Z * _Z / count
    centre = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    low = 0.0 if right == 0 else centre - half
    high = 1.0 if right == count else centre + half
    return low, high


def confusion(labels: Labels, said: Labels, count: int) -> NDArray[np.int64]:
    """Counts of (true class, said class), `count` × `count`."""
    pairs = np.bincount(labels * count + said, minlength=count * count)
    return pairs.reshape(count, count).astype(np.int64)


def per_class(matrix: NDArray[np.int64], classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Precision TP/(TP+FP), recall TP/(TP+FN) and F1 2TP/(2TP+FP+FN) of every class."""
    hits, said, there = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    return tuple(
        ClassScore(
            name,
            precision=_ratio(hits[i], said[i]),
            recall=_ratio(hits[i], there[i]),
            f1=_ratio(2 * hits[i], said[i] + there[i]) if there[i] else math.nan,
            support=int(there[i]),
        )
        for i, name in enumerate(classes)
    )


def top_k(probabilities: Probabilities, labels: Labels, k: int) -> float:
    """The share of pictures whose true class is among the k most probable ones.

    Of equal probabilities the class that stands first counts as the more probable.
    """
    true = np.take_along_axis(probabilities, labels[:, None], 1)
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > true) | ((probabilities == true) & earlier)
    return float((before.sum(1) < k).mean())


def log_loss(probabilities: Probabilities, labels: Labels) -> float:
    """The mean of −ln p(true class), in nats; p is taken as 1.2e-7 (2⁻²³) at least."""
    true = np.take_along_axis(probabilities, labels[:, None], 1).astype(np.float64)
    return float(-np.log(np.clip(true, _LEAST, 1.0)).mean())


def calibrate(probabilities: Probabilities, labels: Labels, bins: int = BINS) -> Calibration:
    """How far the confidence is from the accuracy, see `Calibration`."""
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    confidences = np.bincount(places, confidence, bins)
    hits = np.bincount(places, right, bins)
    return Calibration(
        error=float(np.abs(hits - confidences).sum() / len(labels)),
        confidence=tuple(_ratio(*pair) for pair in zip(confidences, counts, strict=True)),
        accuracy=tuple(_ratio(*pair) for pair in zip(hits, counts, strict=True)),
        counts=tuple(counts.tolist()),
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
