"""The memory of a training step, held to real steps: torch's allocator and its own hooks."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import striate
from striate import StepSettings, UserError
from striate.modules import build
from striate.sizing.memory import KINDS, Memory
from striate.sizing.memory_table import told

BATCH = 4


def by_the_allocator(model: nn.Module, images: Tensor, settings: StepSettings) -> int:
    """The most that torch's own allocator has handed out after any operation of a real step."""
    path = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    benchmark = runpy.run_path(str(path), run_name="benchmark")
    peak: int = benchmark["real_step"](model, images, settings).peak
    return peak


def small() -> nn.Module:
    """Views, in-place operations, a branch, dropout, grouped filters, a shared module."""

    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(16)
            self.again = nn.Conv2d(16, 16, 3, padding=1, groups=4)
            self.head = nn.Linear(16 * 64, 10)

        def forward(self, image: Tensor) -> Tensor:
            x = functional.relu(self.norm(self.stem(image)), inplace=True)
            x = self.again(self.again(x)).relu_() + x
            x = functional.dropout(functional.max_pool2d(x, 4), 0.2, self.training)
            return self.head(x.flatten(1))

    return Small()


EVERY = [
    StepSettings(),
    StepSettings("sgd"),
    StepSettings("adam"),
    StepSettings("momentum", "bfloat16"),
    StepSettings("momentum", channels_last=True),
    StepSettings("adam", "bfloat16", channels_last=True),
]


@pytest.mark.parametrize("settings", EVERY, ids=str)
@pytest.mark.parametrize(
    "make",
    [
        small,
        lambda: build(
            "input 3x32x32 -> [conv3-16 -> bn -> relu -> pool2]*2 -> gap -> fc-10", seed=0
        ),
        lambda: build("resnet20", seed=0),
    ],
    ids=["small", "notation", "resnet20"],
)
def test_the_peak_is_that_of_the_allocator(
    make: Callable[[], nn.Module], settings: StepSettings
) -> None:
    model = make()
    found = striate.memory(model, batch=16, input=(3, 32, 32), settings=settings)
    real = by_the_allocator(model, torch.randn(16, 3, 32, 32), settings)
    assert found.peak.bytes == pytest.approx(real, rel=0.05)


def test_the_model_is_left_alone() -> None:
    model = small().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    striate.memory(model, batch=2, input=(3, 32, 32), settings=StepSettings(checkpoint=("again",)))
    assert not model.training and "forward" not in vars(model.again)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_columns_are_what_they_say() -> None:
    model = small()
    model.head.bias.requires_grad_(False)
    memory = striate.memory(model, batch=8, input=(3, 32, 32), settings=StepSettings("adam"))
    weights = {name: p.nbytes for name, p in model.named_parameters()}
    learned = sum(weights.values()) - weights["head.bias"]
    totals = memory.totals
    assert totals["parameters"] == sum(weights.values())
    assert totals["gradients"] == learned
    assert totals["optimizer"] == 2 * learned + 4 * (len(weights) - 1)
    assert totals["buffers"] == sum(each.nbytes for each in model.buffers())
    assert totals["image"] == 8 * 3 * 32 * 32 * 4
    assert totals["peak"] == memory.peak.bytes == max(each.bytes for each in memory.timeline)
    ledger = striate.size(model, input=(3, 32, 32), batch=8)
    assert [row.saved for row in memory.rows] == [row.saved_bytes for row in ledger.rows]
    assert [row.output_bytes for row in memory.rows] == [row.output_bytes for row in ledger.rows]
    rows = {row.name: row for row in memory.rows}
    assert rows["again"].gradients == rows["again"].parameters > 0 == rows["again#2"].parameters
    assert all(row.live > totals["parameters"] for row in memory.rows)


def test_gradients_come_with_the_backward_pass_and_state_is_there_all_along() -> None:
    memory = striate.memory("resnet20", batch=2, settings=StepSettings("momentum"))
    gradients, optimizer = KINDS.index("gradients"), KINDS.index("optimizer")
    phases = [each.phase for each in memory.timeline]
    assert phases == sorted(phases, key=["forward", "backward", "optimizer"].index)
    forward = [each for each in memory.timeline if each.phase == "forward"]
    last = memory.timeline[-1]
    assert {each.live[gradients] for each in forward} == {0}
    assert last.live[gradients] == memory.totals["gradients"]
    assert {each.live[optimizer] for each in memory.timeline} == {memory.totals["optimizer"]}
    assert last.live[KINDS.index("saved")] == 0


def test_backward_operations_belong_to_their_layers() -> None:
    memory = striate.memory("input 3x16x16 -> conv3-8 -> bn -> relu -> gap -> fc-10", batch=2)
    found = {each.operation: each.layer for each in memory.timeline if each.phase == "backward"}
    assert found["convolution_backward"] == "conv1"
    assert found["native_batch_norm_backward"] == "bn1"
    assert found["threshold_backward"] == "relu1"
    assert [row.backward > 0 for row in memory.rows] == [True] * 5


