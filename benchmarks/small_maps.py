"""What a convolution's three products take in each way, in milliseconds, and which is chosen.

    python benchmarks/small_maps.py [--batch 128] [--rounds 12]

For the layers of ResNets on small pictures and of the last stages on large ones, in bfloat16: the
output, the gradient of the images and that of the filters; `direct` is torch's convolution. The
ways take turns; medians. A star stands at the one that striate/modules/products.py takes.
`ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16` in the environment shows a processor with AMX as one without.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from time_to_accuracy import processor
from torch import Tensor

from striate.modules.products import (
    Products,
    Shapes,
    Way,
    Ways,
    choose,
    multiplies_tiles,
    shapes_of,
)
from striate.training.device import keep_large_blocks

LAYERS = (
    # in_channels, out_channels, size, kernel_size, stride
    (512, 512, 1, 3, 1),
    (512, 512, 2, 3, 1),
    (256, 256, 2, 3, 1),
    (64, 64, 2, 3, 1),
    (256, 512, 2, 3, 2),
    (256, 512, 2, 1, 2),
    (256, 256, 3, 3, 1),
    (128, 128, 4, 3, 1),
    (256, 256, 4, 3, 1),
    (512, 512, 4, 3, 1),
    (128, 256, 4, 3, 2),
    (512, 512, 7, 3, 1),
    (512, 2048, 7, 1, 1),
    (2048, 512, 7, 1, 1),
    (64, 128, 8, 3, 2),
    (256, 512, 8, 3, 2),
    (256, 256, 8, 3, 1),
    (128, 128, 16, 3, 1),
    (512, 512, 14, 1, 1),
    (64, 64, 32, 1, 1),
)
WAYS: tuple[Way, ...] = ("direct", "gathered", "beside", "flat")
MOST_PAIRS = 81
"""Flat is not tried beyond: its matrix would be many times the filters."""


def timed(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median of each, taking turns, in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 2):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if index > 1:
                found[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) * 1e3 for name, each in found.items()}


def made(*shape: int) -> Tensor:
    """Random values, channels last."""
    return torch.randn(shape).bfloat16().contiguous(memory_format=torch.channels_last)


def tried(shapes: Shapes) -> list[Way]:
    """The ways that come into question."""
    pairs = shapes.size[0] * shapes.size[1] * shapes.places
    possible = {"flat": pairs <= MOST_PAIRS, "beside": shapes.beside > 1}
    return [way for way in WAYS if possible.get(way, True)]


def measure(
    batch: int, layer: tuple[int, ...], rounds: int
) -> tuple[Shapes, list[dict[str, float]]]:
    """For each of the three products the time of each way."""
    incoming, outgoing, size, kernel, stride = layer
    images = made(batch, incoming, size, size)
    filters = made(outgoing, incoming, kernel, kernel)
    pad = kernel // 2
    shapes = shapes_of(images, filters, (stride, stride), (pad, pad))

    def product(place: int, way: Way) -> Callable[[], object]:
        if place == 0:
            ways = Ways(way, "direct", "direct")
            return lambda: Products.apply(images, filters, shapes, ways)
        ways = Ways("direct", way, way)
        wanted = (images if place == 1 else filters).detach().requires_grad_()
        read = (wanted, filters) if place == 1 else (images, wanted)
        output = Products.apply(*read, shapes, ways)
        gradient = made(*output.shape)
        return lambda: torch.autograd.grad(output, wanted, gradient, retain_graph=True)

    found = []
    for place in range(3):
        ways = [w for w in tried(shapes) if not (place == 1 and stride > 1 and w == "gathered")]
        found.append(timed({way: product(place, way) for way in ways}, rounds))
    return shapes, found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    keep_large_blocks()
    tiles = multiplies_tiles()
    print(
        f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"batch {arguments.batch}, {'with' if tiles else 'without'} AMX"
    )
    print(f"{'':30} {' | '.join(''.join(f'{way[:6]:>6} ' for way in WAYS) for _ in range(3))}")
    totals = [0.0, 0.0, 0.0]
    for layer in LAYERS:
        shapes, found = measure(arguments.batch, layer, arguments.rounds)
        chosen = choose(shapes, tiles=tiles)
        columns = []
        taken = (chosen.output, chosen.to_images, chosen.to_filters)
        for way, times in zip(taken, found, strict=True):
            shown = (
                f"{times[name]:.2f}{'*' if name == way else ' '}" if name in times else ""
                for name in WAYS
            )
            columns.append("".join(f"{each:>7}" for each in shown))
            totals[0] += times["direct"]
            totals[1] += times[way]
            totals[2] += min(times.values())
        incoming, outgoing, size, kernel, stride = layer
        name = f"{incoming:4} to {outgoing:4}, {kernel}×{kernel}/{stride} on {size}×{size}"
        print(f"{name:30} {' | '.join(columns)}", flush=True)
    print(f"all: direct {totals[0]:.0f}, chosen {totals[1]:.0f}, the best of each {totals[2]:.0f}")


if __name__ == "__main__":
    main()
