"""Striate's ledger beside seven tools that also size networks, on the same networks.

    pip install timm torchinfo fvcore thop ptflops calflops transformers torchlens
    python benchmarks/ledger.py [NETWORK ...] [--json FILE]

Every tool has a process of its own, which makes each network and hands it to the tool: the call
alone is timed, and the process's peak of memory is that of the call alone. Tools take turns on
each network. The truth comes from no tool: parameters are summed, multiplications are counted as
torch calls for them (benchmarks/macs.py), in training and in evaluation, and the memory of a
training step of 2 images is that of a real one (benchmarks/memory.py). Prints a table of the tools
in Markdown, then where each fails.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import io
import json
import logging
import platform
import re
import selectors
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import conventions
import macs
import memory
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from striate.sizing.memory import StepSettings
from striate.tracing.finding import find

NETWORKS = sorted(
    {
        *memory.MODELS,
        *(f"torchvision:{name}" for name in (*macs.TORCHVISION, *conventions.TORCHVISION)),
        *(f"timm:{name}" for name in (*macs.TIMM, *conventions.TIMM)),
    }
)
FIELDS = {
    "alexnet": 195,
    "vgg16": 212,
    "resnet50": 427,
    "googlenet": 379,
    "inception_v3": 1311,
    "densenet121": 2071,
    "mobilenet_v2": 491,
    "shufflenet_v2_x1_0": 527,
    "convnext_tiny": 1688,
}
"""Receptive fields of torchvision's networks at their last volume of more than one position."""
BATCH = 2
Result = dict[str, Any]


