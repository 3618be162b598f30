"""A small run on digits, trained here by plain torch, and folders of pictures to use it on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from striate.data import DataSet, open_data, write_split
from striate.modules import Network, build
from striate.source import Source
from striate.training.prepare import to_input
from striate.training.run import (
    NETWORK,
    SPLIT,
    Normalise,
    Record,
    Run,
    open_run,
    write_record,
    write_weights,
)
from striate.training.settings import Settings

TEXT = "input 1x8x8 -> conv3-8 -> bn -> relu -> pool2 -> fc-10\n"
NORMALISE = Normalise((78.0,), (96.0,))

torch.set_num_threads(1)


def write_run(folder: Path, network: Network, data: DataSet, **changes: object) -> Run:
    """A run folder written by hand."""
    folder.mkdir(parents=True)
    record = Record(
        network="tiny",
        data=data.name,
        folder=data.root,
        root=None,
        fingerprint=data.fingerprint,
        classes=data.classes,
        preprocess=data.preprocess,
        normalise=NORMALISE,
        settings=Settings(epochs=1),
        environment={"device": "cpu", "threads": 1},
    )
    (folder / NETWORK).write_text(network.graph.source.text, encoding="utf-8")
    write_record(folder, replace(record, **changes))
    write_split(folder / SPLIT, data.assignment, data.classes)
    write_weights(folder, network.state_dict())
    return open_run(folder)


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return open_data("digits", None)


@pytest.fixture(scope="session")
def trained(digits: DataSet) -> Network:
    """A network that is right on most digits."""
    network = build(Source(TEXT), seed=0)
    images = to_input(torch.from_numpy(digits.train.images), NORMALISE, torch.float32)
    labels = torch.from_numpy(digits.train.labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(100):
        chosen = torch.arange(step * 64, step * 64 + 64) % len(labels)
        loss = torch.nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory, trained: Network, digits: DataSet) -> Run:
    return write_run(tmp_path_factory.mktemp("runs") / "digits-tiny", trained, digits)


@pytest.fixture
def run(kept_run: Run, tmp_path: Path) -> Run:
    """A copy that a test may damage."""
    folder = tmp_path / "runs" / "digits-tiny"
    shutil.copytree(kept_run.folder, folder)
    return open_run(folder)


def write_pictures(folder: Path, data: DataSet, chosen: range) -> None:
    """Test pictures of a data set as PNG files in class folders."""
    for index in chosen:
        label = data.classes[data.test.labels[index]]
        (folder / label).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(data.test.images[index, :, :, 0])
        picture.save(folder / label / f"{index:04}.png")


@pytest.fixture
def pictures(tmp_path: Path, digits: DataSet) -> Path:
    """60 test pictures of digits in class folders."""
    write_pictures(tmp_path / "pictures", digits, range(60))
    return tmp_path / "pictures"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
