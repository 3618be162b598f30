"""Which of a training's weights are kept."""

from __future__ import annotations

import math

from torch import Tensor

from striate.training.clock import Row


class Best:
    """The best weights so far: the latest that are not clearly worse than any before.

    Clearly means by more than two standard errors of the accuracy on that many pictures, so that
    the luck of one look does not throw away the end of a schedule.
    """

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self.top = 0.0
        """The highest accuracy on the validation pictures so far."""
        self.kept: tuple[Row, dict[str, Tensor]] | None = None

    def take(self, row: Row, weights: dict[str, Tensor]) -> bool:
        """Keep these weights unless they are clearly worse; tells whether they are kept.

        Weights that were not validated, since there was no time to, are kept if there are no other.
        """
        if self.kept is not None and not self._is_good(row):
            return False
        self.top = max(self.top, 0.0 if math.isnan(row.val_accuracy) else row.val_accuracy)
        self.kept = row, weights
        return True

    def _is_good(self, row: Row) -> bool:
        if not self.pictures:
            return True
        likely = (self.top * self.pictures + 1) / (self.pictures + 2)
        spread = math.sqrt(likely * (1 - likely) / (self.pictures + 2))
        return row.val_accuracy >= self.top - 2 * spread

    @property
    def is_empty(self) -> bool:
        """Whether no weights are kept yet."""
        return self.kept is None

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights that are kept."""
        assert self.kept is not None
        return self.kept[1]

    @property
    def row(self) -> Row:
        """The row whose weights are kept."""
        assert self.kept is not None
        return self.kept[0]
