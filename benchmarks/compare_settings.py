"""Validation accuracy under changed settings, seed by seed, in turns.

    python benchmarks/compare_settings.py quick DATA --seconds 20 label_smoothing=0 lr=0.5,warmup=0

Each argument after DATA is one variant: settings of `striate.training.settings.Settings` joined by
commas; the defaults come first. The turns go round the variants once for each seed, so that a
machine that slows down slows all of them. The test pictures are not touched: this is what settings
are chosen with. Accuracies of single pictures (no mirror images), in per cent.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from striate.data import DataSet, open_data
from striate.graph import find_source
from striate.modules import build
from striate.source import Source
from striate.training import preparing
from striate.training.choosing import Wishes, choose
from striate.training.device import choose_machine, keep_large_blocks
from striate.training.fitting import Written, choose_input, preprocess_for
from striate.training.loop import train_network
from striate.training.settings import Settings
from striate.training.watching import Watcher

Change = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Result:
    """One training's end."""

    seed: int
    accuracy: float
    loss: float
    epochs: float


def parse(variant: str) -> Change:
    """Settings by name, from `lr=0.5,whiten=false`."""
    words = {field.name for field in fields(Settings) if str(field.type) == "str"}
    given = dict(part.split("=", 1) for part in variant.split(","))
    return {name: value if name in words else json.loads(value) for name, value in given.items()}


def measure(text: Source, data: DataSet, wishes: Wishes, change: Change) -> Result:
    """Train once; the last look at the validation pictures."""
    network = build(text, seed=wishes.seed)
    normalised = any(node.kind == "bn" for node in network.graph)
    wished = replace(wishes, settings={**wishes.settings, **change})
    settings = choose(len(data.train), network.graph.input, normalised, wished).settings
    trained = train_network(
        network,
        data,
        preparing.scaled(data, settings.scaling),
        settings,
        choose_machine(wishes.device, wishes.precision),
        Watcher(),
    )
    last = trained.rows[-1]
    return Result(wishes.seed, last.val_accuracy, last.val_loss, trained.epochs)


def main() -> None:
    """Take turns, then print a line for each variant."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("network")
    parser.add_argument("data")
    parser.add_argument("variants", nargs="*", metavar="SETTING=VALUE[,…]")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--epochs", type=float)
    length.add_argument("--seconds", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--root", type=Path, help="where mnist, cifar10 and the like are")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_intermixed_args()

    keep_large_blocks()
    network = Written(find_source(options.network))
    shape, _ = choose_input(network, options.data, None)
    data = open_data(options.data, preprocess_for(shape), root=options.root)
    text = network.fitted(shape, len(data.classes)).text
    changes: dict[str, Change] = {"defaults": {}} | {v: parse(v) for v in options.variants}
    found: dict[str, list[Result]] = {name: [] for name in changes}
    for seed in range(options.seeds):
        wishes = Wishes(epochs=options.epochs, seconds=options.seconds, seed=seed)
        for name, change in changes.items():
            found[name].append(measure(text, data, wishes, change))
    for name, results in found.items():
        accuracies = [100 * result.accuracy for result in results]
        print(
            f"{name:32} mean {statistics.mean(accuracies):.2f}  "
            f"({' '.join(f'{accuracy:.2f}' for accuracy in accuracies)})  "
            f"loss {statistics.mean(r.loss for r in results):.4f}  "
            f"epochs {statistics.mean(r.epochs for r in results):.2f}"
        )
    if options.json:
        every = {name: [asdict(result) for result in results] for name, results in found.items()}
        options.json.write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
