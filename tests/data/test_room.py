"""Free memory, and a set of pictures that is larger than it."""

from __future__ import annotations

import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from striate.data import cache, room

PROGRAM = """
import resource, sys
import numpy as np
from pathlib import Path
from striate.data import open_data
from striate.data.pictures import Preprocess
from striate.data.room import free_memory

used = 4096 * int(Path("/proc/self/statm").read_text().split()[5])
limit = used + 90 * 2**20
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
assert free_memory() <= 90 * 2**20
part = open_data(sys.argv[1], Preprocess(3, 512, 512)).train
assert part.images.nbytes > 90 * 2**20
assert isinstance(part.images, np.memmap)
for start in range(0, len(part), 8):
    rows = np.array(part.images[start : start + 8])
    for image, label in zip(rows, part.labels[start : start + 8]):
        assert abs(int(image.mean()) - (60, 180)[label]) <= 2
print(len(part))
"""


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("layout", ["folders", "shards"])
def test_a_set_larger_than_the_memory_limit_is_read_from_its_file(
    tmp_path: Path, layout: str
) -> None:
    for name, value in (("dark", 60), ("light", 180)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(90):
            picture = Image.new("RGB", (512, 512), (value, value, value))
            picture.putpixel((number, 0), (0, 0, 0))
            picture.save(tmp_path / "pictures" / name / f"{number}.png")
    pictures = tmp_path / "pictures"
    if layout == "shards":
        (tmp_path / "shards").mkdir()
        every = sorted(pictures.glob("*/*.png"))
        for shard in range(3):
            with tarfile.open(tmp_path / "shards" / f"{shard}.tar", "w") as archive:
                for path in every[shard::3]:
                    archive.add(path, path.relative_to(pictures))
        pictures = tmp_path / "shards"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pictures)],
        env={"STRIATE_CACHE": str(tmp_path / "cache"), "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "130"), done.stderr


@needs_proc
def test_free_memory_is_within_the_limits_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    free = room.free_memory()
    assert 0 < free < 1e13
    used = 4096 * int(Path("/proc/self/statm").read_text().split()[5])
    monkeypatch.setattr(
        resource,
        "getrlimit",
        lambda limit: (used + 10**6 if limit == resource.RLIMIT_DATA else -1, -1),
    )
    assert room.free_memory() <= 10**6


def test_what_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "free_memory", lambda: 4000)
    assert cache.fits_in_memory(1000)
    assert not cache.fits_in_memory(1001)
    monkeypatch.setattr(cache, "free_memory", lambda: 10**12)
    assert cache.fits_in_memory(cache.IN_MEMORY_BYTES)
    assert not cache.fits_in_memory(cache.IN_MEMORY_BYTES + 1)
