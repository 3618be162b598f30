"""Several processes that train together, against one that trains alone."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from striate.errors import StriateError
from striate.training.memory import pieces_of
from striate.training.team import ALONE, Team, share_of

NETWORK = str(Path(__file__).parents[2] / "examples" / "digits.net")
SMALL = "input 1x8x8 -> conv3-8 nobias -> bn -> relu -> gap -> fc-10"

COLLECTIVES = """
import torch
from torch import nn
import numpy as np
from striate.programs import follow, replayed
from striate.tracing.finding import Found
from striate.training.team import join, share_of

team = join()
assert (team.size, team.leads) == (2, team.rank == 0)
order = []
with team.first():
    order.append(team.rank)
assert team.word(f"from {team.rank}") == "from 0"
assert team.sum([1.0, team.rank]) == [2.0, 1.0]
rows = np.zeros((3, 2), np.float32)
rows[team.share(3)] = 1 + team.rank
assert team.joined(rows).tolist() == [[1, 1], [1, 1], [2, 2]]

for dtype, shape in ((torch.float32, (7, 4, 5, 3)), (torch.bfloat16, (6, 4, 2, 2)),
                     (torch.float32, (5, 4))):
    torch.manual_seed(0)
    images = (3 + 2 * torch.randn(shape)).to(dtype)
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    alone, together = kind(4), nn.Sequential(kind(4))
    with torch.no_grad():
        alone.weight.uniform_(0.5, 2)
        alone.bias.uniform_(-1, 1)
        if team.leads:
            together[0].load_state_dict(alone.state_dict())
    team.begin_alike(together)
    whole = images.clone().requires_grad_()
    part = images[team.share(len(images))].clone().requires_grad_()
    weigh = torch.randn(shape)
    (alone(whole).float() * weigh).sum().backward()
    given = together(part)
    assert given.dtype == dtype
    (given.float() * weigh[team.share(len(images))]).sum().backward()
    team.add_up([each.grad for each in together.parameters()])
    close = dict(rtol=1e-4, atol=1e-4) if dtype == torch.float32 else dict(rtol=2e-2, atol=6e-2)
    torch.testing.assert_close(part.grad, whole.grad[team.share(len(images))], **close)
    for (name, one), other in zip(alone.named_parameters(), together.parameters()):
        torch.testing.assert_close(other.grad, one.grad, **close, msg=name)
    for (name, one), other in zip(alone.named_buffers(), together.buffers()):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4, msg=name)
    assert torch.equal(together.eval()(images), together[0].forward(images))

norm = nn.BatchNorm2d(3)
images = 3 + 2 * torch.randn((6, 3, 5, 4), generator=torch.Generator().manual_seed(0))
replay = replayed(follow(Found(nn.Sequential(norm, nn.Flatten()), "norm", (3, 5, 4))))
team.begin_alike(replay)
torch.testing.assert_close(replay(images[team.share(6)]), norm(images).flatten(1)[team.share(6)])
torch.testing.assert_close(replay.get_buffer("0.running_var"), norm.running_var)
team.leave()
"""

SHORT = """
from dataclasses import replace

import torch

from striate.data import open_data
from striate.modules import build
from striate.source import Source
from striate.training.device import Machine
from striate.training.loop import train_network
from striate.training.run import Normalise
from striate.training.settings import Settings
from striate.training.team import join
from striate.training.watching import Watcher

team = join()
digits = open_data("digits", None)
TEXT = "input 1x8x8 -> conv3-8 nobias -> bn -> relu -> conv3-8 nobias -> bn -> relu -> gap -> fc-10"
SETTINGS = Settings(epochs=0.25, batch=64, optimizer="sgd", lr=0.02)


def learn(settings, short=""):
    network, said = build(Source(TEXT), seed=0), []
    layer = network.get_submodule("conv2")
    if team.rank == 1 and short == "forward":
        layer.register_forward_pre_hook(lambda layer, given: refuse(layer, given))
    if team.rank == 1 and short == "backward":
        layer.register_full_backward_hook(lambda layer, to, given: refuse(layer, given))
    watcher = Watcher(notice=said.append)
    machine = Machine(torch.device("cpu"), torch.float32)
    trained = train_network(
        network, digits, Normalise((78.0,), (96.0,)), settings, machine, watcher, team=team
    )
    return trained, said


def refuse(layer, given):
    if layer.training and len(given[0]) > 9:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")


