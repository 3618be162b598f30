"""Trainings that are killed, meet a full disk, or are asked to end: what is left of them.

    python benchmarks/faults.py [--kills N] [--full N] [--signals N] [--short N] [--json FILE]

A small network learns the digits and saves its state at every step. Processes are forked from one
that has imported everything and computes nothing, so that a moment of a second is a moment of the
training.

- `--kills`: SIGKILL at random moments, the training resumed each time, until that many kills; then
  it is let to its end. Counted: runs that cannot be read afterwards, files left half written after
  the next start, and weights that differ from those of a training that was never stopped.
- `--full`: no file may grow beyond a random size, as on a disk that is full. Counted: runs that
  cannot be read, and trainings that end otherwise than with status 2 and a message.
- `--signals`: SIGTERM or SIGINT at random moments, looks and savings among them. Counted: trainings
  that end without a state; told is the longest time until it was written and the process had ended.
- `--short`: a process may take a random amount of memory more, most often too little for a batch.
  Counted: trainings that came to their end in parts, those that ended with a message that says so,
  and those that ended in any other way.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from striate.cli.reporting import DONE, INTERRUPTED, explain
from striate.data import open_data
from striate.errors import StriateError
from striate.training import clock
from striate.training.choosing import Wishes
from striate.training.progress import Display
from striate.training.resuming import go_on
from striate.training.run import STATE, WEIGHTS, open_started, read_weights
from striate.training.state import read_state
from striate.training.train import fit

NET = "input 1x8x8 -> conv3-16 nobias -> bn -> relu -> pool2 -> dropout0.2 -> fc-10"
WISHES = Wishes(epochs=8, device="cpu", precision="float32")
WIDE = "input 1x8x8 -> conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> gap -> fc-10"
"""A network of which a batch of 1024 digits takes 408 MB, as `striate memory` says."""
LONGEST = 0.6
"""Seconds after which a process is killed at the latest."""


def learn(folder: Path, wishes: Wishes = WISHES, net: str = NET) -> int:
    """Begin the training, or go on with it; its exit status, as the program gives it."""
    torch.set_num_threads(1)
    clock.SAVE_EVERY, clock.SAVE_SHARE = 0.0, 0
    display = Display(io.StringIO())
    try:
        if (folder / "run.json").exists():
            outcome = go_on(folder, display=display)
        else:
            outcome = fit(net, "digits", wishes, output=folder, display=display)
    except BaseException as error:
        message, status = explain(error)
        for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
            resource.setrlimit(kind, (resource.RLIM_INFINITY,) * 2)
        (folder.parent / "message").write_text(message)
        return status
    return INTERRUPTED if outcome.trained.interrupted else DONE


def forked(work: Callable[[], int]) -> int:
    """A process that does this, and ends with the status that it gives."""
    process = os.fork()
    if process == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = work()
        os._exit(status)
    return process


def ended(process: int) -> int:
    """Its exit status; that of a killed one is negative."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def readable(folder: Path) -> bool:
    """Whether all that there is of a run can be read."""
    try:
        if (folder / "run.json").exists():
            open_started(folder)
        for name, read in ((STATE, read_state), (WEIGHTS, read_weights)):
            if (folder / name).exists():
                read(folder / name)
    except StriateError:
        return False
    return True


def litter(folder: Path) -> int:
    """Files that were left half written."""
    return len(list(folder.glob(".*.tmp")))


def killed(count: int, place: Path, chance: random.Random) -> dict[str, Any]:
    """SIGKILL, and on again, that many times; then to the end."""
    folder, straight = place / "killed", place / "straight"
    assert ended(forked(lambda: learn(straight))) == DONE
    found = {"kills": 0, "in mid-saving": 0, "unreadable": 0, "litter": 0, "from a state": 0}
    while found["kills"] < count:
        process = forked(lambda: learn(folder))
        time.sleep(chance.uniform(0, LONGEST))
        os.kill(process, signal.SIGKILL)
        if ended(process) == DONE:  # the training was over before it was killed: begin another
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            continue
        found["kills"] += 1
        if not folder.exists() or not (folder / "run.json").exists():
            for path in folder.glob("*"):
                path.unlink()
            if folder.exists():
                folder.rmdir()
            continue
        found["in mid-saving"] += bool(litter(folder))
        found["unreadable"] += not readable(folder)
        found["from a state"] += (folder / STATE).exists()
    status = ended(forked(lambda: learn(folder)))
    found["litter"] = litter(folder)
    one, other = read_weights(folder / WEIGHTS), read_weights(straight / WEIGHTS)
    same = status == DONE and all(torch.equal(one[name], other[name]) for name in other)
    return {**found, "the same weights": same}


