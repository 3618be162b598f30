"""Constants set behind a network's name, against the same text with the constant edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from striate import zoo
from striate.errors import NotationError, UserError
from striate.graph import find_source, load_graph
from striate.graph.adapt import adapt
from striate.graph.constants import constants
from striate.source import Source

TEXT = """# a comment
width = 8
depth = {1 + 1}
input 3x{16*depth}x32
-> [conv3-width -> relu]*depth -> gap -> fc-10
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.net").write_text(TEXT)
    (tmp_path / "plain.net").write_text("input 3x8x8 -> conv3-4")
    return tmp_path


def message(what: str) -> str:
    with pytest.raises(UserError) as error:
        load_graph(what)
    return str(error.value)


@pytest.mark.parametrize("alpha", ["0.5", "1.4", "3/4", " ( 1 + 2 ) / 4 ", "max(0.5, 0.35)"])
def test_a_network_of_the_zoo(alpha: str) -> None:
    value = eval(alpha)
    edited = zoo.read("mobilenet_v2").text.replace("\nalpha = 1\n", f"\nalpha = {value}\n")
    graph = load_graph(f"mobilenet_v2(alpha={alpha})")
    assert graph.nodes == load_graph(Source(edited)).nodes
    assert (graph.source.text, graph.name) == (edited, f"mobilenet_v2(alpha={value})")


def test_the_graph_of_another_input_keeps_the_constants() -> None:
    graph = load_graph("mobilenet_v2(alpha=0.5)")
    other = load_graph(graph, input=(3, 96, 96))
    assert [node.layer for node in other] == [node.layer for node in graph]
    assert other.name == graph.name


@pytest.mark.parametrize(
    ("use", "line", "name"),
    [
        ("net.net(width=32)", "width = 32", "net(width=32)"),
        ("./net.net( WIDTH = 32 )", "width = 32", "net(width=32)"),
        ("net.net(depth=3,)", "depth = 3", "net(depth=3)"),
        ("net.net(width=-1)", "width = -1", ""),
    ],
)
def test_a_file(folder: Path, use: str, line: str, name: str) -> None:
    text = find_source(use).text
    constant = line.split(" = ")[0]
    old = next(old for old in TEXT.splitlines() if old.startswith(constant))
    assert text == TEXT.replace(old, line)
    if name:
        assert load_graph(use).name == name


def test_several_constants_in_any_order(folder: Path) -> None:
    source = find_source("net.net(depth=3, width=0.5e2)")
    assert source == Source(
        TEXT.replace("width = 8", "width = 50.0").replace("{1 + 1}", "3"),
        "net.net(depth=3, width=50.0)",
    )
    assert load_graph(source).input == (3, 48, 32)


def test_any_path_that_is_there(folder: Path) -> None:
    (folder / "sub dir (old)").mkdir()
    (folder / "sub dir (old)" / "mine").write_text(TEXT)
    assert load_graph("sub dir (old)/mine(width=2)").name == "mine(width=2)"
    (folder / "copy(1)").write_text(TEXT)  # a name that looks like a use
    assert find_source("copy(1)").text == TEXT


def test_adapted_to_data_the_constants_stay() -> None:
    adapted = adapt(find_source("mobilenet_v2(alpha=0.5)"), input=(3, 64, 64), classes=5)
    assert "\nalpha = 0.5\n" in adapted.text
    assert load_graph(Source(adapted.text)).output == (5,)


def test_which_constants_there_are() -> None:
    assert list(constants(Source(TEXT))) == ["width", "depth"]
    assert "alpha" in constants(zoo.read("mobilenet_v2"))
    assert constants(zoo.read("vgg16")) == {}


def underlined(what: str, part: str) -> str:
    at = what.rindex(part)
    return f"\n  {what}\n  {' ' * at}{'^' * len(part)}"


@pytest.mark.parametrize(
    ("what", "part", "expected"),
    [
        (
            "net.net(widht=3)",
            "widht",
            "net.net has no constant 'widht'. Did you mean 'width'? It has width, depth",
        ),
        ("net.net(alpha=3)", "alpha", "net.net has no constant 'alpha'. It has width, depth"),
        (
            "plain.net(alpha=3)",
            "alpha",
            "plain.net has no constants that could be set. "
            "A line such as width = 64 in its text makes one",
        ),
        (
            "net.net(0.5)",
            "0.5",
            "expected a constant with its value, found '0.5'. Write net.net(width=1, depth=1)",
        ),
        (
            "net.net()",
            "net.net()",
            "no constant is given. Write net.net(width=1, depth=1), or net.net alone",
        ),
        (
            "net.net(width=1, width=2)",
            "width",
            "'width' is given twice. Keep one",
        ),
        ("net.net(width=big)", "big", "'big' has no value here. Give a number"),
        (
            "net.net(width=1/0)",
            "0",
            "this is zero, and nothing can be divided by it. Give a number",
        ),
        ("net.net(width=)", ")", "expected a number or a name, found ')'"),
        ("net.net(width=1 depth=2)", "depth", "expected ',' or ')' after a value, found 'depth'"),
        ("net.net(width=1;)", ";", "unexpected character ';'. Items are joined by '->'; "
         "a definition stands on a line of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in(folder: Path, what: str, part: str, expected: str) -> None:
    column = what.rindex(part) + 1
    assert message(what) == f"<text>:1:{column}: {expected}{underlined(what, part)}"


def test_a_value_that_does_not_fit_is_shown_in_the_text_with_it(folder: Path) -> None:
    assert message("net.net(width=0.5)") == (
        "net.net(width=0.5):5:11: out_channels (number of filters) must be at least 1, not 0.5\n"
        "  -> [conv3-width -> relu]*depth -> gap -> fc-10\n"
        "            ^^^^^"
    )


def test_names_of_networks_that_are_not_there(folder: Path) -> None:
    assert message("mobilnet_v2(alpha=0.5)").startswith(
        "unknown network 'mobilnet_v2'. Did you mean mobilenet_v2 or "
    )
    assert message("nets.net(width=2)") == (
        "nets.net: there is no such file. Did you mean net.net?"
    )


@pytest.mark.parametrize(
    "text",
    [
        "conv(kernel_size=3, out_channels=8)",
        "conv3-8 -> conv(kernel_size=3, out_channels=8)",
        "(conv3-8 | id)",
        "input 3x8x8 -> (conv3-8 | id)",
        "unit(c) = conv3-c\nunit(3)",
    ],
)
def test_a_text_of_the_notation_is_one(text: str) -> None:
    assert find_source(text) == Source(text)


def test_an_unknown_layer_with_settings_is_told_as_one() -> None:
    with pytest.raises(NotationError, match="unknown layer 'cnov'"):
        load_graph("cnov(kernel_size=3)")
