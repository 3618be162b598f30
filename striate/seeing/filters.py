"""The first convolution's filters as pictures: what a network looks for in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from striate.drawing.plots import image_grid
from striate.drawing.scene import Scene
from striate.graph import IMAGE
from striate.layers.convolution import Conv
from striate.seeing.pixels import png, squared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from striate.modules import Network

MOST = 256
_COLUMNS = 16


@dataclass(frozen=True)
class Filters:
    """Pictures of filters (PNG), the strongest first."""

    layer: str
    pictures: tuple[bytes, ...]
    total: int
    kernel_size: tuple[int, int]
    colour: bool

    @property
    def caption(self) -> str:
        """What is to be seen, in a sentence."""
        height, width = self.kernel_size
        count = len(self.pictures)
        shown = f"all {count}" if count == self.total else f"{count} of {self.total}"
        grey = "Mid-grey is 0; " + (
            "a pixel's colour is the colour that it answers to."
            if self.colour
            else "light pixels add to the output, dark ones take from it."
        )
        return (
            f"The {height}×{width} filters of {self.layer} ({shown}), those of the largest weights "
            f"first, each scaled to itself. {grey}"
        )

    def scene(self) -> Scene:
        """The filters in rows, every weight a square."""
        count = len(self.pictures)
        cell = 44 if count <= 64 else 28
        columns = min(_COLUMNS, max(4, round((1.6 * count) ** 0.5)))
        return image_grid(
            [squared(picture) for picture in self.pictures],
            title=f"Filters of {self.layer}",
            columns=columns,
            cell=cell,
            smooth=False,
        )


def first_filters(network: Network) -> Filters | None:
    """The filters of the first convolution that reads the image; None if there is none to show.

    Filters of 1×1 have no shape to show. Over three channels they are shown in colour, over
    another number by the mean over the channels, in grey.
    """
    for node in network.graph:
        if node.kind == Conv.words[0] and IMAGE in node.inputs:
            weight = dict(network.named_parameters()).get(f"{node.name}.weight")
            if weight is None or weight.ndim != 4:
                return None
            values = weight.detach().float().cpu().numpy()
            if values.shape[2:] == (1, 1) or not np.isfinite(values).all():
                return None
            return _filters(node.name, values)
    return None


def _filters(layer: str, weight: NDArray[np.float32]) -> Filters:
    """`weight` is out_channels × in_channels × height × width."""
    count, channels, height, width = weight.shape
    energy = (weight.astype(np.float64) ** 2).sum((1, 2, 3))
    order = np.argsort(-energy, kind="stable")[:MOST]
    colour = channels == 3
    shown = weight if colour else weight.mean(1, keepdims=True)
    pictures = tuple(png(_grey_is_zero(shown[index])) for index in order)
    return Filters(layer, pictures, count, (height, width), colour)


def _grey_is_zero(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """C×H×W weights as H×W×C pixels: 0 becomes 128, the largest weight 0 or 255."""
    largest = float(np.abs(values).max()) or 1.0
    pixels = np.round(127.5 + 127.5 * values.transpose(1, 2, 0) / largest)
    return np.clip(pixels, 0, 255).astype(np.uint8)
