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


def squared(picture: bytes) -> bytes:
    """A PNG with white beside its shorter sides, so that it is square."""
    with Image.open(BytesIO(picture)) as image:
        if image.width == image.height:
            return picture
        side = max(image.size)
        ground = Image.new("RGB", (side, side), "white")
        ground.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    buffer = BytesIO()
    ground.save(buffer, "PNG")
    return buffer.getvalue()
