"""A training in curves: losses, accuracies and learning rate by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from striate.drawing.plots import Series, line_plot
from striate.drawing.scene import Scene, moved

if TYPE_CHECKING:
    from striate.training.clock import Row

_WIDTH, _HEIGHT = 380.0, 260.0


def curve_scenes(rows: Sequence[Row]) -> tuple[Scene, Scene, Scene]:
    """The plots of the losses, of the accuracies and of the learning rate."""
    epochs = [row.epoch for row in rows]

    def plot(title: str, series: Sequence[Series]) -> Scene:
        return line_plot(
            series, title=title, x_label="epoch", y_label="", width=_WIDTH, height=_HEIGHT
        )

    return (
        plot(
            "Loss",
            [
                Series("training", epochs, [row.train_loss for row in rows]),
                Series("validation", epochs, [row.val_loss for row in rows]),
            ],
        ),
        plot(
            "Accuracy",
            [
                Series("training", epochs, [row.train_accuracy for row in rows]),
                Series("validation", epochs, [row.val_accuracy for row in rows]),
            ],
        ),
        plot("Learning rate", [Series("learning rate", epochs, [row.lr for row in rows])]),
    )


def side_by_side(scenes: Sequence[Scene], title: str) -> Scene:
    """Scenes in one row."""
    shapes = []
    left = 0.0
    for scene in scenes:
        shapes += [moved(shape, left, 0) for shape in scene.shapes]
        left += scene.width
    return Scene(left, max(scene.height for scene in scenes), tuple(shapes), title)
