import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image

import striate
from striate.drawing import render
from striate.errors import UserError
from striate.graph import load_graph


def _message(what, output):
    with pytest.raises(UserError) as caught:
        striate.draw(what, output)
    return str(caught.value)


def test_each_format(tmp_path):
    for suffix in ("svg", "png", "txt"):
        path = tmp_path / f"lenet.{suffix}"
        striate.draw("lenet5", path)
        assert path.read_bytes() == render(load_graph("lenet5"), suffix)
    assert ElementTree.parse(tmp_path / "lenet.svg").getroot().tag.endswith("svg")
    with Image.open(tmp_path / "lenet.png") as picture:
        assert picture.format == "PNG" and picture.width > 800
    assert "conv5-16 · tanh ┤ 16×10×10" in (tmp_path / "lenet.txt").read_text("utf-8")
    assert len(list(tmp_path.iterdir())) == 3


def test_upper_case_endings_and_names_as_text(tmp_path):
    striate.draw("input 3x8x8 -> fc-10", str(tmp_path / "NET.SVG"))
    assert (tmp_path / "NET.SVG").stat().st_size > 500


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "net.pdf",
            "net.pdf ends in .pdf, but a picture is written as .svg, .png or .txt. "
            "For example net.svg",
        ),
        (
            "net",
            "net has no ending, but a picture is written as .svg, .png or .txt. "
            "For example net.svg",
        ),
    ],
)
def test_an_unknown_ending(name, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert _message("lenet5", name) == message
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(tmp_path):
    path = tmp_path / "figures" / "net.svg"
    assert _message("lenet5", path) == (
        f"{path} cannot be written: there is no folder {path.parent}. Make it first"
    )


def test_a_folder_in_place_of_a_file(tmp_path):
    path = tmp_path / "net.svg"
    path.mkdir()
    assert _message("lenet5", path) == (
        f"{path} is a folder. Give a file inside it, such as {path}/net.svg"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    path = tmp_path / "net.svg"
    try:
        message = _message("lenet5", path)
    finally:
        tmp_path.chmod(0o700)
    assert message == (
        f"{path} cannot be written: Permission denied. Choose a folder that you may write to"
    )


def test_a_full_disk_leaves_the_old_picture(tmp_path, monkeypatch):
    path = tmp_path / "net.svg"
    path.write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert _message("lenet5", path) == (
        f"{path} cannot be written: No space left on device. "
        "Make room, or choose a folder on another disk"
    )
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["net.svg"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real.svg").write_text("old")
    (tmp_path / "link.svg").symlink_to("real.svg")
    striate.draw("lenet5", tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert (tmp_path / "real.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize("suffix", ["svg", "txt"])
def test_drawing_imports_neither_torch_nor_numpy_nor_pillow(suffix, tmp_path):
    program = (
        "import sys, striate; import striate.drawing.plots; "
        f"striate.draw('resnet50', {str(tmp_path / f'net.{suffix}')!r}); "
        "print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (found.stdout, found.stderr) == ("[]\n", "")
