"""Augmentation as batched tensor operations on uint8 pictures, on the device that trains.

Nothing here runs once for a picture: a batch is gathered, shifted, mirrored, turned and coloured by
a handful of tensor operations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from striate.training.settings import Settings


class Batches:
    """Endless shuffled, augmented batches of a training set.

    `images` is uint8 N×H×W×C and `labels` int64 N. The labels and `generator` are on the device
    that trains, where the batches come to be; pictures that are too many for it may lie elsewhere.
    Each item is `(pictures uint8 or float32 B×H×W×C, labels B)`; every epoch visits every picture
    once, but for a last batch that is not full. Every random choice comes from `generator`.
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
        self._mirrored = self._random(len(labels)) < 0.5

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        epoch = 0
        while True:
            order = torch.randperm(len(self.labels), generator=self.generator, device=self.device)
            for step in range(self.steps_per_epoch):
                chosen = order[step * self.size : (step + 1) * self.size]
                yield self._augment(chosen, epoch), self.labels[chosen]
            epoch += 1

    def _augment(self, chosen: Tensor, epoch: int) -> Tensor:
        settings = self.settings
        batch = self.images[chosen.to(self.images.device)].to(self.device)
        turned = settings.rotate > 0 or settings.zoom > 0
        if any(self.reach) and not turned:
            batch = self._shifted(batch)
        if settings.flip:
            # Mirrored in one epoch, not in the next: each picture is seen from both sides equally
            # often (Jordan, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498, section 3.6).
            mirrored = self._mirrored[chosen] ^ bool(epoch % 2)
            batch = torch.where(mirrored[:, None, None, None], batch.flip(2), batch)
        if turned:
            batch = self._turned(batch)
        if settings.colour:
            batch = self._coloured(batch)
        return batch

    def _shifted(self, batch: Tensor) -> Tensor:
        """Each picture moved by its own whole number of pixels; see `_pad` for the edges."""
        count, height, width, channels = batch.shape
        down, right = self.reach
        padded = _pad(batch, down, right)
        views = padded.as_strided(
            (count, 2 * down + 1, 2 * right + 1, height, width, channels),
            (*padded.stride()[:3], *padded.stride()[1:]),
        )
        rows = self._whole(2 * down + 1, count)
        columns = self._whole(2 * right + 1, count)
        return views[torch.arange(count, device=batch.device), rows, columns]

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


def _pad(batch: Tensor, down: int, right: int) -> Tensor:
    """Add `down` rows and `right` columns on each side: mirrored for colour, black for grey."""
    _, height, width, channels = batch.shape
    if channels == 1:
        return functional.pad(batch, (0, 0, right, right, down, down))
    rows = _mirror(height, down, batch.device)
    columns = _mirror(width, right, batch.device)
    return batch[:, rows][:, :, columns]


def _mirror(size: int, pad: int, device: torch.device) -> Tensor:
    """Indices of a line mirrored at its ends, again and again, without repeating the end itself."""
    last = size - 1
    positions = torch.arange(-pad, size + pad, device=device) % max(1, 2 * last)
    return last - (last - positions).abs()
