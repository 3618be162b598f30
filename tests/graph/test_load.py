from __future__ import annotations

import os
from pathlib import Path

import pytest

from striate import zoo
from striate.errors import NotationError, UserError
from striate.graph import find_source, load_graph
from striate.source import Source

TEXT = "input 3x32x32 -> conv3-8 -> gap -> fc-10"
ZOO = ", ".join(zoo.names())


def refusal(what: str | Path) -> str:
    with pytest.raises(UserError) as caught:
        load_graph(what)
    return str(caught.value)


def test_a_network_of_the_zoo() -> None:
    assert load_graph("vgg16").name == "vgg16"
    assert find_source(" VGG16 ") == zoo.read("vgg16")


def test_a_run_folder_stands_for_the_network_in_it(tmp_path: Path) -> None:
    run = tmp_path / "digits-mine"
    run.mkdir()
    (run / "network.net").write_text(TEXT)
    assert find_source(str(run)) == Source(TEXT, str(run))
    assert load_graph(run).name == "digits-mine"


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.net"
    file.write_text(TEXT)
    assert load_graph(str(file)).name == "mine"
    assert find_source(file) == Source(TEXT, str(file))


def test_a_file_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert load_graph("mine").output == (10,)


def test_line_ends_and_byte_order_marks_mean_nothing(tmp_path: Path) -> None:
    file = tmp_path / "windows.net"
    file.write_bytes(b"\xef\xbb\xbf# a comment\r\ninput 3x8x8\r\n-> conv3-4 -> conv9-4 valid\r\n")
    assert find_source(file).text == "# a comment\ninput 3x8x8\n-> conv3-4 -> conv9-4 valid\n"
    assert f"{file}:3:15: conv's filter of 9×9" in refusal(file)


@pytest.mark.parametrize(
    "text",
    [TEXT, "input 3x8x8\nrelu", "input 3x8x8 relu", "conv3-8", "conv3-8, relu", "INPUT 3x8x8"],
)
def test_a_text(text: str) -> None:
    assert find_source(text) == Source(text)


def test_a_graph_is_itself_unless_the_input_differs() -> None:
    graph = load_graph(TEXT)
    assert load_graph(graph) is graph
    assert load_graph(graph, input=(3, 32, 32)) is graph
    other = load_graph(graph, input=(1, 16, 16))
    assert (other.input, other.name) == ((1, 16, 16), graph.name)


def test_misspelt_text_is_read_as_text() -> None:
    with pytest.raises(NotationError, match="unknown layer 'rellu'"):
        load_graph("input 3x8x8 -> rellu")


def test_an_unknown_network() -> None:
    assert refusal("zzz") == (
        f"unknown network 'zzz'. The zoo has {ZOO}; a file's path or a text such as "
        "'input 3x32x32 -> conv3-16 -> relu -> gap -> fc-10' is also a network"
    )


@pytest.mark.parametrize(
    ("name", "first"),
    [("vgg61", "vgg16"), ("resnet-50", "resnet50"), ("lenet", "lenet5"), ("goglenet", "googlenet")],
)
def test_the_likeliest_network_is_named_first(name: str, first: str) -> None:
    message = refusal(name)
    assert message.startswith(f"unknown network '{name}'. Did you mean {first}")
    assert message.index("?") < message.index(" The zoo has ")


def test_an_empty_text() -> None:
    assert refusal(" \n ") == (
        "the network's text is empty. Give a text such as "
        f"'input 3x32x32 -> conv3-16 -> relu -> gap -> fc-10', a file, or one of the zoo: {ZOO}"
    )


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "tiny.net").write_text(TEXT)
    assert refusal(tmp_path / "tony.net") == (
        f"{tmp_path}/tony.net: there is no such file. Did you mean {tmp_path}/tiny.net?"
    )
    assert refusal(f"{tmp_path}/none/a.net") == (
        f"{tmp_path}/none/a.net: there is no such file, nor a folder {tmp_path}/none"
    )
    assert refusal("missing.net") == "missing.net: there is no such file"


def test_files_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.net"
    file.write_bytes(b"")
    assert refusal(file) == (
        f"{file} is empty. A network begins with a line such as input 3x224x224"
    )
    file.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert refusal(file) == f"{file} is a binary file, not a network's text"
    file.write_bytes("relu # größer".encode("latin-1"))
    assert refusal(file) == f"{file} is not UTF-8 text (byte 10). Save it as UTF-8"
    file.write_bytes(b"#" * 1_000_001)
    assert refusal(file) == f"{file} is larger than 1 MB, which no network's text is"
    assert refusal(tmp_path) == (
        f"{tmp_path} is a folder, neither a network's text nor a run, which holds network.net. "
        "Give a file inside it"
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == f"{tmp_path}/pipe is not an ordinary file"


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b"])
def test_names_that_no_file_can_have(name: str) -> None:
    assert refusal(name).startswith("unknown network ")
