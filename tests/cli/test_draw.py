"""`striate draw`."""

from __future__ import annotations

from pathlib import Path

import pytest

import striate
from striate.drawing import render


def test_without_a_file_the_text_is_printed(run) -> None:
    assert run("draw", "lenet5") == (0, render(striate.load_graph("lenet5"), "txt").decode(), "")


def test_another_input(run) -> None:
    assert "3×64×64" in run("draw", "vgg16", "--input", "3x64x64").out


@pytest.mark.parametrize(("name", "begins"), [("a.svg", b"<svg"), ("a.png", b"\x89PNG\r\n")])
def test_a_file_in_the_format_of_its_ending(run, tmp_path: Path, name: str, begins: bytes) -> None:
    path = tmp_path / name
    assert run("draw", "lenet5", "-o", path) == (0, "", f"{path} written\n")
    assert path.read_bytes().startswith(begins)


def test_a_torch_network(run, tmp_path: Path) -> None:
    path = tmp_path / "net.svg"
    assert run("draw", "torchvision:squeezenet1_1", "-o", path) == (0, "", f"{path} written\n")
    assert "torchvision:squeezenet1_1" in path.read_text()


def test_an_unknown_ending(run, tmp_path: Path) -> None:
    status, out, err = run("draw", "lenet5", "-o", tmp_path / "a.pdf")
    assert (status, out) == (2, "")
    assert err.startswith(
        f"striate: {tmp_path / 'a.pdf'} ends in .pdf, but a picture is written as"
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(run, tmp_path: Path) -> None:
    status, _, err = run("draw", "lenet5", "-o", tmp_path / "no" / "a.svg")
    assert status == 2
    assert err.startswith(f"striate: {tmp_path / 'no' / 'a.svg'} cannot be written: ")
    assert err.count("\n") == 1


def test_a_folder_in_place_of_a_file(run) -> None:
    assert run("draw", "lenet5", "-o", ".") == (
        2,
        "",
        "striate: . has no ending, but a picture is written as .svg, .png or .txt. "
        "For example net.svg\n",
    )


def test_an_empty_path(run) -> None:
    assert run("draw", "lenet5", "-o", "") == (
        2,
        "",
        "striate: Invalid value for '-o' / '--output': expected a path, found an empty text.\n",
    )


def test_the_steps_of_a_layer(run, tmp_path: Path) -> None:
    path = tmp_path / "steps.svg"
    status, out, err = run("draw", "lenet5", "--steps", "-o", path)
    assert (status, out, err) == (0, "", f"{path} written: the steps of conv1\n")
    assert b"<animate" in path.read_bytes()
    assert run("draw", "lenet5", "--steps", "conv2", "-o", path).err.endswith("of conv2\n")
    assert run("draw", "lenet5", "-o", path, "--steps").err.endswith("of conv1\n")


def test_steps_of_another_input(run, tmp_path: Path) -> None:
    path = tmp_path / "steps.svg"
    arguments = ("draw", "vgg16", "--steps", "-o", path, "--input", "3x32x32")
    assert run(*arguments).err == f"{path} written: the steps of stage1.conv1\n"


def test_steps_need_a_file(run) -> None:
    status, out, err = run("draw", "lenet5", "--steps")
    assert (status, out) == (2, "")
    assert err.splitlines()[0] == (
        "striate: --steps draws into a file: give -o steps.svg or -o steps.png."
    )


def test_steps_of_what_does_not_slide(run, tmp_path: Path) -> None:
    status, _, err = run("draw", "lenet5", "--steps", "fc1", "-o", tmp_path / "a.svg")
    assert status == 2
    assert err.startswith("striate: fc1 is a layer of kind fc, whose steps are not drawn. ")