def truth(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """What is so, by running the network."""
    step = memory.real_step(model, torch.randn(BATCH, *shape), StepSettings("sgd"))
    empty, counted = model.to("meta"), []
    for training, batch in ((True, BATCH), (False, 1)):
        images = torch.empty(batch, *shape, device="meta")
        with sdpa_kernel(SDPBackend.MATH), macs.Counting() as counting, torch.no_grad():
            empty.train(training)(images)
        counted.append(counting.macs // batch)
    return {"macs": counted[0], "macs of evaluation": counted[1], "peak": step.peak}


def striate_size(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """MACs, parameters, receptive field and more, of one pass without values."""
    import striate

    totals = (ledger := striate.size(model, input=shape)).totals
    wide = [row for row in ledger.rows if len(row.output) == 3 and max(row.output[1:]) > 1]
    known = wide and not wide[-1].unknown_field
    whole = [lint for lint in ledger.lints if lint.rule in ("stopped", "mismatch")]
    if whole:
        raise RuntimeError(whole[0].message)
    return {
        "macs": totals.macs,
        "parameters": totals.parameters,
        "field": max(wide[-1].receptive_field) if known else None,
    }


def striate_memory(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """The memory of a step of training."""
    import striate

    settings = StepSettings("sgd")
    return {"peak": striate.memory(model, batch=BATCH, input=shape, settings=settings).peak.bytes}


def torchinfo(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its summary, and the total size of it."""
    import torchinfo

    found = torchinfo.summary(model, (BATCH, *shape), verbose=0)
    size = found.total_input + found.total_output_bytes + found.total_param_bytes
    return {
        "macs": found.total_mult_adds // BATCH,
        "parameters": found.total_params,
        "peak": size,
    }


def fvcore(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its analysis by tracing."""
    from fvcore.nn import FlopCountAnalysis, parameter_count

    analysis = FlopCountAnalysis(model, torch.randn(1, *shape))
    total = analysis.unsupported_ops_warnings(False).tracer_warnings("none").total()
    return {"macs": int(total), "parameters": parameter_count(model)[""]}


def thop(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its profile by hooks."""
    import thop

    found = thop.profile(model, (torch.randn(1, *shape),), verbose=False)
    return {"macs": int(found[0]), "parameters": int(found[1])}


def ptflops(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its complexity by hooks."""
    from ptflops import get_model_complexity_info

    found = get_model_complexity_info(
        model, shape, as_strings=False, print_per_layer_stat=False, verbose=False
    )
    return {"macs": int(found[0]), "parameters": int(found[1])}


def calflops(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its count by hooks and replaced functions."""
    from calflops import calculate_flops

    _, found, parameters = calculate_flops(
        model=model, input_shape=(1, *shape), print_results=False, output_as_string=False
    )
    return {"macs": int(found), "parameters": int(parameters)}


def torchlens(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Its trace, with the receptive field of the last volume of more than one position."""
    import torchlens

    found = torchlens.trace(model, torch.randn(1, *shape))
    wide = [each for each in found.layers if len(each.shape or ()) == 4 and max(each.shape[2:]) > 1]
    try:
        field = int(max(wide[-1].receptive_field.size))
    except Exception:  # whatever it raises where it has none
        field = None
    return {
        "macs": int(found.total_macs_forward),
        "parameters": int(found.num_params),
        "field": field,
    }


def flop_counter(model: nn.Module, shape: tuple[int, ...]) -> Result:
    """Torch's own counter, over the modes that it is used with: two operations a MAC."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randn(1, *shape))
    return {"macs": counter.get_total_flops() // 2}


TOOLS: dict[str, Callable[[nn.Module, tuple[int, ...]], Result]] = {
    "truth": truth,
    "striate.size": striate_size,
    "striate.memory": striate_memory,
    "torchinfo": torchinfo,
    "fvcore": fvcore,
    "thop": thop,
    "ptflops": ptflops,
    "calflops": calflops,
    "torchlens": torchlens,
    "FlopCounterMode": flop_counter,
}


def work(tool: str) -> None:
    """Read names of networks, and print a line of JSON for each."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, io.StringIO()
    warm = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 2))
    with contextlib.suppress(Exception):
        TOOLS[tool](warm.eval(), (3, 8, 8))  # imports are not timed
    for line in sys.stdin:
        print(json.dumps(_measured(tool, line.strip())), file=out, flush=True)


def _measured(tool: str, name: str) -> Result:
    torch.manual_seed(0)
    found = find(name, real=True)
    assert isinstance(found.input, tuple), name
    model = found.model.eval()
    parameters = sum(each.numel() for each in model.parameters())
    before = _forget_peak()
    start = time.perf_counter()
    try:
        result = TOOLS[tool](model, found.input)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
    seconds = time.perf_counter() - start
    more = {"parameters": parameters} if tool == "truth" else {}
    return {**result, **more, "seconds": seconds, "rss": _status("VmHWM") - before}


def _forget_peak() -> int:
    """Let Linux count the peak of this process's memory anew; the bytes that it has now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"{field}:\s+(\d+) kB", text)
    return int(found[1]) * 1024 if found else 0


class Worker:
    """A tool's process, started again when it dies or takes too long."""

    def __init__(self, tool: str, limit: float) -> None:
        self.tool = tool
        self.limit = limit
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, name: str) -> Result:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--tool", self.tool],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(self.limit) else ""
        if not line:
            self.process.kill()
            self.process = None
            return {"error": f"no answer in {self.limit:g} s, or it was killed"}
        answer: Result = json.loads(line)
        return answer


def table(results: Mapping[str, Mapping[str, Result]]) -> str:
    """A row for each tool."""
    said = (
        "| tool | fails | parameters | MACs | MACs off by | receptive field | memory | time | RSS |"
    )
    lines = [said, "|---|---:|---:|---:|---|---:|---|---:|---:|"]
    for tool in list(TOOLS)[1:]:
        rows = {name: each[tool] for name, each in results.items()}
        good = {name: each for name, each in rows.items() if "error" not in each}
        cells = [tool, str(len(rows) - len(good))]
        cells += [_right(results, good, "parameters"), _right(results, good, "macs")]
        cells += [_spread(results, good, "macs"), _fields(good), _spread(results, good, "peak")]
        if good:
            seconds = statistics.median(each["seconds"] for each in good.values())
            taken = statistics.median(each["rss"] for each in good.values())
            cells += [f"{seconds:.2f} s", f"{taken / 1e6:.0f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratios(
    results: Mapping[str, Mapping[str, Result]], good: Mapping[str, Result], key: str
) -> list[float]:
    """What a tool says by what is so, where both are known.

    Of a network in training and in evaluation, it may say either.
    """
    ratios = []
    for name, each in good.items():
        truths = (results[name]["truth"].get(named) for named in (key, f"{key} of evaluation"))
        told = each.get(key)
        if told is not None and (real := [truth for truth in truths if truth]):
            ratios.append(min((told / truth for truth in real), key=lambda by: abs(by - 1)))
    return ratios


def _right(
    results: Mapping[str, Mapping[str, Result]], good: Mapping[str, Result], key: str
) -> str:
    ratios = _ratios(results, good, key)
    return f"{sum(ratio == 1 for ratio in ratios)} of {len(results)}" if ratios else "–"


def _spread(
    results: Mapping[str, Mapping[str, Result]], good: Mapping[str, Result], key: str
) -> str:
    ratios = _ratios(results, good, key)
    if not ratios:
        return "–"
    return f"{min(ratios):.3g} … {statistics.median(ratios):.4g} … {max(ratios):.3g}"


def _fields(good: Mapping[str, Result]) -> str:
    if not any("field" in each for each in good.values()):
        return "–"
    given = sum(each["field"] is not None for each in good.values())
    asked = {name: size for name, size in FIELDS.items() if f"torchvision:{name}" in good}
    right = sum(good[f"torchvision:{name}"]["field"] == size for name, size in asked.items())
    return f"{given} given, {right} of {len(FIELDS)} right"


def main() -> None:
    """Let every tool size every network, and print what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--limit", type=float, default=180, help="seconds for a tool on a network")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--tool", choices=TOOLS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.tool:
        work(chosen.tool)
        return
    workers = {tool: Worker(tool, chosen.limit) for tool in TOOLS}
    results: dict[str, dict[str, Result]] = {}
    for number, name in enumerate(chosen.networks, 1):
        results[name] = {tool: worker(name) for tool, worker in workers.items()}
        failed = [tool for tool, each in results[name].items() if "error" in each]
        print(f"{number}/{len(chosen.networks)} {name} {' '.join(failed)}", file=sys.stderr)
        if chosen.json:
            chosen.json.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(table(results))
    for name, each in results.items():
        for tool, result in each.items():
            if "error" in result:
                print(f"{tool} fails on {name}: {result['error']}")
    packages = ("torch", "torchvision", "timm", *list(TOOLS)[3:-1])
    versions = ", ".join(f"{each} {importlib.metadata.version(each)}" for each in packages)
    print(f"\n{len(results)} networks, {torch.get_num_threads()} threads; {versions}")
    print(platform.platform())


if __name__ == "__main__":
    main()