def on_a_full_disk(count: int, place: Path, chance: random.Random) -> dict[str, Any]:
    """No file larger than a random size, once a state is there."""
    found = {"full disks": count, "unreadable": 0, "litter": 0, "untold": 0, "largest file": 0}
    for number in range(count):
        folder = place / f"full{number}"

        def limited(folder: Path = folder) -> int:
            real = clock.Clock.saved

            def saved(self: clock.Clock, spent: float) -> None:
                real(self, spent)
                if self.steps == 3:
                    size = (folder / STATE).stat().st_size
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    limit = chance.randrange(size)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

            clock.Clock.saved = saved  # type: ignore[method-assign]
            return learn(folder)

        chance.random()
        status = ended(forked(limited))
        message = (place / "message").read_text() if (place / "message").exists() else ""
        told = (
            status == 2 and "too large" in message and f"striate train --resume {folder}" in message
        )
        found["untold"] += not told
        found["unreadable"] += not readable(folder) or not (folder / STATE).exists()
        found["litter"] += litter(folder)
        found["largest file"] = max(found["largest file"], (folder / STATE).stat().st_size)
        (place / "message").unlink(missing_ok=True)
    return found


def asked_to_end(count: int, place: Path, chance: random.Random) -> dict[str, Any]:
    """SIGTERM and SIGINT at random moments after the first state is written."""
    found: dict[str, Any] = {"signals": count, "without a state": 0, "other status": 0}
    longest = 0.0
    wishes = Wishes(epochs=2000, device="cpu", precision="float32")
    for number in range(count):
        folder = place / f"asked{number}"
        process = forked(lambda folder=folder: learn(folder, wishes))  # type: ignore[misc]
        while not (folder / STATE).exists():
            time.sleep(0.01)
        time.sleep(chance.uniform(0, LONGEST))
        began = time.monotonic()
        os.kill(process, chance.choice((signal.SIGTERM, signal.SIGINT)))
        found["other status"] += ended(process) != INTERRUPTED
        longest = max(longest, time.monotonic() - began)
        found["without a state"] += not readable(folder) or not (folder / STATE).exists()
    return {**found, "longest seconds": round(longest, 2)}


def short_of_memory(count: int, place: Path, chance: random.Random) -> dict[str, Any]:
    """No more memory than a random amount above what a process has taken already."""
    found = {"short": count, "whole": 0, "in parts": 0, "told": 0, "otherwise": 0, "unreadable": 0}
    wishes = Wishes(epochs=2, batch=1024, device="cpu", precision="float32")
    for number in range(count):
        folder, more = place / f"short{number}", chance.randrange(30 << 20, 700 << 20)

        def limited(folder: Path = folder, more: int = more) -> int:
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (taken + more, resource.RLIM_INFINITY))
            return learn(folder, wishes, WIDE)

        status = ended(forked(limited))
        message = (place / "message").read_text() if (place / "message").exists() else ""
        if status == DONE:
            cut = any("memory" in each for each in open_started(folder).record.notices)
            found["in parts" if cut else "whole"] += 1
        else:
            told = status in (1, 2) and "memory" in message and "bug" not in message
            found["told" if told else "otherwise"] += 1
        found["unreadable"] += folder.exists() and not readable(folder)
        (place / "message").unlink(missing_ok=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--full", type=int, default=30)
    parser.add_argument("--signals", type=int, default=30)
    parser.add_argument("--short", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", type=Path)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    open_data("digits", None)  # read before the processes part, so that each begins at once
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found = {
            "killed": killed(chosen.kills, place, chance),
            "full": on_a_full_disk(chosen.full, place, chance),
            "asked": asked_to_end(chosen.signals, place, chance),
            "short": short_of_memory(chosen.short, place, chance),
        }
    for name, figures in found.items():
        print(f"{name}: " + ", ".join(f"{what} {figure}" for what, figure in figures.items()))
    print(f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores")
    if chosen.json:
        chosen.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
