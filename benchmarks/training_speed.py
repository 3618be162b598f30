"""Images a second in training: Striate beside what a user would take instead.

    python -m venv peers && peers/bin/pip install . timm fastai ultralytics keras tensorflow jax
    peers/bin/python benchmarks/training_speed.py FOLDER [--network resnet18_cifar] [--size 32]

FOLDER holds class folders of pictures, or pictures alone, each of which is then a class and there
ten times. The contenders train the same network on the same pictures with the same batch, and take
turns of some seconds in one process each; the table gives the median of the rounds, their range,
and the ratio to the plain loop.

    plain                  float32, torchvision ImageFolder and DataLoader (2 workers), SGD
    autocast               the same with channels-last memory and bfloat16 autocast
    timm                   timm's loader with the plain loop
    fastai                 fastai's Learner with its batch transforms
    keras-…                Keras 3 on TensorFlow, torch or JAX; tf.data with Keras's layers, fit
    ultralytics            its classification trainer
    striate                `striate train` as it comes, with Muon
    striate-sgd            the same with the optimizer of the others: --recipe sgd

Those that are not installed are left out, and named. With `--blocks` each peer is there a second
time with freed memory kept as Striate keeps it. The share of the peak is of the rate that a
large product or convolution in bfloat16 goes at, measured in the same run, at three times the
forward pass's multiplications for a step.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch.nn import functional
from training_peers import CONTENDERS, Task

import striate
from striate.training.device import keep_large_blocks

WARM_UP = 3
COPIES = 10
"""How often a picture stands in its class where each is one."""


@dataclass
class Contender:
    """A process that trains when it is asked to."""

    name: str
    pipe: Connection
    rates: list[float]


def peak() -> float:
    """Multiplications and additions a second: the faster of a product of two large bfloat16
    matrices and a convolution (where processors multiply tiles, it is the convolution)."""
    one = torch.randn(2048, 2048).bfloat16()
    images = torch.randn(64, 128, 16, 16).bfloat16().contiguous(memory_format=torch.channels_last)
    filters = torch.randn(128, 128, 3, 3).bfloat16().contiguous(memory_format=torch.channels_last)
    products: list[tuple[float, Callable[[], object]]] = [
        (2048**3, lambda: one @ one),
        (64 * 128 * 128 * 9 * 16**2, lambda: functional.conv2d(images, filters, padding=1)),
    ]
    rates = []
    for macs, call in products:
        call()
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < 1:
            call()
            count += 1
        rates.append(count * 2 * macs / (time.perf_counter() - began))
    return max(rates)


def contend(
    steps: Callable[[Task], Iterator[int]], task: Task, keeps: bool, pipe: Connection
) -> None:
    """In a process of its own: run for the seconds that the pipe asks for, answer the rate."""
    if keeps:
        keep_large_blocks()
    try:
        turn = steps(task)
        for _ in range(WARM_UP):
            next(turn)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
        return
    pipe.send("")
    while (seconds := pipe.recv()) is not None:
        images, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            images += next(turn)
        pipe.send(images / (time.perf_counter() - began))


def started(task: Task, names: list[str], blocks: bool) -> Iterator[Contender]:
    """The contenders that are installed and take a few steps; the others are named."""
    context = multiprocessing.get_context("fork")
    for name in names:
        package, steps = CONTENDERS[name]
        if importlib.util.find_spec(package) is None:
            print(f"{name}: {package} is not installed")
            continue
        for keeps in (False, True) if blocks and package != "striate" else (False,):
            pipe, theirs = context.Pipe()
            process = context.Process(target=contend, args=(steps, task, keeps, theirs))
            process.start()
            theirs.close()
            shown = f"{name}, blocks kept" if keeps else name
            if problem := pipe.recv():
                print(f"{shown}: {problem}")
                process.join()
            else:
                yield Contender(shown, pipe, [])


def laid_out(folder: Path, place: Path) -> Path:
    """Class folders: those that there are, or one for each picture."""
    pictures = [each for each in sorted(folder.iterdir()) if each.is_file()]
    if not pictures:
        return folder
    for picture in pictures:
        (place / picture.stem).mkdir()
        for copy in range(COPIES):
            (place / picture.stem / f"{copy}{picture.suffix}").symlink_to(picture.resolve())
    return place


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--network", default="resnet18_cifar")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--crops", action="store_true", help="random-resized crops, not shifts")
    parser.add_argument("--blocks", action="store_true", help="peers with memory kept, too")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="names, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    a = parser.parse_args()
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = laid_out(a.folder, place)
        task = Task(folder, a.network, a.size, a.batch, a.crops)
        contenders = list(started(task, a.only.split(","), a.blocks))
        peaks = []
        for _ in range(a.rounds):
            peaks.append(peak())
            for each in contenders:
                each.pipe.send(a.seconds)
                each.rates.append(each.pipe.recv())
        for each in contenders:
            each.pipe.send(None)
    print(
        f"{a.network} at {a.size} px, batch {a.batch}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )
    most = statistics.median(peaks)
    base = next((statistics.median(each.rates) for each in contenders if each.name == "plain"), 0)
    macs = striate.size(a.network, input=(3, a.size, a.size)).totals.macs
    print(
        f"{most / 1e9:.0f} GFLOP/s of bfloat16 ({min(peaks) / 1e9:.0f} to {max(peaks) / 1e9:.0f})"
    )
    for each in contenders:
        middle = statistics.median(each.rates)
        ratio = f"{middle / base:5.2f} × plain  " if base else ""
        print(
            f"{each.name:34} {middle:7.0f} images/s  "
            f"({min(each.rates):.0f} to {max(each.rates):.0f})  {ratio}"
            f"{6 * macs * middle / most:4.0%} of the peak"
        )


if __name__ == "__main__":
    main()
