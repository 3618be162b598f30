"""What lies in a tar archive, held to Python's own reader, and archives that are not whole."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.tar import Member, members
from striate.errors import UserError

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def pack(path: Path, files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def by_the_library(path: Path) -> list[Member]:
    with tarfile.open(path, "r:") as archive:
        return [Member(each.name, each.offset_data, each.size) for each in archive if each.isreg()]


@pytest.mark.parametrize("form", FORMATS)
def test_files_are_where_the_library_finds_them(tmp_path: Path, form: str) -> None:
    files = {
        "1.jpg": b"one",
        "empty.cls": b"",
        "a folder/of pictures/2.jpg": b"x" * 512,
        "/".join(["deep" * 10] * 4) + "/3.jpg": b"y" * 513,
        "größe.png": b"z" * 5000,
    }
    path = pack(tmp_path / "a.tar", files, FORMATS[form])
    found = members(path)
    assert found == by_the_library(path)
    raw = path.read_bytes()
    assert {each.name: raw[each.offset : each.offset + each.size] for each in found} == files


NAMES = st.text("abc/é.", min_size=1, max_size=300).filter(
    lambda name: not name.endswith("/") and not name.startswith("/")
)


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=1200), max_size=6),
    form=st.sampled_from(["gnu", "pax"]),
)
@settings(deadline=None, max_examples=60)
def test_any_names_and_sizes_are_read_as_the_library_does(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], form: str
) -> None:
    path = pack(tmp_path_factory.mktemp("tar") / "a.tar", files, FORMATS[form])
    assert members(path) == by_the_library(path)


def test_links_folders_and_remarks_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", pax_headers={"comment": "all of it"}) as archive:
        folder = tarfile.TarInfo("cat")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("long" * 40)
        link.type, link.linkname = tarfile.SYMTYPE, "elsewhere" * 30
        archive.addfile(link)
        info = tarfile.TarInfo("cat/1.jpg")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"one"))
    assert [each.name for each in members(path)] == ["cat/1.jpg"]
    assert members(path) == by_the_library(path)


def test_a_size_of_many_digits_is_read(tmp_path: Path) -> None:
    """GNU writes sizes beyond 8 GiB in base 256, POSIX in an extended header."""
    path = pack(tmp_path / "a.tar", {"1.jpg": b"one"})
    raw = bytearray(path.read_bytes())
    raw[124:136] = b"\x80" + (3).to_bytes(11, "big")
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    path.write_bytes(raw)
    assert members(path) == [Member("1.jpg", 512, 3)] == by_the_library(path)

    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("1.jpg")
        info.size, info.pax_headers = 3, {"size": "3"}
        archive.addfile(info, io.BytesIO(b"one"))
    assert members(path) == by_the_library(path)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "the file is empty."),
        (b"word" * 300, "it is no tar archive."),
        (b"short", "it is no tar archive."),
        (
            gzip.compress(b"x" * 5000, mtime=0),
            "it is compressed (gzip), so that its pictures cannot be found without unpacking it. "
            "Fix: decompress it once to a plain .tar.",
        ),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, raw: bytes, problem: str) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(raw)
    with pytest.raises(UserError) as caught:
        members(path)
    assert str(caught.value) == f"{path}: {problem}"


def test_an_archive_cut_short_is_refused_with_the_place(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {"1.jpg": b"1" * 600, "2.jpg": b"2" * 600})
    raw = path.read_bytes()
    path.write_bytes(raw[:2600])
    with pytest.raises(UserError) as caught:
        members(path)
    assert str(caught.value) == f"{path}: it is cut short within '2.jpg' (2600 bytes are there)."
    # in a header; in the zeros behind a file; in those at the end
    for length, place in ((1700, 1536), (2900, 2900), (3300, 3072)):
        path.write_bytes(raw[:length])
        with pytest.raises(UserError) as caught:
            members(path)
        assert str(caught.value) == f"{path}: it is damaged or cut short at byte {place}."
    path.write_bytes(raw[:3072])
    assert [each.name for each in members(path)] == ["1.jpg", "2.jpg"]


def test_a_header_whose_checksum_fails_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {"1.jpg": b"1" * 600, "2.jpg": b"2"})
    raw = bytearray(path.read_bytes())
    raw[1536] ^= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"it is damaged or cut short at byte 1536\.$"):
        members(path)


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("1.jpg")
        info.type = tarfile.GNUTYPE_SPARSE
        archive.addfile(info)
    with pytest.raises(UserError, match=r"'1\.jpg' is of the kind 'S', which is not read"):
        members(path)


def test_an_archive_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.tar: cannot be read \(No such file or directory\)"):
        members(tmp_path / "gone.tar")
