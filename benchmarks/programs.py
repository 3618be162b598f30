"""Networks kept as the operations that they come to, held to the networks themselves.

    pip install timm
    python benchmarks/programs.py [NETWORK ...]

Without names: the networks of benchmarks/transcribing.py. Each is made with random weights and
followed to a program; the module of that gets the same weights and the same random images, as
many as no pass that was followed had. Compared are what the two give in evaluation and in training,
with the same seed, and the gradients of all weights. Prints a line for each network, then how many
are followed, how far off the worst is, and what the others are refused for.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import warnings
from collections.abc import Iterator

import torch
import transcribing
from torch import Tensor, nn

from striate.errors import UserError
from striate.programs import follow, replayed
from striate.tracing.finding import find

IMAGES = 4
SEED = 0


def results(model: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """What a network gives in evaluation and in training, and its gradients by name."""
    with torch.no_grad():
        yield transcribing.main_output(model.eval()(images))
    torch.manual_seed(SEED)
    found = transcribing.main_output(model.train()(images))
    yield found.detach()
    found.square().mean().backward()
    for _, weight in sorted(model.named_parameters()):
        if weight.grad is not None:
            yield weight.grad
            weight.grad = None


def off_by(name: str) -> tuple[int, int, int, float, float]:
    """Operations, layers, bytes of the text, seconds that it takes, and the relative error."""
    torch.manual_seed(SEED)
    found = find(name, real=True)
    transcribing.unsettled(found.model)
    start = time.perf_counter()
    recording = follow(found)
    seconds = time.perf_counter() - start
    network = replayed(recording)
    images = torch.rand(IMAGES, *recording.program.input)
    expected = list(results(found.model, images))
    given = list(results(network, images))
    assert len(given) == len(expected), f"{name}: other weights have gradients"
    error = max(
        float((one - other).abs().max() / one.abs().max().clamp(min=1e-9))
        for one, other in zip(expected, given, strict=True)
    )
    size = len(recording.program.to_source().text.encode())
    operations = len(recording.program.training.operations)
    return operations, len(recording.program.layers), size, seconds, error


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK")
    chosen = parser.parse_args().networks or transcribing.networks()
    warnings.simplefilter("ignore")
    errors, times, refused = [], [], 0
    for name in chosen:
        try:
            operations, layers, size, seconds, error = off_by(name)
        except UserError as told:
            refused += 1
            print(f"{name}: {told}", flush=True)
            continue
        finally:
            gc.collect()
        errors.append(error)
        times.append(seconds)
        print(
            f"{name}: {operations} operations of {layers} layers in {size / 1000:.0f} kB and "
            f"{seconds:.1f} s, off by {error:.1e}",
            flush=True,
        )
    if errors:
        exact = sum(not error for error in errors)
        print(
            f"\n{len(errors)} of {len(chosen)} followed, in {statistics.median(times):.1f} s in "
            f"the median; {exact} exactly the same, the others off by {max(errors):.1e} at most; "
            f"{refused} refused"
        )
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
