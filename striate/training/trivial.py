"""TrivialAugment: one change of each picture, at any strength (Müller & Hutter 2021, arXiv
2103.10158, table 1, the wide range).

Pictures are N×H×W×C in 0…255. All pictures that are changed in one way are changed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 31
"""Strengths, from none to the greatest."""
_GREATEST_MOVE = 32.0
"""Pixels."""
_GREY = (0.2989, 0.587, 0.114)
"""The weights of red, green and blue in a grey value (ITU-R BT.601)."""


def changed(batch: Tensor, kinds: Tensor, levels: Tensor, signs: Tensor) -> Tensor:
    """Each picture changed in its way of `KINDS`, float32.

    `levels` are whole numbers below LEVELS and `signs` are −1 or 1, N each.
    """
    pictures = batch.float()
    strength = levels / (LEVELS - 1)
    for number, change in enumerate(KINDS.values()):
        rows = (kinds == number).nonzero()[:, 0]
        if len(rows):
            found = change(pictures[rows], strength[rows], signs[rows].float())
            pictures = pictures.index_copy(0, rows, found)
    return pictures


Change = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Pictures, strengths from 0 to 1 and signs to pictures."""


def _same(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return pictures


def _spread(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """Each channel from its darkest value at 0 to its lightest at 255."""
    low, high = pictures.amin((1, 2), keepdim=True), pictures.amax((1, 2), keepdim=True)
    spread = (pictures - low) * (255 / (high - low).clamp(min=1e-3))
    return torch.where(high > low, spread, pictures).clamp(max=255)


def _equalised(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """Each channel's values as often as each other, as PIL does it."""
    whole = pictures.round().long()
    count, height, width, channels = whole.shape
    flat = whole.permute(0, 3, 1, 2).reshape(count * channels, height * width)
    histogram = torch.zeros(len(flat), 256, dtype=torch.int64, device=flat.device)
    histogram.scatter_add_(1, flat, torch.ones_like(flat))
    lightest = histogram.gather(1, flat.amax(1, keepdim=True))
    step = (height * width - lightest) // 255
    table = (histogram.cumsum(1) + step // 2) // step.clamp(min=1)
    table = functional.pad(table, (1, 0))[:, :-1].clamp(0, 255)
    found = torch.where(step > 0, table.gather(1, flat), flat)
    return found.reshape(count, channels, height, width).permute(0, 2, 3, 1).float()


def _solarised(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """Values from a threshold on turned to their negative."""
    threshold = (255 * (1 - strength))[:, None, None, None]
    return torch.where(pictures >= threshold, 255 - pictures, pictures)


def _posterised(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """The upper bits of each value, 8 to 2 of them."""
    step = 2.0 ** (strength * 6).round()[:, None, None, None]
    return (pictures.round() / step).floor() * step


def _blended(pictures: Tensor, others: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """From the others at a factor of 0.01 beyond the pictures at one of 1.99."""
    factor = (1 + sign * 0.99 * strength)[:, None, None, None]
    return torch.lerp(others, pictures, factor).clamp(0, 255)


def _grey(pictures: Tensor) -> Tensor:
    if pictures.shape[3] != 3:
        return pictures
    return (pictures * pictures.new_tensor(_GREY)).sum(3, keepdim=True)


def _saturated(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _blended(pictures, _grey(pictures).expand_as(pictures), strength, sign)


def _contrasted(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    mean = _grey(pictures).mean((1, 2, 3), keepdim=True)
    return _blended(pictures, mean.expand_as(pictures), strength, sign)


def _brightened(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _blended(pictures, torch.zeros_like(pictures), strength, sign)


def _sharpened(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """Away from, or towards, the mean of 3×3 pixels, of which the middle one counts five times."""
    if min(pictures.shape[1:3]) < 3:
        return pictures
    channels = pictures.shape[3]
    kernel = pictures.new_ones(channels, 1, 3, 3)
    kernel[:, :, 1, 1] = 5
    smooth = functional.conv2d(pictures.permute(0, 3, 1, 2), kernel / 13, groups=channels)
    others = pictures.clone()
    others[:, 1:-1, 1:-1] = smooth.permute(0, 2, 3, 1)
    return _blended(pictures, others, strength, sign)


def _turned(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    """By 135° at most, around the middle, counter-clockwise for a sign of 1."""
    angle = math.radians(135) * strength * sign
    cos, sin = angle.cos(), angle.sin()
    zero = torch.zeros_like(cos)
    return _moved(pictures, torch.stack([cos, -sin, zero, sin, cos, zero], 1), around_middle=True)


def _sheared(pictures: Tensor, across: Tensor, down: Tensor) -> Tensor:
    one, zero = torch.ones_like(across), torch.zeros_like(across)
    matrix = torch.stack([one, across, zero, down, one, zero], 1)
    return _moved(pictures, matrix, around_middle=False)


def _sheared_across(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _sheared(pictures, 0.99 * strength * sign, torch.zeros_like(sign))


def _sheared_down(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _sheared(pictures, torch.zeros_like(sign), 0.99 * strength * sign)


def _shifted(pictures: Tensor, across: Tensor, down: Tensor) -> Tensor:
    one, zero = torch.ones_like(across), torch.zeros_like(across)
    matrix = torch.stack([one, zero, -across, zero, one, -down], 1)
    return _moved(pictures, matrix, around_middle=False)


def _shifted_across(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _shifted(pictures, _pixels(strength, sign), torch.zeros_like(sign))


def _shifted_down(pictures: Tensor, strength: Tensor, sign: Tensor) -> Tensor:
    return _shifted(pictures, torch.zeros_like(sign), _pixels(strength, sign))


def _pixels(strength: Tensor, sign: Tensor) -> Tensor:
    return (_GREATEST_MOVE * strength).floor() * sign


def _moved(pictures: Tensor, matrix: Tensor, *, around_middle: bool) -> Tensor:
    """Each pixel read from the nearest one where its matrix N×6 puts it; outside lies black.

    The matrix takes places (x, y, 1), from the middle or from the middle of the first pixel.
    """
    count, height, width, channels = pictures.shape
    middle = ((width - 1) / 2, (height - 1) / 2) if around_middle else (-0.5, -0.5)
    across = torch.arange(width, device=pictures.device) - middle[0]
    down = torch.arange(height, device=pictures.device)[:, None] - middle[1]
    a, b, c, d, e, f = (each[:, None, None] for each in matrix.unbind(1))
    x = (a * across + b * down + c + middle[0]).round().long()
    y = (d * across + e * down + f + middle[1]).round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    places = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).reshape(count, -1, 1)
    found = pictures.reshape(count, -1, channels).gather(1, places.expand(-1, -1, channels))
    return found.reshape(pictures.shape) * inside[..., None]


KINDS: dict[str, Change] = {
    "same": _same,
    "spread": _spread,
    "equalised": _equalised,
    "solarised": _solarised,
    "posterised": _posterised,
    "saturated": _saturated,
    "contrasted": _contrasted,
    "brightened": _brightened,
    "sharpened": _sharpened,
    "turned": _turned,
    "sheared across": _sheared_across,
    "sheared down": _sheared_down,
    "shifted across": _shifted_across,
    "shifted down": _shifted_down,
}
"""The ways, each as likely as any other."""
