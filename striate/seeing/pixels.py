"""Arrays of pixels as PNG files."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from striate.data.pictures import Pixels


def png(pixels: Pixels, largest: int | None = None) -> bytes:
    """H×W×C uint8 (C is 1 or 3) as PNG, made smaller if a side is longer than `largest`."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if largest is not None:
        image.thumbnail((largest, largest))
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
