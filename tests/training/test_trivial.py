"""Each change of TrivialAugment, held to torchvision's of the same strength."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as published

from striate.training.augment import Batches
from striate.training.settings import Settings
from striate.training.trivial import KINDS, LEVELS, changed

NEAREST = InterpolationMode.NEAREST


def sheared(image: Tensor, across: float, down: float) -> Tensor:
    angles = [math.degrees(math.atan(across)), math.degrees(math.atan(down))]
    return published.affine(
        image, angle=0.0, translate=[0, 0], scale=1.0, shear=angles, center=[0, 0]
    )


def shifted(image: Tensor, across: float, down: float) -> Tensor:
    return published.affine(
        image, angle=0.0, translate=[int(across), int(down)], scale=1.0, shear=[0.0, 0.0]
    )


WANTED: dict[str, Callable[[Tensor, float], Tensor]] = {
    "same": lambda image, _: image,
    "spread": lambda image, _: published.autocontrast(image),
    "equalised": lambda image, _: published.equalize(image),
    "solarised": lambda image, s: published.solarize(image, 255 * (1 - abs(s))),
    "posterised": lambda image, s: published.posterize(image, 8 - round(6 * abs(s))),
    "saturated": lambda image, s: published.adjust_saturation(image, 1 + 0.99 * s),
    "contrasted": lambda image, s: published.adjust_contrast(image, 1 + 0.99 * s),
    "brightened": lambda image, s: published.adjust_brightness(image, 1 + 0.99 * s),
    "sharpened": lambda image, s: published.adjust_sharpness(image, 1 + 0.99 * s),
    "turned": lambda image, s: published.rotate(image, 135 * s, interpolation=NEAREST),
    "sheared across": lambda image, s: sheared(image, 0.99 * s, 0),
    "sheared down": lambda image, s: sheared(image, 0, 0.99 * s),
    "shifted across": lambda image, s: shifted(image, 32 * s, 0),
    "shifted down": lambda image, s: shifted(image, 0, 32 * s),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_change_is_torchvisions(kind: str, channels: int) -> None:
    torch.manual_seed(1)
    rough = torch.rand(6, channels, 5, 7) * 200 + 20
    images = torch.nn.functional.interpolate(rough, (40, 52), mode="bicubic").clamp(0, 255)
    images = images.round().to(torch.uint8)
    levels = torch.tensor([0, 7, 12, 20, 25, LEVELS - 1])
    signs = torch.tensor([1, 1, -1, 1, -1, -1])
    numbers = torch.full((6,), list(KINDS).index(kind))
    found = changed(images.permute(0, 2, 3, 1), numbers, levels, signs).permute(0, 3, 1, 2)
    for image, given, level, sign in zip(images, found, levels, signs, strict=True):
        expected = WANTED[kind](image, float(level / 30 * sign)).float()
        rounded = 2.01 if kind in ("saturated", "contrasted", "sharpened") else 1.01
        near = (given - expected).abs() <= rounded
        assert near.float().mean() > (0.985 if kind.startswith(("turned", "sheared")) else 0.9999)


def test_every_picture_is_changed_in_its_own_way() -> None:
    images = torch.randint(0, 256, (14, 12, 12, 3), dtype=torch.uint8)
    levels, signs = torch.full((14,), 11), torch.ones(14, dtype=torch.int64)
    together = changed(images, torch.arange(14), levels, signs)
    for kind in range(14):
        one = slice(kind, kind + 1)
        alone = changed(images[one], torch.arange(14)[one], levels[one], signs[one])
        assert torch.equal(together[one], alone)


def test_batches_take_every_way_equally_often(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def noted(batch: Tensor, kinds: Tensor, levels: Tensor, signs: Tensor) -> Tensor:
        seen.append((kinds, levels, signs))
        return changed(batch, kinds, levels, signs)

    monkeypatch.setattr("striate.training.augment.changed", noted)
    images = torch.randint(0, 256, (2000, 4, 4, 1), dtype=torch.uint8)
    settings = Settings(epochs=1.0, batch=2000, trivial=True)
    batches = Batches(images, torch.arange(2000), settings, torch.Generator().manual_seed(0))
    batch = batches.next()
    assert batch.pictures.shape == images.shape
    assert 0 <= float(batch.pictures.min()) <= float(batch.pictures.max()) <= 255
    ((kinds, levels, signs),) = seen
    assert set(signs.tolist()) == {-1, 1}
    for drawn, count in ((kinds, len(KINDS)), (levels, LEVELS)):
        share = torch.bincount(drawn, minlength=count) / 2000 * count
        assert len(share) == count
        assert share.min() > 0.5
        assert share.max() < 1.6
