"""What is printed parses to the same tree, and prints the same again."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate import zoo
from striate.layers import KINDS, PADDING_WORDS, Layer, MaxPool, Setting
from striate.notation import (
    Again,
    Apply,
    Argument,
    Binary,
    Branches,
    CallItem,
    Chain,
    Definition,
    Expression,
    From,
    Group,
    Input,
    Item,
    Labelled,
    LayerItem,
    Name,
    Negative,
    Network,
    Number,
    Size,
    Tap,
    Unpool,
    Word,
    parse,
    print_network,
)
from striate.notation.printer import WIDTH
from striate.source import Source, Span

NOWHERE = Span(0, 0)
PARAMETERS = {"plain": (), "block": ("c",), "stage_2": ("c", "same")}
"""Definitions of chains, with their parameters; each may use those before it."""
CONSTANTS = ("width", "true", "x")


@dataclass(frozen=True)
class Scope:
    """What an item may use."""

    names: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()


@cache
def numbers() -> st.SearchStrategy[Expression]:
    """Any number that a text may hold."""
    whole = st.integers(0, 2**53 - 1).map(lambda n: Number(n, NOWHERE))
    fraction = st.floats(0, 1e15).map(lambda n: Number(n, NOWHERE))
    return whole | fraction


@cache
def names(scope: Scope) -> st.SearchStrategy[Expression]:
    """Any name of a scope."""
    return st.sampled_from(scope.names).map(lambda n: Name(n, NOWHERE))


@cache
def calculations(scope: Scope, depth: int = 2) -> st.SearchStrategy[Expression]:
    """Any expression that has to be evaluated."""
    inner = expressions(scope, depth - 1)
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%"])
    one, two = st.tuples(inner), st.tuples(inner, inner)
    found: list[st.SearchStrategy[Expression]] = [
        st.builds(Binary, operators, inner, inner, st.just(NOWHERE)),
        st.builds(Apply, st.sampled_from(["round", "max"]), one, st.just(NOWHERE)),
        st.builds(Apply, st.sampled_from(["min", "divisible"]), two, st.just(NOWHERE)),
        *([names(scope)] if scope.names else []),
    ]
    return st.one_of(found)


@cache
def expressions(scope: Scope, depth: int = 2) -> st.SearchStrategy[Expression]:
    """Any expression over the names of a scope."""
    simple = numbers() | names(scope) if scope.names else numbers()
    if depth == 0:
        return simple
    inner = calculations(scope, depth)
    return simple | inner | st.builds(Negative, simple | inner, st.just(NOWHERE))


@cache
def values(setting: Setting, scope: Scope) -> st.SearchStrategy[Expression | Size | Word]:
    """Any value of a setting: a number within its limits, or what is evaluated later."""
    lowest, highest = max(setting.minimum, 0), min(setting.maximum, 10_000)
    whole = st.integers(int(lowest), int(highest)).map(lambda n: Number(n, NOWHERE))
    fraction = st.floats(lowest, highest).map(lambda n: Number(n, NOWHERE))
    later = calculations(scope)
    size = st.builds(Size, whole | later, whole | later, st.just(NOWHERE))
    match setting.type:
        case "float":
            return whole | fraction | later
        case "pair":
            return whole | later | size
        case "bool":
            return st.sampled_from(["true", "false"]).map(lambda w: Word(w, NOWHERE)) | later
        case "padding":
            words = st.sampled_from(PADDING_WORDS).map(lambda w: Word(w, NOWHERE))
            return words | whole | later | size
        case _:
            return whole | later


@cache
@st.composite
def layers(draw: st.DrawFn, scope: Scope, kind: type[Layer] | None = None) -> LayerItem:
    """A layer of any kind with what it needs and some of the rest."""
    kind = kind or draw(st.sampled_from(KINDS))
    arguments = [
        Argument(setting.name, draw(values(setting, scope)), NOWHERE)
        for setting in kind.settings
        if setting.required or draw(st.booleans())
    ]
    return LayerItem(kind, tuple(arguments), NOWHERE)


@cache
@st.composite
def calls(draw: st.DrawFn, scope: Scope) -> CallItem:
    """The use of one of the scope's definitions."""
    name = draw(st.sampled_from(scope.calls))
    arguments = tuple(draw(expressions(scope)) for _ in PARAMETERS[name])
    return CallItem(name, arguments, NOWHERE)


