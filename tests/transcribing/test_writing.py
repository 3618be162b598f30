"""Repetitions and layers as a text has them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.graph import build_graph
from striate.layers import KINDS, Layer
from striate.notation import parse, print_network
from striate.notation.tree import Chain, Network
from striate.source import Source, Span
from striate.transcribing.writing import folded, item_of


def shown(text: str) -> str:
    network = parse(text)
    chain = Chain(tuple(folded(network.chain.items)), Span(0, 0))
    return print_network(Network(None, (), chain, Source(""))).strip()


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("conv3-8 -> relu -> conv3-8 -> relu", "[conv3-8 -> relu]*2"),
        ("relu -> conv3-8 -> relu -> conv3-8 -> relu", "relu -> [conv3-8 -> relu]*2"),
        ("conv3-8 -> conv3-8", "conv3-8 -> conv3-8"),
        ("conv3-8 -> conv3-8 -> conv3-8", "[conv3-8]*3"),
        (
            "conv3-8 -> relu -> conv3-8 -> relu -> pool2 -> conv3-8 -> relu -> conv3-8 -> relu "
            "-> pool2",
            "[[conv3-8 -> relu]*2 -> pool2]*2",
        ),
        ("(conv3-8 -> bn + id) -> (conv3-8 -> bn + id)", "[(conv3-8 -> bn + id)]*2"),
        ("relu -> conv1-8 -> relu -> conv1-8 -> fc-2", "[relu -> conv1-8]*2 -> fc-2"),
        ("a: conv3-8 -> again a -> again a", "a: conv3-8 -> again a -> again a"),
        ("conv3-8 -> relu -> tap one -> conv3-8 -> relu -> tap two",) * 2,
    ],
)
def test_what_comes_again_is_written_once(text: str, short: str) -> None:
    assert shown(text) == short


ITEMS = st.sampled_from(["conv3-8", "relu", "bn", "(conv3-8 + id)", "conv1-8"])


@settings(max_examples=200, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=24))
def test_a_folded_chain_is_the_same_network(items: list[str]) -> None:
    text = f"input 8x9x9 -> {' -> '.join(items)}"
    network = parse(text)
    chain = Chain(tuple(folded(network.chain.items)), Span(0, 0))
    again = print_network(Network(network.input, (), chain, Source("")))
    before, after = build_graph(network), build_graph(parse(again))
    assert [(n.layer, n.inputs, n.output) for n in before] == [
        (n.layer, n.inputs, n.output) for n in after
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words[0])
def test_the_example_of_each_kind_is_written_back(kind: type[Layer]) -> None:
    channels = {"shuffle": 66, "widen": 24}.get(kind.words[0], 64)
    for node in build_graph(parse(f"input {channels}x24x24 -> {kind.example}")):
        if node.kind in ("concat", "add", "multiply"):
            continue
        chain = Chain((item_of(node.layer),), Span(0, 0))
        text = print_network(Network(None, (), chain, Source("")))
        (again,) = build_graph(parse(f"input {channels}x24x24 -> {text}"))
        assert again.layer == node.layer
