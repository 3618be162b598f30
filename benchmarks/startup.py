"""Seconds from the Enter key: whole processes, from the command line.

    python benchmarks/startup.py [--times 7]

Trains a small network on the built-in digits once, then times `striate size vgg16`, `striate
predict` of one picture, and the way to the first training step, in turns, with `import torch`
alone beside them.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

NETWORK = "input 1x8x8 -> conv3-16 -> bn -> relu -> pool2 -> fc-10"
FIRST_STEP = """
import os, sys
from striate.training.progress import Display
from striate.training.train import fit
from pathlib import Path

class First(Display):
    def step(self, moment):
        os._exit(0)

fit(sys.argv[1], "digits", output=Path(sys.argv[2]), display=First())
"""


def seconds(command: list[str]) -> float:
    """How long a process takes, from its start to its end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Take turns, then print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    striate = [sys.executable, "-m", "striate"]
    with tempfile.TemporaryDirectory() as folder:
        run, picture = Path(folder) / "run", Path(folder) / "one.png"
        Image.new("L", (8, 8), 128).save(picture)
        subprocess.run(
            [*striate, "train", NETWORK, "digits", "--epochs", "1", "-o", str(run)],
            check=True,
            capture_output=True,
        )
        commands = {
            "striate size vgg16": [*striate, "size", "vgg16"],
            "striate predict RUN one.png": [*striate, "predict", str(run), str(picture)],
            "to the first training step": [sys.executable, "-c", FIRST_STEP, NETWORK],
            "python -c 'import torch'": [sys.executable, "-c", "import torch"],
        }
        found: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(options.times):
            for name, command in commands.items():
                fresh = [f"{run}{turn}"] if command[2] is FIRST_STEP else []
                found[name].append(seconds(command + fresh))
    print(f"Python {platform.python_version()}, {platform.system()}")
    for name, times in found.items():
        print(
            f"{name:30} {statistics.median(times):5.2f} s  ({min(times):.2f} to {max(times):.2f})"
        )


if __name__ == "__main__":
    main()
