"""The memory of a training step as it is told, beside that of a real one.

    python benchmarks/memory.py [--models NAME …] [--batch 4] [--size 160] [--settings]

Each network is told by `striate.memory`, then trained for two real steps, written as users write
them, on random images. Beside each other stand the peak that is told; the most that torch's
allocator has handed out after any operation of the second step (`real`); the most that it has
handed out at any time, with what kernels take for themselves while they run (`with scratch`); and
the bytes that `saved_tensors_hooks` sees. `--settings` goes through optimizers, precisions, memory
orders and checkpointing on a few networks instead.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves

import striate
from striate import StepSettings
from striate.tracing.finding import find

TORCHVISION = [
    "alexnet",
    "vgg11",
    "vgg16",
    "vgg13_bn",
    "resnet18",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "googlenet",
    "inception_v3",
    "densenet121",
    "squeezenet1_0",
    "squeezenet1_1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "mnasnet0_5",
    "mnasnet1_0",
    "efficientnet_b0",
    "efficientnet_b2",
    "efficientnet_v2_s",
    "regnet_x_400mf",
    "regnet_y_400mf",
    "regnet_y_1_6gf",
    "convnext_tiny",
    "fcn_resnet50",
    "deeplabv3_mobilenet_v3_large",
    "lraspp_mobilenet_v3_large",
]
TIMM = [
    "resnet26d",
    "resnetv2_50",
    "resnest14d",
    "seresnet50",
    "ecaresnet26t",
    "skresnet18",
    "res2net50_26w_4s",
    "gluon_resnet18_v1b",
    "dla34",
    "hrnet_w18_small",
    "cspdarknet53",
    "darknet53",
    "vovnet39a",
    "ese_vovnet19b_dw",
    "nf_resnet50",
    "dm_nfnet_f0",
    "nfnet_l0",
    "repvgg_a0",
    "mobileone_s0",
    "ghostnet_100",
    "tinynet_e",
    "lcnet_050",
    "fbnetc_100",
    "spnasnet_100",
    "hardcorenas_a",
    "mixnet_s",
    "rexnet_100",
    "selecsls42b",
    "xception41",
    "inception_v4",
    "inception_resnet_v2",
    "densenet121",
    "edgenext_xx_small",
    "poolformer_s12",
    "convnextv2_atto",
    "mobilenetv4_conv_small",
    "starnet_s1",
    "fastvit_t8",
]
MODELS = [*(f"torchvision:{name}" for name in TORCHVISION), *(f"timm:{name}" for name in TIMM)]
FEW = ["torchvision:resnet18", "torchvision:mobilenet_v2", "timm:convnextv2_atto"]
SETTINGS = [
    *(StepSettings(optimizer) for optimizer in ("sgd", "momentum", "adam")),
    StepSettings("momentum", "bfloat16"),
    StepSettings("momentum", channels_last=True),
    StepSettings("adam", "bfloat16", channels_last=True),
]


@dataclass(frozen=True)
class Real:
    """What a real step takes, in bytes."""

    peak: int
    """The most after any operation."""
    with_scratch: int
    """The most at any time."""
    saved: int


@dataclass(frozen=True)
class Compared:
    """One network, told and real."""

    model: str
    settings: str
    told: int
    real: Real
    saved: int


def real_step(model: nn.Module, images: Tensor, settings: StepSettings) -> Real:
    """Train for two steps with `torch.optim`, and watch the second one."""
    model.train()
    if settings.channels_last:
        model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    rules: dict[str, Callable[[Sequence[nn.Parameter]], torch.optim.Optimizer]] = {
        "sgd": lambda weights: torch.optim.SGD(weights, 1e-6),
        "momentum": lambda weights: torch.optim.SGD(weights, 1e-6, momentum=0.9),
        "adam": lambda weights: torch.optim.Adam(weights, 1e-6),
    }
    optimizer = rules[settings.optimizer](list(model.parameters()))
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            kept[place] = tensor
        return tensor

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bfloat16"):
            outputs = model(images)
            loss = loss_of(outputs)
        loss.backward()
        optimizer.step()

    saving = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with saving, torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bfloat16"):
        model(images)
    saved = sum(each.untyped_storage().nbytes() for each in kept.values())
    kept.clear()
    step()
    optimizer.zero_grad()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = seen.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    spans = [(e.start_ns(), e.end_ns()) for e in events if e.name().startswith("aten::")]
    states = [t for held in optimizer.state.values() for t in held.values() if t is not None]
    there = (*model.parameters(), *model.buffers(), images, *states)
    base = sum(each.nbytes for each in there)
    after, at_any_time = peaks(changes, ends(spans))
    return Real(base + after, base + at_any_time, saved)


def loss_of(outputs: object) -> Tensor:
    """The cross-entropy of every output against the first class."""
    losses = [
        functional.cross_entropy(each, torch.zeros((len(each), *each.shape[2:]), dtype=torch.long))
        for each in tree_leaves(outputs)
    ]
    return sum(losses[1:], losses[0])


def ends(spans: Sequence[tuple[int, int]]) -> list[int]:
    """When the operations end that are not a part of another one."""
    found: list[int] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not found or start >= found[-1]:
            found.append(end)
    return found


def peaks(changes: Sequence[tuple[int, int]], moments: Sequence[int]) -> tuple[int, int]:
    """The most bytes at these moments, and at any time."""
    now = after = most = done = 0
    for moment in moments:
        while done < len(changes) and changes[done][0] <= moment:
            now += changes[done][1]
            most = max(most, now)
            done += 1
        after = max(after, now)
    return after, most


def compare(name: str, batch: int, size: int, settings: StepSettings) -> Compared:
    """Tell one network's step, then do it."""
    torch.manual_seed(0)
    side = max(size, 299) if "inception" in name or "nasnet" in name else size
    shape = (3, side, side)
    told = striate.memory(name, batch=batch, input=shape, settings=settings)
    model = real_model(name)
    real = real_step(model, torch.randn(batch, *shape), settings)
    return Compared(name, str(settings), told.peak.bytes, real, told.totals["saved"])


