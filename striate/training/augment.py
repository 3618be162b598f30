"""Augmentation as batched tensor operations on uint8 pictures, on the device that trains.

Nothing here runs once for a picture: a batch is gathered, shifted, mirrored, turned and coloured by
a handful of tensor operations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from striate.training.settings import Settings
from striate.training.team import ALONE, Team
from striate.training.trivial import KINDS, LEVELS, changed


@dataclass(frozen=True)
class Batch:
    """What one step learns from."""

    pictures: Tensor
    """uint8 or float32, B×H×W×C in 0…255."""
    labels: Tensor
    """int64, B."""
    places: Tensor
    """Where the pictures stand in the training set, B."""
    others: Tensor
    """The labels of the pictures that these are mixed with, B; their own where they are not."""
    share: float = 1.0
    """The share of the own labels."""

    def cut(self, share: slice) -> Batch:
        """Some of its pictures."""
        return replace(
            self,
            pictures=self.pictures[share],
            labels=self.labels[share],
            places=self.places[share],
            others=self.others[share],
        )

    def parts(self, count: int) -> list[Batch]:
        """So many parts, one after the other."""
        if count == 1:
            return [self]
        whole = (self.pictures, self.labels, self.places, self.others)
        cut = zip(*(each.tensor_split(count) for each in whole), strict=True)
        return [
            replace(self, pictures=pictures, labels=labels, places=places, others=others)
            for pictures, labels, places, others in cut
        ]


class Batches:
    """Endless shuffled, augmented batches of a training set.

    `images` is uint8 N×H×W×C and `labels` int64 N. The labels and `generator` are on the device
    that trains, where the batches come to be; pictures that are too many for it may lie elsewhere.
    Every epoch visits every picture once, but for a last batch that is not full. Of each batch the
    share of one process of the `team` is given; all together are the batch that one alone would
    get. Every random
    choice comes from `generator`, so that its state, `epoch`, `position`, `order` and `mirrored`
    say all that decides the batches to come.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        settings: Settings,
        generator: torch.Generator,
        team: Team = ALONE,
    ) -> None:
        self.images, self.labels, self.settings = images, labels, settings
        self.generator, self.device = generator, generator.device
        self.size = min(settings.batch, len(labels))
        self._mixes = settings.mixup > 0 or settings.cutmix > 0
        self._share = team.share(self.size)
        self._drawn = slice(None) if self._mixes else self._share
        """The pictures of a batch that are augmented here: all, where they are mixed."""
        self.steps_per_epoch = len(labels) // self.size
        height, width = images.shape[1:3]
        self.reach = (round(settings.shift * height), round(settings.shift * width))
        self.mirrored = self._uniform(len(labels)) < 0.5
        self.order = self._shuffled()
        self.epoch = 0
        self.position = 0
        """Batches that this epoch has given."""
        self.chosen = self.order[:0]
        """Where the pictures of the last batch stand, those of all processes."""
        self._pixels = images.reshape(-1, images.shape[3])
        if settings.cutout:
            self._mean = mean_colour(self._pixels).to(self.device)
        self._lit_up = settings.lighting > 0 and images.shape[3] == 3
        if self._lit_up:
            self._components = components(self._pixels).to(self.device)

    def next(self) -> Batch:
        """The next batch."""
        if self.position == self.steps_per_epoch:
            self.order = self._shuffled()
            self.epoch, self.position = self.epoch + 1, 0
        chosen = self.order[self.position * self.size : (self.position + 1) * self.size]
        self.position += 1
        self.chosen, chosen = chosen, chosen[self._drawn]
        pictures, labels = self._augment(chosen, self.epoch), self.labels[chosen]
        if self._mixes:
            return self._mixed(pictures, labels, chosen).cut(self._share)
        return Batch(pictures, labels, chosen, labels)

    def _mixed(self, pictures: Tensor, labels: Tensor, places: Tensor) -> Batch:
        """Each picture with another of the batch: by mixup (Zhang et al. 2017, arXiv 1710.09412)
        or by CutMix (Yun et al. 2019, arXiv 1905.04899, algorithm A1)."""
        settings = self.settings
        both = settings.mixup > 0 and settings.cutmix > 0
        mixes = bool(self._uniform(1) < 0.5) if both else settings.mixup > 0
        share = self._beta(settings.mixup if mixes else settings.cutmix)
        other = torch.randperm(len(labels), generator=self.generator, device=self.device)
        if mixes:
            pictures = pictures.float()
            pictures = torch.lerp(pictures[other], pictures, share)
        else:
            height, width = pictures.shape[1:3]
            side = math.sqrt(1 - share)
            (top, bottom), (left, right) = self._span(height, side), self._span(width, side)
            pictures = pictures.clone()
            pictures[:, top:bottom, left:right] = pictures[other, top:bottom, left:right]
            share = 1 - (bottom - top) * (right - left) / (height * width)
        return Batch(pictures, labels, places, labels[other], share)

    def _span(self, size: int, share: float) -> tuple[int, int]:
        """A stretch of that share of a line, cut at the line's ends."""
        middle = int(torch.randint(size, (1,), generator=self.generator, device=self.device))
        half = round(share * size) / 2
        return max(0, math.ceil(middle - half)), min(size, math.ceil(middle + half))

    def _beta(self, alpha: float) -> float:
        """A number from 0 to 1 of the Beta distribution with both parameters alike."""
        parameters = torch.full((2,), alpha, dtype=torch.float64, device=self.device)
        one, other = torch._standard_gamma(parameters, generator=self.generator).tolist()
        return one / (one + other) if one + other else 0.5

    def _shuffled(self) -> Tensor:
        return torch.randperm(len(self.labels), generator=self.generator, device=self.device)

    def _augment(self, chosen: Tensor, epoch: int) -> Tensor:
        settings = self.settings
        turned = settings.rotate > 0 or settings.zoom > 0 or settings.crop > 0
        batch = self._picked(chosen, epoch, (0, 0) if turned else self.reach)
        if turned:
            batch = self._turned(batch)
        if settings.colour:
            batch = self._coloured(batch)
        if self._lit_up:
            batch = self._lit(batch)
        if settings.trivial:
            signs = torch.where(self._random() < 0.5, -1, 1)
            batch = changed(batch, self._whole(len(KINDS)), self._whole(LEVELS), signs)
        if settings.cutout:
            batch = self._hidden(batch)
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
        return line + self._whole(2 * reach + 1)[:, None] - reach if reach else line

    def _turned(self, batch: Tensor) -> Tensor:
        """Each picture turned, scaled and shifted by its own amounts, in one sampling."""
        _, height, width, _ = batch.shape
        settings = self.settings
        angle = self._within(math.radians(settings.rotate))
        scale = 1 + self._within(settings.zoom)
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        ratio = height / width
        across, down = (self._within(2 * settings.shift) for _ in range(2))
        wide = high = torch.ones_like(cos)
        if settings.crop:
            wide, high = self._cut()
            across = across + self._within(1) * (1 - wide)
            down = down + self._within(1) * (1 - high)
        grid_of = torch.stack(
            [
                torch.stack([cos * wide, -sin * ratio * high, across], 1),
                torch.stack([sin / ratio * wide, cos * high, down], 1),
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

    def _cut(self) -> tuple[Tensor, Tensor]:
        """Shares of the width and of the height: of an area and at sides drawn evenly.

        Szegedy et al. 2014, arXiv 1409.4842, section 6; sides are even in their logarithm.
        """
        area = 1 - self._random() * (1 - self.settings.crop)
        sides = torch.exp(self._within(math.log(4 / 3)))
        wide, high = (area * sides).sqrt(), (area / sides).sqrt()
        return wide.clamp(max=1.0), high.clamp(max=1.0)

    def _lit(self, batch: Tensor) -> Tensor:
        """Every picture's colours moved along the components of all (Krizhevsky et al. 2012,
        section 4.1)."""
        amounts = torch.randn(self.size, 3, generator=self.generator, device=self.device)
        amounts = amounts[self._drawn]
        moved = (amounts * self.settings.lighting) @ self._components
        return (batch.float() + moved[:, None, None]).clamp_(0, 255)

    def _hidden(self, batch: Tensor) -> Tensor:
        """A square of each picture in the mean colour (DeVries & Taylor 2017, arXiv 1708.04552).

        Its centre lies anywhere on the picture, so that a part of it may lie outside.
        """
        _, height, width, _ = batch.shape
        side = round(self.settings.cutout * min(height, width))
        rows, columns = (
            torch.arange(size, device=self.device) - self._whole(size)[:, None] + side // 2
            for size in (height, width)
        )
        hidden = _inside(rows, side)[:, :, None] & _inside(columns, side)[:, None]
        return torch.where(hidden[..., None], self._mean.to(batch.dtype), batch)

    def _coloured(self, batch: Tensor) -> Tensor:
        """Brightness, contrast and saturation changed by a factor of each picture's own."""
        pictures = batch.float()
        brightness, contrast, saturation = (
            (1 + self._within(self.settings.colour))[:, None, None, None] for _ in range(3)
        )
        grey = pictures.mean(3, keepdim=True)
        pictures = grey + (pictures - grey) * saturation
        mean = grey.mean((1, 2), keepdim=True)
        return ((pictures - mean) * contrast + mean * brightness).clamp_(0, 255)

    def _uniform(self, count: int) -> Tensor:
        return torch.rand(count, generator=self.generator, device=self.device)

    def _random(self) -> Tensor:
        """For each picture that is augmented here one of the numbers that are drawn for all."""
        return self._uniform(self.size)[self._drawn]

    def _within(self, limit: float) -> Tensor:
        return (self._random() * 2 - 1) * limit

    def _whole(self, below: int) -> Tensor:
        drawn = torch.randint(below, (self.size,), generator=self.generator, device=self.device)
        return drawn[self._drawn]


def _folded(positions: Tensor, size: int) -> Tensor:
    """Positions on a line mirrored at its ends, again and again, without repeating the end."""
    last = size - 1
    return last - (last - positions % max(1, 2 * last)).abs()


def _inside(positions: Tensor, size: int) -> Tensor:
    return (positions >= 0) & (positions < size)


_PIXELS = 1 << 20
"""Pixels, evenly spaced, that colours are told from."""


def _sample(pixels: Tensor) -> Tensor:
    return pixels[:: max(1, len(pixels) // _PIXELS)].double()


def mean_colour(pixels: Tensor) -> Tensor:
    """The mean of uint8 pixels P×C, in 0…255."""
    return _sample(pixels).mean(0).float()


def components(pixels: Tensor) -> Tensor:
    """The principal components of colours P×3, a row each, as long as their variances.

    In 0…255 for components of pixels from 0 to 1, as AlexNet's are.
    """
    colours = _sample(pixels) / 255
    variances, directions = torch.linalg.eigh(torch.cov(colours.T))
    return (variances[:, None] * directions.T * 255).float()
