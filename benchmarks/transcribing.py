"""Torch networks written in the notation, held to the networks that they were read off.

    pip install timm
    python benchmarks/transcribing.py [NETWORK ...]

Without names: every network of torchvision that is a classifier or a segmenter of images, and
those of timm that the other benchmarks size. Each is transcribed; the text's module gets the
network's weights, statistics that are not 0 and 1, and the same 2 random images, and what the two
give in evaluation is compared. Prints a line for each network, then how many are written, how far
off the worst is, and what the others are refused for.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections import Counter
from typing import Any

import conventions
import macs
import memory
import torch
from torch import Tensor, nn
from torchvision import models

from striate.errors import UserError
from striate.modules.network import Network
from striate.tracing.finding import find
from striate.transcribing import transcribe

TIMM = sorted(
    {*macs.TIMM, *conventions.TIMM, *(n.partition(":")[2] for n in memory.MODELS if "timm" in n)}
)
SEED = 0


def networks() -> list[str]:
    """Those of torchvision for images, and those of timm that other benchmarks size."""
    homes = (models, models.segmentation)
    known = [name for home in homes for name in models.list_models(module=home)]
    return [f"torchvision:{name}" for name in sorted(known)] + [f"timm:{name}" for name in TIMM]


def unsettled(model: nn.Module) -> nn.Module:
    """In evaluation, with statistics that tell every normalisation apart."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
    return model.eval()


def main_output(given: Any) -> Tensor:
    """The first of a network's outputs."""
    if isinstance(given, dict):
        given = given["out"]
    return given if isinstance(given, Tensor) else given[0]


def off_by(name: str) -> tuple[int, int, float, float]:
    """Layers and characters of the text, seconds that writing takes, and the relative error."""
    torch.manual_seed(SEED)
    start = time.perf_counter()
    transcribe(name)
    seconds = time.perf_counter() - start
    model = unsettled(find(name, real=True).model)
    text = transcribe(model, input=transcribe(name).graph.input)
    network = Network(text.graph).eval()
    network.load_state_dict(text.state_dict(), strict=False)
    images = torch.rand(2, *text.graph.input)
    with torch.no_grad():
        expected, found = main_output(model(images)), network(images)
    error = float((expected - found).abs().max() / expected.abs().max().clamp(min=1e-9))
    own = sum(each.numel() for each in network.parameters())
    assert own == sum(each.numel() for each in model.parameters()), name
    return len(text.graph.nodes), len(text.source.text), seconds, error


def reason(error: UserError) -> str:
    """Why a network is refused, without its place."""
    words = str(error)
    for known in (
        *(
            "do not meet again",
            "bmm",
            "convolves along 1",
            "computes from others",
            "with a constant",
        ),
        *("with the number", "with a weight", "axes it has rearranged", "whole factor"),
    ):
        if known in words:
            return known
    return words.partition("notation: ")[2].partition(". It can")[0] or words


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    chosen = parser.parse_args().networks or networks()
    warnings.simplefilter("ignore")
    errors, seconds, refused = [], [], Counter[str]()
    for name in chosen:
        try:
            layers, characters, taken, error = off_by(name)
        except UserError as told:
            refused[reason(told)] += 1
            print(f"{name}: {told}")
            continue
        errors.append(error)
        seconds.append(taken)
        print(f"{name}: {layers} layers in {characters} characters, off by {error:.1e}")
        sys.stdout.flush()
    if errors:
        print(
            f"\n{len(errors)} of {len(chosen)} written, in {statistics.median(seconds):.2f} s in "
            f"the median; off by {max(errors):.1e} at most"
        )
    for words, count in refused.most_common():
        print(f"{count} refused: {words}")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