expected, _ = learn(replace(SETTINGS, accumulate=8))
for place in ("forward", "backward"):
    found, said = learn(SETTINGS, place)
    assert found.pieces == 4, found.pieces
    assert said == [
        "a batch of 64 takes more memory than there is: from step 1 on each of 2 processes learns "
        f"its share in {parts} parts, which give the same gradient but for batch normalisation"
        for parts in (2, 4)
    ]
    for name, weight in expected.weights.items():
        own = found.weights[name]
        total = float(own.double().sum())
        assert team.sum([total]) == [2 * total], name
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(own, weight, rtol=1e-2, atol=1e-3, msg=name)
team.leave()
"""


def torchrun(*arguments: str, count: int = 2) -> list[str]:
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(count)]
    return [*program, "--standalone", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def train(folder: Path, *more: str, count: int = 2, network: str = NETWORK) -> list[str]:
    given = ["-m", "striate", "train", network, "digits", "--device", "cpu"]
    settings = ["--set", "optimizer=sgd", "--lr", "0.02", "--precision", "float32"]
    command = [*given, *settings, "-o", str(folder), *more]
    return torchrun(*command, count=count) if count > 1 else [sys.executable, *command]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=200, check=False
    )


def test_what_processes_tell_each_other(tmp_path: Path) -> None:
    script = tmp_path / "collectives.py"
    script.write_text(COLLECTIVES)
    done = run(torchrun(str(script)))
    assert done.returncode == 0, done.stderr


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    more = ("--set", "mixup=0.4", "--set", "ema=0.9", "--set", "rotate=9")
    for name, count in (("one", 1), ("two", 2)):
        done = run(train(tmp_path / name, "--epochs", "0.5", "--batch", "63", *more, count=count))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("test accuracy") == 1
    one, two = tmp_path / "one", tmp_path / "two"
    weights = [load_file(each / "weights.safetensors") for each in (one, two)]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4)
    first, second = (list(csv.DictReader((each / "metrics.csv").open())) for each in (one, two))
    for mine, theirs in zip(first, second, strict=True):
        for name in ("step", "lr", "train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            assert float(mine[name]) == pytest.approx(float(theirs[name]), abs=2e-6), name
    tested = [json.loads((each / "test.json").read_text()) for each in (one, two)]
    assert tested[0]["images"] == tested[1]["images"] == 355
    assert tested[0]["accuracy"] == tested[1]["accuracy"]
    assert tested[0]["log_loss"] == pytest.approx(tested[1]["log_loss"], abs=1e-6)
    assert json.loads((two / "run.json").read_text())["environment"]["processes"] == 2


def test_one_without_memory_makes_all_learn_in_parts(tmp_path: Path) -> None:
    script = tmp_path / "short.py"
    script.write_text(SHORT)
    done = run(torchrun(str(script)))
    assert done.returncode == 0, done.stderr


def begun(folder: Path) -> subprocess.Popen[str]:
    """Two processes that have looked at the validation pictures once."""
    process = subprocess.Popen(
        train(folder, "--epochs", "10", network=SMALL),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 200
    while not (folder / "weights.safetensors").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def workers(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(each) for each in children.split()]


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@needs_proc
def test_a_killed_process_ends_all_and_another_number_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun(folder)
    os.kill(workers(process)[1], signal.SIGKILL)
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "striate/training" not in told
    done = run([sys.executable, "-m", "striate", "train", "--resume", str(folder)])
    assert done.returncode == 0, done.stderr
    assert "note: processes 1 in place of 2" in done.stderr
    assert len(list(csv.DictReader((folder / "metrics.csv").open()))) == 10


@needs_proc
def test_a_signal_ends_all_with_their_state_and_two_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun(folder)
    for worker in workers(process):
        os.kill(worker, signal.SIGTERM)
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0
    assert f"interrupted: the best weights so far are in {folder}" in told
    assert json.loads((folder / "run.json").read_text())["results"]["interrupted"]
    done = run(torchrun("-m", "striate", "train", "--resume", str(folder)))
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "run.json").read_text())["results"]["epochs"] == 10


@pytest.mark.parametrize(("count", "size"), [(0, 3), (7, 2), (128, 3), (5, 5), (2, 4)])
def test_shares_are_all_and_nearly_alike(count: int, size: int) -> None:
    shares = [range(count)[share_of(count, rank, size)] for rank in range(size)]
    assert [each for share in shares for each in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_is_a_team_that_needs_no_other() -> None:
    rows = np.ones((2, 3), np.float32)
    assert ALONE.sum([1.5]) == [1.5]
    assert ALONE.word("yes") == "yes"
    assert ALONE.joined(rows) is rows
    assert ALONE.share(7) == slice(0, 7)
    with ALONE.first():
        ALONE.meet()


def test_the_parts_of_each_share() -> None:
    assert [pieces_of(parts, 128, Team(0, 2)) for parts in (1, 2, 3, 128)] == [1, 1, 2, 64]
    assert pieces_of(8, 6, ALONE) == 6
    with pytest.raises(StriateError) as refused:
        pieces_of(1, 3, Team(0, 4))
    assert str(refused.value) == (
        "batch: found 3, but 4 processes take a picture each at least. Give --batch 4 or more"
    )


def test_a_lost_process_is_told_with_the_way_on() -> None:
    error = RuntimeError(
        "[/build/gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:37800: Connection reset by "
        "peer. This is typically caused by a remote worker hanging."
    )
    team = Team(1, 2)
    assert team.is_lost(error)
    assert not ALONE.is_lost(error)
    assert str(team.gone(error)) == (
        "process 1 of 2 lost the others: Read error [127.0.0.1]:37800: Connection reset by peer. "
        "What was saved is whole; striate train --resume RUN goes on, with any number of processes"
    )
