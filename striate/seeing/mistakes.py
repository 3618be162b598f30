"""The predictions that are wrong and most sure of it, with their pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from striate.drawing.plots import image_grid
from striate.drawing.scene import Scene
from striate.seeing.pixels import png, squared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from striate.data import Part

MOST = 25
_LARGEST_SIDE = 160
_SMOOTH_FROM = 48


@dataclass(frozen=True)
class Mistake:
    """One picture that was taken for another class."""

    file: str
    true: str
    said: str
    probability: float
    """Of the class that was said."""
    true_probability: float
    picture: bytes = field(repr=False)
    """PNG, of at most 160 pixels a side."""


@dataclass(frozen=True)
class Mistakes:
    """The most confident mistakes, and how many there are in all."""

    worst: tuple[Mistake, ...]
    total: int
    smooth: bool
    """Whether the pictures are large enough to be scaled smoothly."""

    def scene(self) -> Scene:
        """The pictures in rows of five, each with what was said and what is true."""
        captions = [
            f"{mistake.said} {100 * mistake.probability:.0f} %\nis {mistake.true}"
            for mistake in self.worst
        ]
        return image_grid(
            [squared(mistake.picture) for mistake in self.worst],
            captions,
            title="Most confident mistakes" if self.worst else "No mistakes",
            columns=5,
            cell=112,
            smooth=self.smooth,
        )

    def to_csv(self) -> str:
        """Columns file, true, said, probability, probability of true; a row for each picture."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "true", "said", "probability", "probability of true"])
        for mistake in self.worst:
            shares = (f"{p:.6g}" for p in (mistake.probability, mistake.true_probability))
            writer.writerow([mistake.file, mistake.true, mistake.said, *shares])
        return text.getvalue()


def worst_mistakes(
    part: Part, probabilities: NDArray[np.float32], classes: Sequence[str]
) -> Mistakes:
    """Up to 25 wrong predictions of a part, by the probability of what was said."""
    said = probabilities.argmax(1)
    wrong = np.flatnonzero(said != part.labels)
    sure = probabilities[wrong, said[wrong]]
    chosen = wrong[np.argsort(-sure, kind="stable")][:MOST].tolist()
    worst = tuple(
        Mistake(
            file=part.files[index],
            true=classes[part.labels[index]],
            said=classes[said[index]],
            probability=float(probabilities[index, said[index]]),
            true_probability=float(probabilities[index, part.labels[index]]),
            picture=png(part.images[index], _LARGEST_SIDE),
        )
        for index in chosen
    )
    return Mistakes(worst, len(wrong), max(part.images.shape[1:3]) >= _SMOOTH_FROM)
