import errno
import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from striate.data import cache
from striate.data.cache import Decoded, cache_folder, content_key, decode
from striate.data.decoding import Source
from striate.data.pictures import Pixels, Preprocess, UnreadablePicture
from striate.errors import UserError

COUNT = 150
PREPROCESS = Preprocess(3, 4, 5)
EVERYTHING = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 5, 3), np.uint8)


class Pictures:
    """A source that counts how often it is read."""

    def __init__(self, bad: dict[int, str] | None = None, *, key: str = "a" * 32) -> None:
        self.reads = 0
        self.bad = bad or {}
        self.source = Source(COUNT, PREPROCESS, self.read, key, 1)

    def read(self, index: int) -> Pixels:
        self.reads += 1
        if index in self.bad:
            raise UnreadablePicture(f"{index}.jpg", self.bad[index])
        return EVERYTHING[index]

    @property
    def expected(self) -> Pixels:
        return np.delete(EVERYTHING, list(self.bad), axis=0)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def holds(decoded: Decoded, pictures: Pictures) -> bool:
    return (
        decoded.images.dtype == np.uint8
        and np.array_equal(decoded.images, pictures.expected)
        and decoded.unreadable == tuple(sorted(pictures.bad.items()))
    )


@pytest.fixture(params=[1 << 30, 0], ids=["in memory", "mapped"])
def in_memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the set counts as small."""
    monkeypatch.setattr(cache, "IN_MEMORY_BYTES", request.param)
    return bool(request.param)


BAD = {3: "the file is empty", 149: "no such file"}


class TestDecodedOnce:
    @pytest.mark.parametrize("bad", [{}, BAD, {0: "x"}])
    def test_the_second_time_reads_only_what_failed(
        self, cache_dir: Path, in_memory: bool, bad: dict[int, str]
    ) -> None:
        pictures = Pictures(bad)
        assert holds(decode(pictures.source), pictures)
        assert pictures.reads == COUNT
        assert holds(decode(pictures.source), pictures)
        assert pictures.reads == COUNT + len(bad)
        assert files(cache_dir) == [f"striate-{'a' * 32}.json", f"striate-{'a' * 32}.npy"]
        kept = np.load(cache_dir / f"striate-{'a' * 32}.npy", allow_pickle=False)
        assert np.array_equal(kept, pictures.expected)

    def test_a_large_set_is_mapped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache, "IN_MEMORY_BYTES", 0)
        for _ in range(2):
            images = decode(Pictures().source).images
            assert isinstance(images, np.memmap)
            assert not images.flags.writeable

    def test_progress(self, in_memory: bool) -> None:
        for expected in ([64, 128, 150], [150]):
            seen: list[tuple[int, int]] = []
            decode(
                Pictures().source,
                lambda *step: seen.append(step),  # noqa: B023
            )
            assert seen == [(done, COUNT) for done in expected]

    def test_a_repaired_picture_is_read_again(self, cache_dir: Path, in_memory: bool) -> None:
        decode(Pictures(BAD).source)
        repaired = Pictures()
        decoded = decode(repaired.source)
        assert holds(decoded, repaired)

    def test_nothing_readable(self, cache_dir: Path, in_memory: bool) -> None:
        pictures = Pictures(dict.fromkeys(range(COUNT), "bad"))
        for _ in range(2):
            assert holds(decode(pictures.source), pictures)

    def test_no_pictures(self, cache_dir: Path, in_memory: bool) -> None:
        source = Source(0, PREPROCESS, Pictures().read, "a" * 32, 1)
        images = decode(source).images
        assert images.shape == (0, 4, 5, 3)


class TestKey:
    def test_changes_with_each_part(self) -> None:
        keys = {
            content_key(PREPROCESS, ["a", "b"]),
            content_key(PREPROCESS, ["a", "c"]),
            content_key(PREPROCESS, ["ab"]),
            content_key(Preprocess(3, 4, 5, "stretch"), ["a", "b"]),
        }
        assert len(keys) == 4
        assert content_key(PREPROCESS, ["a", "b"]) in keys

    def test_takes_undecodable_names(self) -> None:
        assert len(content_key(PREPROCESS, [os.fsdecode(b"\xff")])) == 32


class TestFolder:
    def test_order_of_preference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/someone")
        monkeypatch.setenv("XDG_CACHE_HOME", "/var/xdg")
        monkeypatch.setenv("STRIATE_CACHE", "/fast/disk")
        assert cache_folder() == Path("/fast/disk")
        monkeypatch.delenv("STRIATE_CACHE")
        assert cache_folder() == Path("/var/xdg/striate")
        monkeypatch.delenv("XDG_CACHE_HOME")
        assert cache_folder() == Path("/home/someone/.cache/striate")

    def test_least_recently_used_go_first(
        self, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = cache_dir / f"{'e' * 32}.npy"
        own.write_bytes(bytes(100_000))
        monkeypatch.setattr(cache, "CACHE_LIMIT_BYTES", 3 * (EVERYTHING.nbytes + 128))
        for number, key in enumerate("abc"):
            decode(Pictures(key=key * 32).source)
            os.utime(cache_dir / f"striate-{key * 32}.npy", (number, number))
        decode(Pictures(key="a" * 32).source)
        decode(Pictures(key="d" * 32).source)
        assert {name[8] for name in files(cache_dir) if name.startswith("striate-")} == set("acd")
        assert own.exists()

    def test_a_set_above_the_limit_is_kept_alone(
        self, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cache, "CACHE_LIMIT_BYTES", 1)
        for key in "ab":
            decode(Pictures(key=key * 32).source)
        assert files(cache_dir) == [f"striate-{'b' * 32}.json", f"striate-{'b' * 32}.npy"]

    def test_what_killed_runs_leave_is_removed_after_a_day(self, cache_dir: Path) -> None:
        old, new = cache_dir / "striate-old.tmp", cache_dir / "striate-new.tmp"
        old.touch()
        new.touch()
        os.utime(old, (time.time() - 90_000,) * 2)
        decode(Pictures().source)
        assert not old.exists()
        assert new.exists()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros((COUNT, 4, 5), np.float32))


def pickled(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array([{"a": 1}], object), allow_pickle=True)


def zipped(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(50))


class TestDamage:
    @pytest.mark.parametrize("harm", [truncate, flip, empty, foreign, pickled, zipped, Path.unlink])
    def test_a_damaged_array_is_decoded_again(
        self, cache_dir: Path, harm: Callable[[Path], None]
    ) -> None:
        pictures = Pictures(BAD)
        decode(pictures.source)
        harm(cache_dir / f"striate-{'a' * 32}.npy")
        assert holds(decode(pictures.source), pictures)
        assert pictures.reads >= 2 * COUNT
        assert holds(decode(pictures.source), pictures)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"unreadable": 5, "checksum": 0}',
            '{"unreadable": [], "checksum": 0}',
            '{"unreadable": [[1, "x"]], "checksum": null}',
            '{"unreadable": [[-1, "x"], [900, "x"]], "checksum": null}',
            "[" * 100_000,
            "\x00\xff",
        ],
    )
    def test_damaged_notes_are_not_believed(self, cache_dir: Path, text: str) -> None:
        pictures = Pictures(BAD)
        decode(pictures.source)
        (cache_dir / f"striate-{'a' * 32}.json").write_text(text)
        assert holds(decode(pictures.source), pictures)

    def test_a_failure_while_decoding_leaves_nothing(
        self, cache_dir: Path, in_memory: bool
    ) -> None:
        def read(index: int) -> Pixels:
            if index == 100:
                raise KeyboardInterrupt
            return EVERYTHING[index]

        source = Source(COUNT, PREPROCESS, read, "a" * 32, 1)
        with pytest.raises(KeyboardInterrupt):
            decode(source)
        assert files(cache_dir) == []


def notice(folder: Path, reason: int) -> str:
    return (
        f"the decoded pictures could not be kept in {folder} ({os.strerror(reason)}); "
        "the next run decodes them again. STRIATE_CACHE names another folder."
    )


def refusal(folder: Path, reason: int, size: str = "0.0") -> str:
    return (
        f"{folder}: the decoded pictures take {size} GB, too much for memory, "
        f"and cannot be kept here ({os.strerror(reason)}).\n"
        "Fix: set STRIATE_CACHE to a folder with room, or train on smaller pictures."
    )


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with 16 KiB of room."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestNoRoom:
    def test_unwritable_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").touch()
        folder = tmp_path / "file" / "cache"
        monkeypatch.setenv("STRIATE_CACHE", str(folder))
        pictures = Pictures(BAD)
        decoded = decode(pictures.source)
        assert holds(decoded, pictures)
        assert decoded.notices == (notice(folder, errno.ENOTDIR),)
        monkeypatch.setattr(cache, "IN_MEMORY_BYTES", 0)
        with pytest.raises(UserError) as caught:
            decode(pictures.source)
        assert str(caught.value) == refusal(folder, errno.ENOTDIR)

    def test_full_disk(self, full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRIATE_CACHE", str(full_disk))
        count = 1_000  # 60 kB
        source = Source(count, PREPROCESS, lambda index: EVERYTHING[index % COUNT], "a" * 32, 1)
        decoded = decode(source)
        assert decoded.images.shape == (count, 4, 5, 3)
        assert decoded.notices == (notice(full_disk, errno.ENOSPC),)
        monkeypatch.setattr(cache, "IN_MEMORY_BYTES", 0)
        with pytest.raises(UserError) as caught:
            decode(source)
        assert str(caught.value) == refusal(full_disk, errno.ENOSPC)
        assert not list(full_disk.glob("*.tmp"))
        assert not list(full_disk.glob("*.npy"))


def decode_often(folder: Path, in_memory: bool) -> None:
    for _ in range(10):
        pictures = Pictures(BAD)
        assert holds(decode(pictures.source), pictures)
        if in_memory:
            (folder / f"striate-{'a' * 32}.npy").unlink(missing_ok=True)


def test_processes_at_once_do_not_disturb_each_other(cache_dir: Path, in_memory: bool) -> None:
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=decode_often, args=(cache_dir, in_memory)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert not list(cache_dir.glob("*.tmp"))
    meta = json.loads((cache_dir / f"striate-{'a' * 32}.json").read_text())
    assert [index for index, _ in meta["unreadable"]] == list(BAD)
