from __future__ import annotations

import csv
import io
from io import BytesIO

import numpy as np
from PIL import Image

from striate.data import Part
from striate.seeing.mistakes import worst_mistakes

CLASSES = ("ant", "bee", "cow")


def part(count: int, side: int = 6, channels: int = 3) -> Part:
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)
    return Part(images, np.zeros(count, np.int64), tuple(f"{i}.png" for i in range(count)))


def test_wrong_predictions_come_by_their_confidence() -> None:
    probabilities = np.array(
        [[0.1, 0.6, 0.3], [0.9, 0.1, 0.0], [0.02, 0.08, 0.9], [0.4, 0.35, 0.25], [0.3, 0.7, 0.0]],
        np.float32,
    )
    pictures = part(5)
    found = worst_mistakes(pictures, probabilities, CLASSES)
    told = [(m.file, m.true, m.said, round(m.probability, 2)) for m in found.worst]
    assert told == [
        ("2.png", "ant", "cow", 0.9),
        ("4.png", "ant", "bee", 0.7),
        ("0.png", "ant", "bee", 0.6),
    ]
    assert [round(m.true_probability, 2) for m in found.worst] == [0.02, 0.3, 0.1]
    assert found.total == 3
    shown = np.asarray(Image.open(BytesIO(found.worst[0].picture)))
    assert np.array_equal(shown, pictures.images[2])


def test_at_most_25_are_kept_and_large_pictures_made_smaller() -> None:
    probabilities = np.tile(np.array([0.1, 0.8, 0.1], np.float32), (40, 1))
    found = worst_mistakes(part(40, side=300, channels=1), probabilities, CLASSES)
    assert (len(found.worst), found.total) == (25, 40)
    assert Image.open(BytesIO(found.worst[0].picture)).size == (160, 160)
    assert found.smooth


def test_no_mistake_is_no_row() -> None:
    found = worst_mistakes(part(3), np.eye(3, dtype=np.float32)[[0, 0, 0]], CLASSES)
    assert found.worst == () and found.total == 0
    assert found.to_csv() == "file,true,said,probability,probability of true\n"
    assert found.scene().title == "No mistakes"


def test_the_csv_has_every_mistake() -> None:
    probabilities = np.tile(np.array([0.25, 0.75, 0.0], np.float32), (2, 1))
    found = worst_mistakes(part(2), probabilities, CLASSES)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert rows[0] == {
        "file": "0.png",
        "true": "ant",
        "said": "bee",
        "probability": "0.75",
        "probability of true": "0.25",
    }
    assert len(rows) == 2