def real_model(name: str) -> nn.Module:
    """The network with memory."""
    model = find(name).model
    if any(each.is_meta for each in model.parameters()):
        model = model.to_empty(device="cpu")
        for weight in (*model.parameters(), *model.buffers()):
            torch.nn.init.zeros_(weight) if weight.is_floating_point() else weight.zero_()
    return model


def show(found: Compared) -> str:
    """One line."""
    ratio = found.told / found.real.peak
    saved = (
        "identical" if found.saved == found.real.saved else f"{found.saved / found.real.saved:.4f}"
    )
    return (
        f"{found.model:44} {found.told / 1e6:9.1f} {found.real.peak / 1e6:9.1f} {ratio:7.4f} "
        f"{found.real.with_scratch / 1e6:9.1f}  {saved}"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"torch {torch.__version__}, Python {platform.python_version()}, batch {arguments.batch}")
    found = []
    for settings in SETTINGS if arguments.settings else [StepSettings()]:
        print(f"\n{settings}\n{'network':44} {'told MB':>9} {'real':>9} {'ratio':>7} "
              f"{'w/scratch':>9}  saved")  # fmt: skip
        for name in FEW if arguments.settings else arguments.models:
            try:
                one = compare(name, arguments.batch, arguments.size, settings)
            except Exception as error:
                print(f"{name:44} failed: {type(error).__name__}: {str(error)[:60]}", flush=True)
                continue
            found.append(one)
            print(show(one), flush=True)
    summary(found)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


def summary(found: Sequence[Compared]) -> None:
    """How near all of them are."""
    ratios = [one.told / one.real.peak for one in found]
    near = sum(abs(ratio - 1) <= 0.05 for ratio in ratios)
    same = sum(one.saved == one.real.saved for one in found)
    worst = max(found, key=lambda one: abs(one.told / one.real.peak - 1))
    print(
        f"\n{len(found)} steps: peak within 5 % in {near}, median ratio "
        f"{statistics.median(ratios):.4f}, worst {worst.told / worst.real.peak:.4f} "
        f"({worst.model}, {worst.settings}); saved bytes identical in {same}"
    )


if __name__ == "__main__":
    main()
