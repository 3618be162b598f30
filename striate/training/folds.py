"""Small sets tested in turns: every picture is held out once (k-fold cross-validation).

Stone 1974, "Cross-validatory choice and assessment of statistical predictions", JRSS B 36.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from striate.training.metrics import wilson
from striate.training.testing import TestResult


@dataclass(frozen=True)
class Folds:
    """The tests of several trainings, each on the pictures that it held out."""

    results: tuple[TestResult, ...]

    @property
    def images(self) -> int:
        """Pictures, each tested once."""
        return sum(result.images for result in self.results)

    @property
    def accuracy(self) -> float:
        """The share of all pictures that were named rightly."""
        return sum(result.metrics.right for result in self.results) / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, as if one network had named all."""
        return wilson(sum(result.metrics.right for result in self.results), self.images)

    @property
    def spread(self) -> float:
        """The standard deviation of the folds' accuracies."""
        return statistics.stdev(result.accuracy for result in self.results)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "spread": self.spread,
            "images": self.images,
            "folds": [
                {"run": result.run, "accuracy": result.accuracy, "images": result.images}
                for result in self.results
            ],
        }

    def table(self) -> str:
        """A line for each fold, and one for all."""
        width = max(len(result.run) for result in self.results)
        low, high = self.interval
        lines = [
            f"{result.run:<{width}}  {result.accuracy:7.2%} of {result.images:,}"
            for result in self.results
        ]
        lines.append(
            f"{'all':<{width}}  {self.accuracy:7.2%} of {self.images:,} (95 % interval {low:.2%} "
            f"to {high:.2%}); the folds' standard deviation is {100 * self.spread:.2f} points"
        )
        return "\n".join(lines)
