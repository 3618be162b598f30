"""A tested run and what its report is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from striate.data import Part, Preprocess
from striate.modules import Network, build
from striate.source import Source
from striate.training.clock import Row
from striate.training.run import NETWORK, Normalise, Record, Run, write_record
from striate.training.settings import Settings
from striate.training.testing import TestResult, test_part

torch.set_num_threads(1)

CLASSES = ('a <b>bold</b> & "quoted" cat', "dog 🐕", "plain")
TEXT = "# <i>three</i> classes\ninput 3x12x10 -> conv3-6 -> bn -> relu -> gap -> fc-3\n"


@dataclass(frozen=True)
class Case:
    """What `write_report` takes."""

    run: Run
    network: Network
    test: TestResult | None
    part: Part
    probabilities: np.ndarray | None
    rows: tuple[Row, ...]


def row(step: int, val: float = 0.5) -> Row:
    return Row(step, step / 10, step / 5, 100.0, 0.1 / step, 1.0 / step, 0.5, 1.2 / step, val)


def make_case(folder: Path, text: str = TEXT, pictures: int = 40) -> Case:
    network = build(Source(text, str(folder / NETWORK)), seed=0).eval()
    channels, height, width = network.graph.input
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (pictures, height, width, channels), np.uint8)
    labels = draw.integers(0, 3, pictures)
    files = tuple(f"<u>{i}</u>.png" for i in range(pictures))
    part = Part(images, labels, files)
    folder.mkdir(parents=True)
    record = Record(
        network="three",
        data="my <photos>",
        folder=str(folder),
        root=None,
        fingerprint="0",
        classes=CLASSES,
        preprocess=Preprocess(channels, height, width),
        normalise=Normalise((120.0,) * channels, (60.0,) * channels),
        settings=Settings(seconds=3.0),
        environment={"device": "a <gpu>", "threads": 2},
        notices=("something <odd>\nin two lines",),
        results={"seconds": 75.2, "epochs": 3.25, "val_accuracy": 0.5, "interrupted": False},
    )
    (folder / NETWORK).write_text(text, encoding="utf-8")
    write_record(folder, record)
    run = Run(folder, Source(text, str(folder / NETWORK)), record)
    test = found = None
    if pictures:
        test, found = test_part(run, network, part, data="its own", device="cpu")
    return Case(run, network, test, part, found, tuple(map(row, (1, 4, 8))))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path / "runs" / "three & more")
