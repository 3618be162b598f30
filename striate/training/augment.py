"""Augmentation as batched tensor operations on uint8 pictures, on the device that trains.

Nothing here runs once for a picture: a batch is gathered, shifted, mirrored, turned and coloured by
a handful of tensor operations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from striate.training.settings import Settings


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    pictures: Tensor
    """uint8 or float32, B×H×W×C in 0…255."""
    labels: Tensor
    """int64, B."""
    places: Tensor
    """Where the pictures stand in the training set, B."""

    def parts(self, count: int) -> list[Batch]:
        """So many parts, one after the other."""
        if count == 1:
            return [self]
        cut = (each.chunk(count) for each in (self.pictures, self.labels, self.places))
        return [Batch(*part) for part in zip(*cut, strict=True)]


class Batches:
    """Endless shuffled, augmented batches of a training set.

    `images` is uint8 N×H×W×C and `labels` int64 N. The labels and `generator` are on the device
    that trains, where the batches come to be; pictures that are too many for it may lie elsewhere.
    Every epoch visits every picture once, but for a last batch that is not full. Every random
    choice comes from `generator`, so that its state, `epoch`, `position`, `order` and `mirrored`
    say all that decides the batches to come.
    """

    def __init__(
        self, images: Tensor, labels: Tensor, settings: Settings, generator: torch.Generator
    ) -> None:
        self.images, self.labels, self.settings = images, labels, settings
        self.generator, self.device = generator, generator.device
        self.size = min(settings.batch, len(labels))
        self.steps_per_epoch = len(labels) // self.size
        height, width = images.shape[1:3]
        self.reach = (round(settings.shift * height), round(settings.shift * width))
        self.mirrored = self._random(len(labels)) < 0.5
        self.order = self._shuffled()
        self.epoch = 0
        self.position = 0
        """Batches that this epoch has given."""
        self._pixels = images.reshape(-1, images.shape[3])

    def next(self) -> Batch:
        """The next batch."""
        if self.position == self.steps_per_epoch:
            self.order = self._shuffled()
            self.epoch, self.position = self.epoch + 1, 0
        chosen = self.order[self.position * self.size : (self.position + 1) * self.size]
        self.position += 1
        return Batch(self._augment(chosen, self.epoch), self.labels[chosen], chosen)

    def _shuffled(self) -> Tensor:
        return torch.randperm(len(self.labels), generator=self.generator, device=self.device)

    def _augment(self, chosen: Tensor, epoch: int) -> Tensor:
        settings = self.settings
        turned = settings.rotate > 0 or settings.zoom > 0
        batch = self._picked(chosen, epoch, (0, 0) if turned else self.reach)
        if turned:
            batch = self._turned(batch)
        if settings.colour:
            batch = self._coloured(batch)
        return batch

    def _picked(self, chosen: Tensor, epoch: int, reach: tuple[int, int]) -> Tensor:
        """The chosen pictures, each moved by its own whole number of pixels, and mirrored in turn.

        Every pixel is read once, from the place that all of this gives: past the edges of a colour
        picture lies its mirror image, past those of a grey one black.
        """
        _, height, width, channels = self.images.shape
        rows, columns = self._moved(height, reach[0], chosen), self._moved(width, reach[1], chosen)
        if self.settings.flip:
            # Mirrored in one epoch, not in the next: each picture is seen from both sides equally
            # often (Jordan, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498, section 3.6).
            mirrored = self.mirrored[chosen] ^ bool(epoch % 2)
            columns = torch.where(mirrored[:, None], columns.flip(1), columns)
        first = (chosen * (height * width))[:, None, None]
        places = first + (_folded(rows, height) * width)[:, :, None]
        places = (places + _folded(columns, width)[:, None, :]).flatten().to(self.images.device)
        batch = self._pixels.index_select(0, places).to(self.device)
        batch = batch.view(len(chosen), height, width, channels)
        if channels == 1 and any(reach):
            batch *= (_inside(rows, height)[:, :, None] & _inside(columns, width)[:, None])[
                ..., None
            ]
        return batch

    def _moved(self, size: int, reach: int, chosen: Tensor) -> Tensor:
        """For each picture the positions that its line of `size` pixels is read from."""
        line = torch.arange(size, device=self.device).expand(len(chosen), size)
        return line + self._whole(2 * reach + 1, len(chosen))[:, None] - reach if reach else line

    def _turned(self, batch: Tensor) -> Tensor:
        """Each picture turned, scaled and shifted by its own amounts, in one sampling."""
        count, height, width, _ = batch.shape
        settings = self.settings
        angle = self._within(math.radians(settings.rotate), count)
        scale = 1 + self._within(settings.zoom, count)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        ratio = height / width
        grid_of = torch.stack(
            [
                torch.stack([cos, -sin * ratio, self._within(2 * settings.shift, count)], 1),
                torch.stack([sin / ratio, cos, self._within(2 * settings.shift, count)], 1),
            ],
            1,
        )
        pictures = batch.permute(0, 3, 1, 2).float().contiguous()
        grid = functional.affine_grid(grid_of, list(pictures.shape), align_corners=False)
        mode = "reflection" if batch.shape[3] == 3 else "zeros"
        sampled = functional.grid_sample(
            pictures, grid, mode="bilinear", padding_mode=mode, align_corners=False
        )
        return sampled.permute(0, 2, 3, 1)

    def _coloured(self, batch: Tensor) -> Tensor:
        """Brightness, contrast and saturation changed by a factor of each picture's own."""
        pictures = batch.float()
        count = len(pictures)
        strength = self.settings.colour
        brightness, contrast, saturation = (
            (1 + self._within(strength, count))[:, None, None, None] for _ in range(3)
        )
        grey = pictures.mean(3, keepdim=True)
        pictures = grey + (pictures - grey) * saturation
        mean = grey.mean((1, 2), keepdim=True)
        return ((pictures - mean) * contrast + mean * brightness).clamp_(0, 255)

    def _random(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator, device=self.device)

    def _within(self, limit: float, count: int) -> Tensor:
        return (self._random(count) * 2 - 1) * limit

    def _whole(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self.generator, device=self.device)


def _folded(positions: Tensor, size: int) -> Tensor:
    """Positions on a line mirrored at its ends, again and again, without repeating the end."""
    last = size - 1
    return last - (last - positions % max(1, 2 * last)).abs()


def _inside(positions: Tensor, size: int) -> Tensor:
    return (positions >= 0) & (positions < size)