@cache
def counts(scope: Scope) -> st.SearchStrategy[Expression | None]:
    """How often a group is repeated, or None."""
    whole = st.integers(0, 100).map(lambda n: Number(n, NOWHERE))
    later = calculations(scope)
    return st.none() | whole | later


@cache
def items(scope: Scope, depth: int) -> st.SearchStrategy[Item]:
    """Any item without a label."""
    simple: list[st.SearchStrategy[Item]] = [layers(scope)]
    if scope.calls:
        simple.append(calls(scope))
    if depth == 0:
        return st.one_of(*simple)
    inner = chains(scope, depth - 1)
    branches = st.lists(inner, min_size=2, max_size=3).map(tuple)
    joins = st.sampled_from(["concat", "add", "multiply"])
    return st.one_of(
        *simple,
        st.builds(Group, inner, counts(scope), st.just(NOWHERE)),
        st.builds(Branches, joins, branches, st.just(NOWHERE)),
    )


@cache
@st.composite
def chains(draw: st.DrawFn, scope: Scope, depth: int = 2) -> Chain:
    """Some items, some of them with labels of their own."""
    found: list[Item] = []
    for number, item in enumerate(draw(st.lists(items(scope, depth), min_size=1, max_size=3))):
        label = draw(st.sampled_from([None, None, "relu", "conv1_1", "a"]))
        found.append(item if label is None else Labelled(f"{label}_{number}", item, NOWHERE))
        if draw(st.integers(0, 5)) == 0:
            body = draw(st.none() | chains(scope, depth - 1)) if depth else None
            found.append(Tap(f"tap_{number}", body, NOWHERE))
    return Chain(tuple(found), NOWHERE)


