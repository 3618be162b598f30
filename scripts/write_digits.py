"""Write one picture of each digit, of those that a run on `digits` held out, as 8×8 PNG files."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from striate.data import open_data


def main(run: Path, folder: Path) -> None:
    """Write `0.png` to `9.png` into a folder."""
    held_out = open_data("digits", None, split_file=run / "split.csv", splits=("test",)).test
    folder.mkdir(parents=True, exist_ok=True)
    for digit in range(10):
        image = held_out.images[held_out.labels.tolist().index(digit)]
        Image.fromarray(image[:, :, 0]).save(folder / f"{digit}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
