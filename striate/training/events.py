"""A training's curves for TensorBoard, written beside the run while it goes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from striate.errors import UserError
from striate.training.clock import Moment, Row

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"


class Events:
    """Writes the rows of `metrics.csv` and the loss of late to `RUN/tensorboard`.

    Raises UserError where TensorBoard is not installed.
    """

    def __init__(self, run: Path) -> None:
        self._writer = writer_of()(str(run / FOLDER))

    def step(self, moment: Moment) -> None:
        """The loss of late, which is told some times a second."""
        self._add("loss", moment.loss, moment.step)

    def row(self, row: Row) -> None:
        """A look at the validation pictures."""
        curves = {
            "train/loss": row.train_loss,
            "train/accuracy": row.train_accuracy,
            "val/loss": row.val_loss,
            "val/accuracy": row.val_accuracy,
            "lr": row.lr,
            "epoch": row.epoch,
            "images_per_second": row.images_per_second,
        }
        for name, value in curves.items():
            self._add(name, value, row.step)
        self._writer.flush()

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()

    def _add(self, name: str, value: float, step: int) -> None:
        if math.isfinite(value):
            self._writer.add_scalar(name, value, step)


def writer_of() -> type[SummaryWriter]:
    """TensorBoard's writer, as torch has it. Raises UserError where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(
            "log: tensorboard is not installed. Install it with: python -m pip install "
            "'striate[tensorboard]'"
        ) from None
    return SummaryWriter
