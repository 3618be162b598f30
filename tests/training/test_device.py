from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from striate.errors import UserError
from striate.training.device import Machine, choose_machine, keep_large_blocks

CUDA = torch.cuda.is_available()


def test_the_cpu_in_a_given_precision() -> None:
    assert choose_machine("cpu", "float32") == Machine(torch.device("cpu"), torch.float32)
    assert choose_machine("cpu", "bfloat16") == Machine(torch.device("cpu"), torch.bfloat16)


def test_auto_takes_bfloat16_only_where_the_processor_has_it() -> None:
    path = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not path.exists():
        pytest.skip("the processor's abilities are not listed here")
    with path.open() as file:
        flags = file.read()
    has = any(word in flags for word in ("avx512_bf16", "amx_tile"))
    assert choose_machine("cpu", "auto").dtype == (torch.bfloat16 if has else torch.float32)


@pytest.mark.skipif(CUDA, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError) as error:
        choose_machine("cuda", "auto")
    message = "device: found 'cuda', but torch sees no GPU here. Use --device cpu"
    assert str(error.value) == message
    assert choose_machine("auto", "float32").device == torch.device("cpu")


@pytest.mark.skipif(not CUDA, reason="there is no GPU")
def test_auto_takes_the_gpu() -> None:
    assert choose_machine("auto", "auto").device.type == "cuda"


def test_a_machine_describes_itself() -> None:
    assert choose_machine("cpu", "float32").describe() == {
        "device": "cpu",
        "precision": "float32",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


class Library:
    """A C library that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.calls.append((option, value))
        return 1


def test_large_blocks_are_kept_by_glibc_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setenv("STRIATE_KEEP_MEMORY", "0")
    keep_large_blocks()
    assert library.calls == []
    monkeypatch.delenv("STRIATE_KEEP_MEMORY")
    keep_large_blocks()
    assert library.calls == [(-4, 0), (-1, 2**31 - 1), (-2, 2**28)]


@pytest.mark.parametrize("found", ["", "musl"])
def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    def unreachable(name: object) -> None:
        raise AssertionError

    monkeypatch.setattr(platform, "libc_ver", lambda: (found, ""))
    monkeypatch.setattr(ctypes, "CDLL", unreachable)
    keep_large_blocks()


def test_a_c_library_without_mallopt_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_large_blocks()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="there is no glibc")
def test_large_blocks_are_not_mapped_afresh() -> None:
    """The real thing: page faults of five allocations of 64 MiB, before and after."""
    script = """
import resource
import numpy as np
from striate.training.device import keep_large_blocks
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(1 << 23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fresh = faults()
keep_large_blocks()
np.ones(1 << 23)
print(fresh, faults())
"""
    environment = {**os.environ, "STRIATE_KEEP_MEMORY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True
    )
    fresh, kept = map(int, done.stdout.split())
    assert kept < fresh / 4


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not Path("/proc/self/statm").exists(),
    reason="there is no glibc, or no /proc",
)
def test_what_is_kept_is_given_back() -> None:
    """200 MiB below a block that is still in use, so that the heap does not shrink by itself."""
    script = """
import resource
import numpy as np
import torch
from pathlib import Path
from striate.training.device import give_back, keep_large_blocks
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
keep_large_blocks()
blocks = [np.ones(25 << 17) for _ in range(8)]
blocks[:7] = []
kept = resident()
give_back(torch.device("cpu"))
print(kept - resident())
"""
    environment = {**os.environ, "STRIATE_KEEP_MEMORY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True
    )
    assert int(done.stdout) >= 150


THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not THP.exists() or "[never]" in THP.read_text(),
    reason="there are no large pages",
)
def test_what_follows_lies_in_large_pages() -> None:
    """Bytes, since numpy asks for large pages of its own."""
    script = """
import re
from striate.training.device import keep_large_blocks
keep_large_blocks()
kept = b"x" * (1 << 28)
print(sum(map(int, re.findall(r"AnonHugePages: +(\\d+) kB", open("/proc/self/smaps").read()))))
"""
    pages = []
    for keeps in "01":
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "STRIATE_KEEP_MEMORY": keeps},
            capture_output=True,
            check=True,
        )
        pages.append(int(done.stdout))
    assert pages[1] > 2**16 and (pages[1] > pages[0] or "[always]" in THP.read_text())
