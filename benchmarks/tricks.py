"""What each trick does to a network of CIFAR-10 under one small budget.

    python benchmarks/tricks.py DATA [--pictures 10000] [--epochs 8] [--seeds 3] [--only NAME …]

`quick` is trained on the same 10 000 pictures for 8 epochs by the default recipe, and with one
thing changed at a time; for three seeds each, in turns. Accuracies are of the validation pictures
alone, in per cent: the test pictures are not touched. Epochs are the budget and not seconds, so
that a busy machine changes nothing. Prints Markdown: mean, the difference to the default with its
standard error, seed by seed paired.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import replace

import compare_settings as compare
import torch

from striate.data import DataSet, open_data
from striate.graph import find_source
from striate.training.choosing import Wishes
from striate.training.device import keep_large_blocks
from striate.training.fitting import Written, choose_input, preprocess_for

SGD = "optimizer=sgd,lr=0.1,momentum=0.9,weight_decay=0.0005"
VARIANTS = {
    "no label smoothing": "label_smoothing=0.0",
    "label smoothing 0.2": "label_smoothing=0.2",
    "first layer not whitened": "whiten=false",
    "never mirrored": "flip=false",
    "not shifted": "shift=0.0",
    "crops down to half the area": "crop=0.5",
    "pictures that grow from half their sides": "progressive=0.5",
    "colours changed by 0.2": "colour=0.2",
    "AlexNet's lighting 0.1": "lighting=0.1",
    "cutout of half the side": "cutout=0.5",
    "TrivialAugment": "trivial=true",
    "mixup 0.2": "mixup=0.2",
    "CutMix 1": "cutmix=1.0",
    "running mean of the weights 0.99": "ema=0.99",
    "gradients clipped to 1": "clip=1.0",
    "cosine": "schedule=cosine",
    "constant rate": "schedule=constant",
    "no warm-up": "warmup=0.0",
    "pixels from -1 to 1": "scaling=unit",
    "means off alone": "scaling=mean",
    "the mean picture off": "scaling=image",
    "SGD, Nesterov": SGD,
    "SGD, plain momentum": f"{SGD},nesterov=false",
    "SGD, biases decayed": f"{SGD},decay_all=true",
    "AdamW": "optimizer=adamw,lr=0.003,weight_decay=0.05",
    "RMSProp, eps 1": "optimizer=rmsprop,lr=0.045,momentum=0.9,eps=1.0,weight_decay=0.00004",
    "LAMB": "optimizer=lamb,lr=0.01,weight_decay=0.01",
}
"""What is changed, in the words of the table and in settings."""


def fewer(data: DataSet, count: int) -> DataSet:
    """The first pictures of a training set that has been shuffled by its seed."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:count]
    part, chosen = data.train, order.sort().values.numpy()
    files = tuple(part.files[i] for i in chosen)
    cut = replace(part, images=part.images[chosen], labels=part.labels[chosen], files=files)
    return replace(data, train=cut)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    chosen = parser.parse_args()
    keep_large_blocks()
    network = Written(find_source("quick"))
    shape, _ = choose_input(network, chosen.data, None)
    data = fewer(open_data(chosen.data, preprocess_for(shape)), chosen.pictures)
    text = network.fitted(shape, len(data.classes)).text
    variants: dict[str, compare.Change] = {"the default": {}}
    variants |= {name: compare.parse(VARIANTS[name]) for name in chosen.only}
    found: dict[str, list[float]] = {name: [] for name in variants}
    for seed in range(chosen.seeds):
        for name, change in variants.items():
            wishes = Wishes(epochs=chosen.epochs, seed=seed)
            accuracy = 100 * compare.measure(text, data, wishes, change).accuracy
            found[name].append(accuracy)
            print(f"seed {seed}, {name}: {accuracy:.2f}", flush=True)
    print("\n| changed | accuracy | beside the default |\n|---|---:|---:|")
    plain = found["the default"]
    for name, accuracies in found.items():
        differences = [one - other for one, other in zip(accuracies, plain, strict=True)]
        beside = f"{statistics.mean(differences):+.2f}"
        if len(differences) > 1:
            beside += f" ± {statistics.stdev(differences) / math.sqrt(len(differences)):.2f}"
        shown = "" if name == "the default" else beside
        print(f"| {name} | {statistics.mean(accuracies):.2f} | {shown} |")
    print(
        f"\n{len(data.train):,} pictures, {chosen.epochs:g} epochs, {chosen.seeds} seeds; "
        f"validated on {len(data.val):,}; torch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
