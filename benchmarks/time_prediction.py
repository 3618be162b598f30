"""The time of a training step as it is predicted, beside that of real ones.

    python benchmarks/time_prediction.py [--models NAME …] [--batch 8] [--json FILE]

The machine is measured anew, into a folder of its own; then each network's step is predicted from
those figures by `striate size --time` and measured by real steps, in both precisions. Beside it
stands what is usually reckoned with: three times the forward MACs at the rate of the largest
matrix product that was measured (`by MACs`). No number of the prediction is fitted to these
networks. Run it with nothing else on the machine; it takes about 8 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

import striate
from striate.sizing.machine import Machine
from striate.sizing.memory import PRECISIONS

MODELS = [
    "alexnet",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet50",
    "mobilenet_v1",
    "mobilenet_v2",
    "torchvision:densenet121",
    "torchvision:squeezenet1_1",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:mnasnet1_0",
    "torchvision:mobilenet_v3_large",
    "torchvision:efficientnet_b0",
    "torchvision:regnet_y_400mf",
    "torchvision:resnext50_32x4d",
    "torchvision:convnext_tiny",
    "timm:seresnet50",
    "timm:nf_resnet50",
    "timm:ghostnet_100",
]


@dataclass(frozen=True)
class Compared:
    """One network's step in one precision, in seconds."""

    model: str
    precision: str
    predicted: float
    by_macs: float
    measured: float
    low: float
    high: float

    def error(self, prediction: float) -> float:
        """How much longer (or shorter, negative) than the measured step, as a share of it."""
        return prediction / self.measured - 1


def compare(model: str, batch: int, precision: str, machine: Machine) -> Compared:
    """Predict and measure one network's step."""
    times = striate.measure_time(model, batch=batch, precision=precision)
    macs = striate.size(model, batch=batch).totals.macs
    peak = max(rate.forward.median for rate in machine.rates[precision]["matrix"])
    assert times.measured is not None
    step = times.measured.step
    by_macs = 3 * 2 * macs / (1e9 * peak)
    return Compared(model, precision, times.step, by_macs, step.median, step.low, step.high)


def line(row: Compared) -> str:
    """One row of the table, in milliseconds."""
    told, took, low, high = (
        f"{1e3 * value:.0f}" for value in (row.predicted, row.measured, row.low, row.high)
    )
    name = f"{row.model:32}{row.precision:10}"
    return f"{name}{told:>6}{took:>10}{f'({low}–{high})':>14}{row.error(row.predicted):>+8.0%}"


def summary(rows: Sequence[Compared]) -> list[str]:
    """How far both predictions are from the truth, and whether they order networks rightly."""
    lines = []
    for name, told in (
        ("predicted", [row.predicted for row in rows]),
        ("by MACs", [row.by_macs for row in rows]),
    ):
        errors = [row.error(value) for row, value in zip(rows, told, strict=True)]
        sizes = sorted(abs(error) for error in errors)
        within = sum(size <= 0.25 for size in sizes)
        order = statistics.correlation(ranks(told), ranks([row.measured for row in rows]))
        lines.append(
            f"{name}: error {statistics.median(sizes):.0%} in the median, {sizes[-1]:.0%} at most "
            f"({min(errors):+.0%} to {max(errors):+.0%}); {within} of {len(rows)} within 25%; "
            f"rank correlation {order:.3f}"
        )
    return lines


def ranks(values: Sequence[float]) -> list[int]:
    """The place of each value among them all."""
    return [sorted(values).index(value) for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        machine = striate.machine()[-1]
        print(f"{machine}; Python {platform.python_version()}; batch of {options.batch}\n")
        print(f"{'network':32}{'precision':10}{'told':>6}{'measured':>10}{'ms':>14}{'error':>8}")
        rows = []
        for model in options.models:
            for precision in PRECISIONS:
                row = compare(model, options.batch, precision, machine)
                rows.append(row)
                print(line(row), flush=True)
    for precision in PRECISIONS:
        print(f"\n{precision}", *summary([r for r in rows if r.precision == precision]), sep="\n")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")


if __name__ == "__main__":
    main()
