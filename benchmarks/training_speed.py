"""Images a second in training: Striate beside the loop that a user would write.

    python benchmarks/training_speed.py FOLDER [--network resnet18] [--size 32] [--rounds 5]

FOLDER holds class folders of JPEG pictures. The contenders train the same network on the same
pictures with the same batch, and take turns of some seconds in one process each; the table gives
the median of the rounds, their range, and the ratio to the plain loop.

    plain      float32, torchvision ImageFolder and DataLoader (2 workers), crop and flip, SGD
    autocast   the same with channels-last memory and bfloat16 autocast
    striate    `striate train` as it comes
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch.nn import functional

WARM_UP = 5


def plain(folder: Path, network: str, size: int, batch: int, low: bool) -> Iterator[int]:
    """A step of the plain loop at each turn: the number of images."""
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    import striate

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
    graph = striate.load_graph(network, input=(3, size, size))
    model = striate.build(graph, seed=0)
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


def ours(folder: Path, network: str, size: int, batch: int) -> Iterator[int]:
    """A step of Striate's loop at each turn, by a thread that waits between turns."""
    import queue
    import tempfile
    import threading

    from striate.training import clock, loop
    from striate.training.choosing import Wishes
    from striate.training.progress import Display
    from striate.training.train import fit

    turns: queue.Queue[None] = queue.Queue()
    done: queue.Queue[int] = queue.Queue()

    class Turned(clock.Clock):
        def stop(self) -> None:
            super().stop()
            done.put(self.batch)
            turns.get()
            self.start()

    loop.Clock = Turned  # type: ignore[attr-defined]

    def train() -> None:
        with tempfile.TemporaryDirectory() as run:
            fit(
                network,
                str(folder),
                Wishes(epochs=10_000, batch=batch),
                output=Path(run) / "run",
                input=(3, size, size),
                display=Display(io.StringIO()),
            )

    threading.Thread(target=train, daemon=True).start()
    while True:
        yield done.get()
        turns.put(None)


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
        "striate": lambda: ours(a.folder, a.network, a.size, a.batch),
    }
    context = multiprocessing.get_context("fork")
    pipes: dict[str, Connection] = {}
    for name, steps in contenders.items():
        pipes[name], theirs = context.Pipe()
        context.Process(target=contend, args=(steps, theirs)).start()
        pipes[name].recv()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(a.rounds):
        for name, pipe in pipes.items():
            pipe.send(a.seconds)
            rates[name].append(pipe.recv())
    print(
        f"{a.network} at {a.size} px, batch {a.batch}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    base = statistics.median(rates["plain"])
    for name, found in rates.items():
        middle = statistics.median(found)
        print(
            f"{name:10} {middle:8.0f} images/s  ({min(found):.0f} to {max(found):.0f})  "
            f"{middle / base:5.2f} × plain"
        )
    for pipe in pipes.values():
        pipe.send(None)


if __name__ == "__main__":
    main()
