"""Accuracy on the test set after a given time of training, over seeds.

    python benchmarks/time_to_accuracy.py --root DATA [--cifar DATA/cifar10-images] [--seeds 5]
    python benchmarks/time_to_accuracy.py --root DATA --speedrun [--only 60]

DATA holds MNIST as torchvision lays it out; the CIFAR-10 pictures are a folder of class folders
with `train` and `test`. Settings are the program's defaults, which were chosen on the validation
part; each training's test pictures are used once, after it. Seconds are those of training steps.
With `--speedrun` the recipe of that name has the times and targets of a record, and, as in a
record, all training pictures are learned from, none held out; `--only` takes those of so many
seconds.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from striate.training.choosing import Wishes
from striate.training.progress import Display
from striate.training.testing import test_part
from striate.training.train import fit


@dataclass(frozen=True)
class Task:
    """A network and data, the time to train, and the accuracy that every seed is to reach."""

    network: str
    data: str
    seconds: float
    target: float
    recipe: str = "default"
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """One training."""

    seed: int
    accuracy: float
    seconds: float
    epochs: float


def measure(task: Task, seed: int, root: Path) -> Measured:
    """Train once and test once."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = fit(
            task.network,
            task.data,
            Wishes(
                task.recipe,
                seconds=task.seconds,
                seed=seed,
                settings=task.settings,
            ),
            output=Path(folder) / "run",
            root=root,
            display=Display(io.StringIO()),
        )
        run = outcome.run
        result, _ = test_part(run, run.load_network(), outcome.data.test, data=task.data)
        trained = outcome.trained
        return Measured(seed, result.accuracy, trained.seconds, trained.epochs)


def report(task: Task, measured: list[Measured]) -> dict[str, object]:
    """Print one task's line and return it as data."""
    accuracies = [m.accuracy for m in measured]
    reached = sum(a >= task.target for a in accuracies)
    print(
        f"{Path(task.data).name:16} {task.network:28} {task.seconds:5g} s  "
        f"target {task.target:.1%}  reached by {reached} of {len(measured)}  "
        f"mean {statistics.mean(accuracies):.2%}  min {min(accuracies):.2%}  "
        f"median {statistics.median(accuracies):.2%}  "
        f"max {max(accuracies):.2%}  epochs {statistics.median(m.epochs for m in measured):.2f}",
        flush=True,
    )
    return {"task": asdict(task), "runs": [asdict(m) for m in measured], "reached": reached}


def processor() -> str:
    """The processor's name, as the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("data"))
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--speedrun", action="store_true")
    parser.add_argument("--only", type=float, help="seconds")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cifar = arguments.cifar or arguments.root / "cifar10-images"
    tasks = [
        Task("quick_grey", "mnist", 3, 0.990),
        Task("quick_grey", "mnist", 10, 0.994),
        Task("quick", str(cifar), 60, 0.82),
    ]
    if arguments.speedrun:
        whole = {"hold_out": 0}
        longer = {**whole, "shift": 0.0625}
        longest = {**longer, "cutout": 0.25, "weight_decay": 0.005}
        two, five = "sprint(middle=96, last=192)", "sprint(middle=128, last=256)"
        tasks = [
            Task("quick_grey", "mnist", 1.5, 0.990, "speedrun", whole),
            Task("sprint", str(cifar), 60, 0.86, "speedrun", whole),
            Task(two, str(cifar), 120, 0.88, "speedrun", longer),
            Task(five, str(cifar), 300, 0.905, "speedrun", longest),
        ]
    if arguments.only:
        tasks = [task for task in tasks if task.seconds == arguments.only]
    print(f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    results = [
        report(task, [measure(task, seed, arguments.root) for seed in range(arguments.seeds)])
        for task in tasks
    ]
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