def refer(draw: st.DrawFn, chain: Chain, labels: ChainMap[str, bool]) -> Chain:
    """The chain with references to labels that can be seen; whether each is a pool's is known."""
    found: list[Item] = []
    for item in chain.items:
        if labels and draw(st.booleans()):
            label = draw(st.sampled_from(sorted(labels)))
            kinds = (Again, From, Unpool) if labels[label] else (Again, From)
            kind = draw(st.sampled_from(kinds))
            found.append(kind(Name(label, NOWHERE), NOWHERE))
        inner = item.item if isinstance(item, Labelled) else item
        inside = labels.new_child()
        match inner:
            case Group(body):
                inner = replace(inner, body=refer(draw, body, inside))
            case Tap(_, Chain() as body):
                inner = replace(inner, body=refer(draw, body, inside))
            case Branches(_, branches):
                inner = replace(inner, branches=tuple(refer(draw, b, inside) for b in branches))
        if isinstance(item, Labelled):
            labels[item.label] = isinstance(inner, LayerItem) and inner.kind is MaxPool
            inner = replace(item, item=inner)
        found.append(inner)
    return Chain(tuple(found), NOWHERE)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Any network: an input or none, constants and definitions in any order, a chain."""
    definitions: list[Definition] = []
    scope = Scope()
    for name in CONSTANTS[: draw(st.integers(0, len(CONSTANTS)))]:
        definitions.append(Definition(name, (), draw(expressions(scope)), NOWHERE))
        scope = Scope((*scope.names, name))
    for name, parameters in list(PARAMETERS.items())[: draw(st.integers(0, len(PARAMETERS)))]:
        body = draw(chains(Scope((*scope.names, *parameters), scope.calls)))
        body = refer(draw, body, ChainMap())
        definitions.append(Definition(name, parameters, body, NOWHERE))
        scope = Scope(scope.names, (*scope.calls, name))
    sizes = [st.integers(1, 1000).map(lambda n: Number(n, NOWHERE)) for _ in "CHW"]
    given = st.builds(Input, *sizes, st.just(NOWHERE))
    chain = refer(draw, draw(chains(scope)), ChainMap())
    shuffled = tuple(draw(st.permutations(definitions)))
    return Network(draw(st.none() | given), shuffled, chain, Source(""))


def _round_trip(network: Network) -> None:
    text = print_network(network)
    again = parse(text)
    assert again == network
    assert print_network(again) == text


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_any_network_round_trips(network: Network) -> None:
    _round_trip(network)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words[0])
def test_any_layer_of_each_kind_round_trips(kind: type[Layer]) -> None:
    @settings(max_examples=20, deadline=None)
    @given(st.lists(layers(Scope(), kind), min_size=1, max_size=3))
    def check(items: list) -> None:
        _round_trip(Network(None, (), Chain(tuple(items), Span(0, 0)), Source("")))

    check()


@pytest.mark.parametrize("name", zoo.names())
def test_the_zoo_round_trips(name: str) -> None:
    network = parse(zoo.read(name).text)
    _round_trip(network)
    assert max(len(line) for line in print_network(network).split("\n")) <= WIDTH


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words[0])
def test_the_example_of_each_kind_is_canonical(kind: type[Layer]) -> None:
    assert print_network(parse(kind.example)) == f"{kind.example}\n"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("INPUT 3x32x32 -> CONV3-64, RELU", "input 3x32x32\nconv3-64 -> relu"),
        ("conv(out_channels=64, kernel_size=3)", "conv3-64"),
        ("conv(kernel_size=3x5, out_channels=64, stride=2, padding=same)", "conv3x5-64/2 same"),
        ("conv3-{c}\nc = {8}", "c = 8\n\nconv3-c"),
        ("c = -8\nconv3-{-(c*(2))}", "c = -8\n\nconv3-{-(c*2)}"),
        ("fc-{1-(2-3)-(4*5)/(6)+-7}", "fc-{1 - (2 - 3) - 4*5/6 + -7}"),
        ("dropout.5 -> dropout{0.00001}", "dropout0.5 -> dropout{1e-05}"),
        ("pool3(padding=full, ceil=false)", "pool3(padding=full, ceil=false)"),
        ("conv3-8(bias=false) p{1}", "conv3-8 p1 nobias"),
        ("bn ( eps = 1e-3 )", "bn(eps=0.001)"),
        ("(conv1-8|[relu]*1|id)", "(conv1-8 | [relu]*1 | id)"),
        ("(id*gap->conv1-{8}\n* [relu]*2*[bn])", "(id * gap -> conv1-8 * [relu]*2 * [bn])"),
        ("a(n, relu) = ([id]*n * [bn]*{relu})\nid", "a(n, relu) = ([id]*n * [bn]*{relu})\n\nid"),
        (
            "P: POOL2 -> UNPOOL p\nq: again P,again q",
            "p: pool2 -> unpool p -> q: again p -> again q",
        ),
        ("tap A[ gap\nfc-10 ],tap b\nfc-10", "tap a [gap -> fc-10] -> tap b -> fc-10"),
        ("A:RELU,(FROM a|from\ta)", "a: relu -> (from a | from a)"),
        ("a(b)=conv3-b\nl: a(2*3)", "a(b) = conv3-b\n\nl: a(2*3)"),
        ("[conv3-64d ]".replace("d", ""), "[conv3-64]"),
    ],
)
def test_canonical_text(text: str, printed: str) -> None:
    assert print_network(parse(text)) == f"{printed}\n"


def test_long_chains_and_brackets_are_broken_over_lines() -> None:
    unit = "conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn"
    text = f"b = ({unit} + {unit})\n{unit} -> {unit} -> x: [[{unit}] -> ({unit} | b)]*2"
    network = parse(text)
    assert print_network(network) == (
        "b = (\n"
        "    conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn\n"
        "    + conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn\n"
        "  )\n"
        "\n"
        "conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn -> conv3-256 -> bn\n"
        "-> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn\n"
        "-> x: [\n"
        "  [conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn]\n"
        "  -> (conv3-256 -> bn -> relu -> conv3-256 -> bn -> relu -> conv3-256 -> bn | b)\n"
        "]*2\n"
    )
    _round_trip(network)


def test_the_deepest_network_round_trips() -> None:
    _round_trip(parse("".join(f"a{i}: [" for i in range(50)) + "relu" + "]*2" * 50))