def test_checkpointing_keeps_less_and_is_that_of_a_real_step() -> None:
    model = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(
        8, 8, 3, padding=1), nn.ReLU()) for _ in range(4)))  # fmt: skip
    plain, pieces = (
        striate.memory(model, batch=8, input=(8, 32, 32), settings=StepSettings(checkpoint=each))
        for each in ((), ("?",))
    )
    volume = 8 * 8 * 32 * 32 * 4
    kept = KINDS.index("saved")

    def most(memory: Memory) -> int:
        return max(each.live[kept] for each in memory.timeline if each.phase == "forward")

    assert most(plain) == 9 * volume + 4  # with the logarithms that the loss keeps
    assert pieces.peak.bytes <= plain.peak.bytes - 3 * volume

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pieces = model

        def forward(self, image: Tensor) -> Tensor:
            for piece in self.pieces:
                image = checkpoint(piece, image, use_reentrant=False)
            return image.mean((2, 3))

    image = torch.randn(8, 8, 32, 32)
    found = striate.memory(
        nn.Sequential(*model, nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        batch=8,
        input=(8, 32, 32),
        settings=StepSettings(checkpoint=("[0-3]",)),
    )
    real = by_the_allocator(Again(), image, StepSettings())
    assert found.peak.bytes == pytest.approx(real, rel=0.05)


@pytest.mark.parametrize(
    ("what", "given", "message"),
    [
        ("lenet5", {"batch": 0}, "a batch holds at least 1 image, not 0"),
        (
            "input 3x8x8 -> conv3-4 -> gap -> bn -> fc-2",
            {},
            "network cannot train on a batch of 1 image: batch normalisation of volumes of 1×1 "
            "needs more than one value for each channel. Take a batch of 2",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 2)),
            {"input": (3, 8, 8)},
            "Sequential has no training step to follow: RuntimeError: a and b must have same "
            "reduction dim, but got [24, 6] X [5, 2].",
        ),
        (
            nn.Sequential(nn.ReLU()),
            {"input": (3, 8, 8)},
            "nothing that the network gives depends on weights that learn",
        ),
        (
            nn.Sequential(nn.Conv2d(3, 4, 3)),
            {"input": (3, 8, 8), "settings": StepSettings(checkpoint=("layer*",))},
            "checkpoint: no module is named layer*. The network has 0, …",
        ),
    ],
)
def test_what_has_no_step(what: object, given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as error:
        striate.memory(what, **given)  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"optimizer": "lion"}, "optimizer is 'lion'; expected one of sgd, momentum, adam"),
        ({"precision": "half"}, "precision is 'half'; expected one of float32, bfloat16"),
    ],
)
def test_wrong_settings(given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as error:
        StepSettings(**given)  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize("limit", [3_000_000, 20_000_000, 777_777_777])
def test_the_largest_batch_fits_and_the_next_does_not(limit: int) -> None:
    found = striate.largest_batch("lenet5", limit)
    assert found.next is not None and found.next.batch == found.memory.batch + 1
    assert found.memory.peak.bytes <= limit < found.next.peak.bytes
    again = striate.memory("lenet5", batch=found.memory.batch)
    assert again.peak == found.memory.peak
    assert json.loads(found.to_json()) == {
        "limit": limit,
        "batch": found.memory.batch,
        "peak": found.memory.peak.bytes,
        "next_peak": found.next.peak.bytes,
    }
    assert f"a batch of {found.memory.batch:,} fits " in told(found)


def test_a_network_of_single_values_starts_from_two_images() -> None:
    text = "input 3x8x8 -> conv3-4 -> gap -> bn -> fc-2"
    assert striate.largest_batch(text, 100_000).memory.batch > 2


def test_nothing_fits() -> None:
    with pytest.raises(UserError) as error:
        striate.largest_batch("lenet5", 1000, settings=StepSettings("adam"))
    message = str(error.value)
    assert message.startswith("lenet5 does not fit 1.000 kB: a step of 1 image of this size takes ")
    assert " with adam, float32 (" in message and "SGD without momentum takes " in message
    assert message.endswith(". Take smaller images or a smaller network")


def test_several_outputs_and_maps_have_a_loss() -> None:
    unet = striate.memory("input 3x32x32 -> conv3-8 -> relu -> conv1-5", batch=2)
    assert unet.timeline[-1].phase == "optimizer"
    taps = striate.memory("googlenet_aux", batch=2, input=(3, 96, 96))
    assert all(row.gradients == row.parameters for row in taps.rows)


def test_the_table_fits_and_sums(tmp_path: Path) -> None:
    memory = striate.memory("torchvision:resnet18", batch=2)
    lines = memory.table().splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == ("torchvision:resnet18 · input 3×224×224 · batch of 2 · momentum, float32")
    (peak,) = (line for line in lines if line.startswith("peak "))
    assert " in the backward pass, at layer" in peak
    data = json.loads(memory.to_json())
    assert list(data) == [
        "name", "input", "batch", "settings", "layers", "totals", "peak", "timeline",
    ]  # fmt: skip
    assert data["peak"]["bytes"] == sum(data["peak"][kind] for kind in KINDS)
    for column in ("parameters", "gradients", "optimizer", "output_bytes", "saved"):
        assert data["totals"][column] == sum(layer[column] for layer in data["layers"])
    for name in ("step.svg", "step.png"):
        striate.draw_memory(memory, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 5_000
    svg = (tmp_path / "step.svg").read_text()
    assert all(f">{kind}<" in svg for kind in KINDS)
    with pytest.raises(UserError, match=r"a plot is written as \.svg or \.png"):
        striate.draw_memory(memory, tmp_path / "step.txt")
