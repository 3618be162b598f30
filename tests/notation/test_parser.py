"""Every problem of every bad text, whole: message, line, column and underline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate import zoo
from striate.errors import NotationError
from striate.layers import Conv, FullyConnected, MaxPool, ReLU
from striate.layers.pooling import GlobalAvgPool
from striate.notation import (
    Again,
    Argument,
    Branches,
    CallItem,
    Chain,
    From,
    Group,
    Input,
    Labelled,
    LayerItem,
    Name,
    Number,
    Size,
    Tap,
    Unpool,
    Word,
    parse,
    print_network,
)
from striate.notation.vocabulary import MAX_NESTING, MAX_OPERATIONS, MAX_PROBLEMS, MAX_TEXT
from striate.source import Span

NOWHERE = Span(0, 0)


def _bad_texts() -> list[tuple[str, str, str]]:
    """The cases of `bad_texts.txt`: a title, a text, and the whole message that it gives."""
    found = (Path(__file__).parent / "bad_texts.txt").read_text(encoding="utf-8")
    cases = re.split(r"^=== ", found, flags=re.MULTILINE)[1:]
    parts = [re.fullmatch(r"(.*?)\n(.*?)\n---\n(.*?)\n*", case, re.DOTALL) for case in cases]
    return [(part[1], part[2], part[3]) for part in parts if part]


BAD_TEXTS = _bad_texts()


def test_there_are_bad_texts() -> None:
    assert len(BAD_TEXTS) >= 100


@pytest.mark.parametrize(("text", "message"), [pytest.param(*c[1:], id=c[0]) for c in BAD_TEXTS])
def test_bad_text(text: str, message: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text)
    assert str(caught.value).rstrip() == message


@pytest.mark.parametrize("text", [c[1] for c in BAD_TEXTS if c[1]])
def test_underline_is_under_the_span(text: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(text)
    shown = str(caught.value).split("\n\n<text>:")
    assert len(shown) == len(caught.value.problems)
    for part, problem in zip(shown, caught.value.problems, strict=True):
        _, line, carets = part.rstrip("\n").split("\n")
        marked = line[carets.find("^") : carets.rfind("^") + 1]
        first_line = text[problem.span.start : problem.span.end].split("\n")[0].rstrip()
        assert marked == first_line or problem.span.start == problem.span.end


def _layer(kind: type, **given: int | str) -> LayerItem:
    values = {
        name: Word(value, NOWHERE) if isinstance(value, str) else Number(value, NOWHERE)
        for name, value in given.items()
    }
    return LayerItem(kind, tuple(Argument(n, v, NOWHERE) for n, v in values.items()), NOWHERE)


def _chain(*items: object) -> Chain:
    return Chain(items, NOWHERE)  # type: ignore[arg-type]


def test_the_pattern_of_the_notes_with_numbers() -> None:
    network = parse(
        "INPUT 3x32x32 -> [[CONV3-64 -> RELU]*2 -> POOL2]*3 -> [FC-256 -> RELU]*1 -> FC-10"
    )
    relu = _layer(ReLU)
    two = Group(
        _chain(_layer(Conv, kernel_size=3, out_channels=64), relu), Number(2, NOWHERE), NOWHERE
    )
    three = Group(_chain(two, _layer(MaxPool, kernel_size=2)), Number(3, NOWHERE), NOWHERE)
    one = Group(_chain(_layer(FullyConnected, out_channels=256), relu), Number(1, NOWHERE), NOWHERE)
    assert network.input == Input(*(Number(n, NOWHERE) for n in (3, 32, 32)), NOWHERE)
    assert network.chain == _chain(three, one, _layer(FullyConnected, out_channels=10))


def test_every_construct_gives_its_node() -> None:
    network = parse("block(c) = conv{c}x3-c/s\ns = 2\ntop: [(block(8) | id | relu)]*s")
    block, constant = network.definitions
    size = Size(Name("c", NOWHERE), Number(3, NOWHERE), NOWHERE)
    arguments = (
        Argument("kernel_size", size, NOWHERE),
        Argument("out_channels", Name("c", NOWHERE), NOWHERE),
        Argument("stride", Name("s", NOWHERE), NOWHERE),
    )
    assert block.parameters == ("c",)
    assert block.body == _chain(LayerItem(Conv, arguments, NOWHERE))
    assert constant.body == Number(2, NOWHERE)
    (top,) = network.chain.items
    assert isinstance(top, Labelled)
    assert top.label == "top"
    assert isinstance(top.item, Group)
    assert top.item.count == Name("s", NOWHERE)
    (branches,) = top.item.body.items
    assert isinstance(branches, Branches)
    assert branches.join == "concat"
    call = CallItem("block", (Number(8, NOWHERE),), NOWHERE)
    assert branches.branches[0] == _chain(call)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("conv3-64/2 same", "conv(kernel_size=3, out_channels=64, stride=2, padding=same)"),
        ("conv3-64/2 same", "CONV ( padding = Same , stride = 2, out_channels=64, kernel_size=3 )"),
        ("conv3x5-64 d2x1 g4 p1x0", "conv3x5-64(dilation=2x1, groups=4, padding=1 x 0)"),
        ("conv3–64 → relu", "conv3-64 -> relu"),
        ("conv3-64, bn, relu", "conv3-64\nbn\n\n# the end of a block\nrelu\n"),
        ("a -> relu\na = bn", "a = bn\na\n-> relu"),
        ("input 3 x 8 × 9 -> relu", "relu".join(["input 3x8x9\r\n", "\r\n"])),
        ("pool3/2 ceil", "pool3(stride=2, ceil=true)"),
        ("(relu|bn)", "(\n  relu\n  | bn\n)"),
        ("a(c) = conv3-c -> bn,\nrelu\na(2)", "a(c) = conv3-c\n  -> bn -> relu\n\na({2})"),
        ("bn(eps=0.001)", "BatchNorm(eps=1e-3)"),
        ("swish -> deconv2-8/2 -> dense-10", "silu -> tconv2-8/2 -> fc-10"),
    ],
)
def test_two_ways_to_write_the_same(left: str, right: str) -> None:
    assert parse(left) == parse(right)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("([relu]*2 * id)", [2, "id"]),
        ("(id * [relu]*{2})", ["id", 2]),
        ("n = 2\n([relu]*n * id)", ["n", "id"]),
        ("b = relu\n([relu]*b)", [None, "b"]),
        ("([relu] * x: id)", [None, "x"]),
        ("([relu]*(id | bn))", [None, "(id | bn)"]),
        ("([relu] * [bn]*3\n* id)", [None, 3, "id"]),
    ],
)
def test_a_star_is_a_sign_where_an_item_follows(text: str, counts: list[object]) -> None:
    (branches,) = parse(text).chain.items
    assert isinstance(branches, Branches)
    assert branches.join == "multiply"
    assert len(branches.branches) == len(counts)
    for branch, count in zip(branches.branches, counts, strict=True):
        (item,) = branch.items
        if isinstance(item, Group):
            found = item.count
            assert count == (getattr(found, "value", None) or getattr(found, "name", None))


@pytest.mark.parametrize(
    "text",
    [
        "a: conv3-8 -> again a",
        "a: conv3-8 -> [relu -> (again a | [again a]*2)]",
        "(a: conv3-8 -> relu | again a | b: again a -> again b)",
        "a: conv3-8 -> tap t [again a -> gap]",
        "p: pool2 -> [p: pool2 -> unpool p] -> unpool p",
        "p: pool2 -> q: again p -> unpool q",
        "d = [a: relu -> again a]\na: d -> again a",
        "a: conv3-8 -> [relu -> (from a | [from a]*2)] -> from a",
        "d = [a: relu -> (id + from a)]\na: d -> tap t [from a -> gap] -> from: relu -> from from",
        "again: conv3-8 -> tap: relu -> again tap -> tap unpool [x: gap] -> again again",
    ],
)
def test_a_reference_sees_labels_before_it_and_around_it(text: str) -> None:
    assert parse(print_network(parse(text))) == parse(text)


def test_references_and_taps_give_their_nodes() -> None:
    a, again, p, unpool, bare, tap, jump = parse(
        "a: relu -> again a -> p: pool2 -> unpool p -> tap s -> tap t [gap] -> from a"
    ).chain.items
    assert (again, jump, unpool) == (
        Again(Name("a", NOWHERE), NOWHERE),
        From(Name("a", NOWHERE), NOWHERE),
        Unpool(Name("p", NOWHERE), NOWHERE),
    )
    assert (bare, tap) == (
        Tap("s", None, NOWHERE),
        Tap("t", _chain(_layer(GlobalAvgPool)), NOWHERE),
    )
    assert isinstance(a, Labelled)
    assert isinstance(p, Labelled)
    assert (again.span, unpool.span, tap.span) == (Span(11, 18), Span(34, 42), Span(55, 66))


def test_spans_are_those_of_the_text() -> None:
    text = "input 3x8x8 -> stem: conv3-64/2 p1 -> [relu -> (bn | id)]*2"
    network = parse(text)

    def written(span: Span) -> str:
        return text[span.start : span.end]

    stem, group = network.chain.items
    assert network.input is not None
    assert written(network.input.span) == "input 3x8x8"
    assert written(network.chain.span) == text[15:]
    assert written(stem.span) == "stem: conv3-64/2 p1"
    assert isinstance(stem, Labelled)
    assert isinstance(stem.item, LayerItem)
    assert [written(a.span) for a in stem.item.arguments] == ["3", "-64", "/2", "p1"]
    assert isinstance(group, Group)
    assert written(group.span) == "[relu -> (bn | id)]*2"
    assert written(group.body.items[1].span) == "(bn | id)"


def test_five_thousand_layers() -> None:
    text = "input 3x32x32\n" + "\n".join(["conv3-64/2 d2 nobias", "bn", "relu", "-> id"] * 1250)
    assert len(parse(text).chain.items) == 5000


def test_nesting_to_the_limit_and_one_deeper() -> None:
    text = "[" * MAX_NESTING + "relu" + "]" * MAX_NESTING
    assert parse(text) == parse(text)
    with pytest.raises(NotationError) as caught:
        parse(f"[{text}]")
    assert [problem.message for problem in caught.value.problems] == [
        "brackets are nested more than 50 deep here. "
        "Give an inner part a name on a line of its own: name = …"
    ]
    assert caught.value.problems[0].span == Span(MAX_NESTING, MAX_NESTING + 1)


@pytest.mark.parametrize("deep", ["[", "(", "{", "fc-{(", "fc-{min(", "conv(a={", "a("])
def test_a_hundred_thousand_brackets_are_one_problem(deep: str) -> None:
    with pytest.raises(NotationError) as caught:
        parse(deep * (100_000 // len(deep)))
    assert "brackets are nested more than 50 deep" in str(caught.value)


@pytest.mark.parametrize("sign", [*"-=~'+*?:|,9x.#", "->", "x9", "'-\"", "a(", "a(\n", "\n"])
def test_a_long_run_of_signs_costs_no_more_than_its_length(sign: str) -> None:
    _only_notation_errors("fc-{" + sign * (200_000 // len(sign)))


def test_nesting_through_definitions() -> None:
    def chained(count: int) -> str:
        lines = [f"d{i} = [d{i + 1} -> relu]" for i in range(count)]
        return "\n".join([*lines, f"d{count} = relu", "d0"])

    parse(chained(MAX_NESTING // 2))
    with pytest.raises(NotationError) as caught:
        parse(chained(MAX_NESTING // 2 + 1))
    (problem,) = caught.value.problems
    assert problem.message == (
        "definitions are nested more than 50 deep through 'd0'. Make some of them one"
    )


@pytest.mark.parametrize("operation", ["1+", "-(", "1-(", "max("])
def test_operations_to_the_limit_and_one_more(operation: str) -> None:
    def nested(count: int) -> str:
        return f"fc-{{{operation * count}1{')' * count * operation.count('(')}}}"

    most = MAX_OPERATIONS // (len(operation) - 1 if operation == "1-(" else 1)
    most = min(most, MAX_NESTING - 1)
    assert parse(nested(most)) == parse(nested(most))
    with pytest.raises(NotationError):
        parse(nested(MAX_OPERATIONS + 1))


def test_a_text_that_is_too_long() -> None:
    with pytest.raises(NotationError) as caught:
        parse("#" * (MAX_TEXT + 1))
    assert caught.value.problems[0].message == (
        "this text has 1,000,001 characters, and a network has at most 1,000,000"
    )


def test_no_more_problems_than_anyone_reads() -> None:
    with pytest.raises(NotationError) as caught:
        parse("relo, " * 10_000 + "relu")
    assert len(caught.value.problems) == MAX_PROBLEMS


PIECES = [
    *"[](){}|+-*/%:,=?#.x;\n <>\"'é×→",
    *["->", "//", " ", "\n", "input", "3x8x8", "conv3-64", "conv", "pool2", "relu", "bn(eps=1e-3)"],
    *["block(c)", "block", " = ", "c", "d2", "p1x0", "same", "nobias", "0", "2", "0.5", "9" * 30],
    *["stem:", "fc-10", "{2*c}", "]*2", "]*n", "min(", "divisible(c, 8)", "stride=2", "# x\n"],
    *["again stem", "again", "unpool p", "p: pool2", "tap t", "tap t [", " * ", "] * ", "* gap"],
]
TEXTS = [c[1] for c in BAD_TEXTS] + [zoo.read(name).text for name in zoo.names()]


def _only_notation_errors(text: str) -> None:
    try:
        parse(text)
    except NotationError as error:
        assert error.problems
        assert str(error)
        for problem in error.problems:
            assert 0 <= problem.span.start <= problem.span.end <= len(text) + 1


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_pieces_give_a_tree_or_problems(text: str) -> None:
    _only_notation_errors(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_problems(text: str) -> None:
    _only_notation_errors(text)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_any_change_of_a_text_gives_a_tree_or_problems(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 8)))
        text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    _only_notation_errors(text)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_case_does_not_matter(text: str, data: st.DataObject) -> None:
    def outcome(text: str) -> object:
        try:
            network = parse(text)
        except NotationError as error:
            return [problem.span for problem in error.problems]
        return network

    ascii_only = text.encode("ascii", "ignore").decode()
    assert outcome(ascii_only.upper()) == outcome(ascii_only.lower())
