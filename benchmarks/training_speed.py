"""Images a second in training: Striate beside what a user would take instead.

    python -m venv peers && peers/bin/pip install . timm fastai
    peers/bin/python benchmarks/training_speed.py FOLDER [--network resnet18] [--size 32]

FOLDER holds class folders of JPEG pictures. The contenders train the same network on the same
pictures with the same batch, and take turns of some seconds in one process each; the table gives
the median of the rounds, their range, and the ratio to the plain loop.

    plain      float32, torchvision ImageFolder and DataLoader (2 workers), crop and flip, SGD
    autocast   the same with channels-last memory and bfloat16 autocast
    timm       timm's loader with the plain loop
    fastai     fastai's Learner with its batch transforms
    striate    `striate train` as it comes

Those that are not installed are left out, and named. The share of the peak is of the rate that two
large bfloat16 matrices are multiplied at, measured in the same run, at three times the forward
pass's multiplications for a step.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import multiprocessing
import platform
import queue
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

import striate

WARM_UP = 5


def plain(folder: Path, network: str, size: int, batch: int, low: bool) -> Iterator[int]:
    """A step of the plain loop at each turn: the number of images."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    pipeline = transforms.Compose(
        [
            transforms.Resize(size),
            transforms.CenterCrop(size),
            transforms.RandomCrop(size, padding=size // 8),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        ]
    )
    data = datasets.ImageFolder(str(folder), pipeline)
    loader = DataLoader(data, batch, shuffle=True, num_workers=2, drop_last=True)
    yield from looped(loader, built(network, size), low)


def with_timm(folder: Path, network: str, size: int, batch: int) -> Iterator[int]:
    """The same loop over timm's loader."""
    from timm.data.dataset import ImageDataset
    from timm.data.loader import create_loader

    loader = create_loader(
        ImageDataset(str(folder)),
        input_size=(3, size, size),
        batch_size=batch,
        is_training=True,
        use_prefetcher=False,
        color_jitter=0.0,
        num_workers=2,
    )
    yield from looped(loader, built(network, size), low=False)


def built(network: str, size: int) -> nn.Module:
    """The network as a torch module."""
    return striate.build(striate.load_graph(network, input=(3, size, size)), seed=0)


def looped(
    loader: Iterable[tuple[torch.Tensor, torch.Tensor]], model: nn.Module, low: bool
) -> Iterator[int]:
    """Steps over the batches of a loader, again and again."""
    if low:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    while True:
        for images, labels in loader:
            if low:
                images = images.to(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield len(images)


def with_fastai(folder: Path, network: str, size: int, batch: int) -> Iterator[int]:
    """fastai's Learner, which waits between its batches."""
    from fastai.vision.all import (
        Callback,
        CrossEntropyLossFlat,
        ImageDataLoaders,
        Learner,
        Resize,
        aug_transforms,
    )

    def train(waits: Callable[[int], None]) -> None:
        class Turns(Callback):
            def after_batch(self) -> None:
                if self.training:
                    waits(batch)

        loaders = ImageDataLoaders.from_folder(
            str(folder),
            valid_pct=0.01,
            item_tfms=Resize(size),
            batch_tfms=aug_transforms(size=size, max_rotate=0, max_lighting=0, max_warp=0),
            bs=batch,
            num_workers=2,
        )
        learner = Learner(loaders, built(network, size), CrossEntropyLossFlat(), cbs=Turns())
        with learner.no_bar(), learner.no_logging():
            learner.fit(10_000, 0.001)

    yield from in_turns(train)


def ours(folder: Path, network: str, size: int, batch: int) -> Iterator[int]:
    """A step of Striate's loop at each turn."""
    import tempfile

    from striate.training import clock, loop
    from striate.training.choosing import Wishes
    from striate.training.progress import Display
    from striate.training.train import fit

    def train(waits: Callable[[int], None]) -> None:
        class Turned(clock.Clock):
            def stop(self) -> None:
                super().stop()
                waits(self.batch)
                self.start()

        loop.Clock = Turned  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as run:
            fit(
                network,
                str(folder),
                Wishes(epochs=10_000, batch=batch),
                output=Path(run) / "run",
                input=(3, size, size),
                display=Display(io.StringIO()),
            )

    yield from in_turns(train)


def in_turns(train: Callable[[Callable[[int], None]], None]) -> Iterator[int]:
    """Steps of a training that runs in a thread of its own and waits after each.

    `train` is given what it calls after a step, with the step's images.
    """
    turns: queue.Queue[None] = queue.Queue()
    done: queue.Queue[int] = queue.Queue()

    def waits(images: int) -> None:
        done.put(images)
        turns.get()

    threading.Thread(target=train, args=(waits,), daemon=True).start()
    while True:
        yield done.get()
        turns.put(None)


def peak() -> float:
    """Multiplications and additions a second of two large bfloat16 matrices."""
    one = torch.randn(2048, 2048).bfloat16()
    one @ one
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 1:
        one @ one
        count += 1
    return count * 2 * 2048**3 / (time.perf_counter() - began)


def contend(steps: Callable[[], Iterator[int]], pipe: Connection) -> None:
    """In a process of its own: run for the seconds that the pipe asks for, answer the rate."""
    turn = steps()
    for _ in range(WARM_UP):
        next(turn)
    pipe.send(0.0)
    while (seconds := pipe.recv()) is not None:
        images, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            images += next(turn)
        pipe.send(images / (time.perf_counter() - began))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    a = parser.parse_args()
    contenders: dict[str, Callable[[], Iterator[int]]] = {
        "plain": lambda: plain(a.folder, a.network, a.size, a.batch, False),
        "autocast": lambda: plain(a.folder, a.network, a.size, a.batch, True),
        "timm": lambda: with_timm(a.folder, a.network, a.size, a.batch),
        "fastai": lambda: with_fastai(a.folder, a.network, a.size, a.batch),
        "striate": lambda: ours(a.folder, a.network, a.size, a.batch),
    }
    for name in ("timm", "fastai"):
        if importlib.util.find_spec(name) is None:
            print(f"{name} is not installed and left out")
            del contenders[name]
    context = multiprocessing.get_context("fork")
    pipes: dict[str, Connection] = {}
    for name, steps in contenders.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=contend, args=(steps, theirs)).start()
        pipes[name].recv()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    peaks = []
    for _ in range(a.rounds):
        peaks.append(peak())
        for name, pipe in pipes.items():
            pipe.send(a.seconds)
            rates[name].append(pipe.recv())
    print(
        f"{a.network} at {a.size} px, batch {a.batch}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    base, most = statistics.median(rates["plain"]), statistics.median(peaks)
    macs = striate.size(a.network, input=(3, a.size, a.size)).totals.macs
    print(
        f"{most / 1e9:.0f} GFLOP/s of bfloat16 ({min(peaks) / 1e9:.0f} to {max(peaks) / 1e9:.0f})"
    )
    for name, found in rates.items():
        middle = statistics.median(found)
        print(
            f"{name:10} {middle:8.0f} images/s  ({min(found):.0f} to {max(found):.0f})  "
            f"{middle / base:5.2f} × plain  {6 * macs * middle / most:4.0%} of the peak"
        )
    for pipe in pipes.values():
        pipe.send(None)


if __name__ == "__main__":
    main()
