from __future__ import annotations

import time
from pathlib import Path

import pytest

from striate.errors import ShapeError
from striate.graph import IMAGE, Graph, Leaf, Parallel, Part, Repeat, Series, build_graph, resolve
from striate.notation import parse


def graph_of(text: str, **settings: object) -> Graph:
    return build_graph(parse(text), **settings)  # type: ignore[arg-type]


def names(text: str) -> list[str]:
    return [node.name for node in graph_of(text)]


def shapes(text: str) -> list[tuple[int, ...]]:
    return [node.output for node in graph_of(text)]


def message_of(text: str) -> str:
    with pytest.raises(ShapeError) as caught:
        graph_of(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("input 3x224x224 -> conv5-8 valid", (8, 220, 220)),
        ("input 3x224x224 -> conv5-8 p2", (8, 224, 224)),
        ("input 3x5x5 -> conv3-2/2 p1", (2, 3, 3)),
        ("input 3x32x32 -> conv3-8 valid", (8, 30, 30)),
        ("input 3x32x32 -> conv5-8 valid", (8, 28, 28)),
        ("input 3x32x32 -> pool2", (3, 16, 16)),
        ("input 10x5x5 -> flatten", (250,)),
        # Dumoulin & Visin, arXiv 1603.07285, chapters 2 and 4
        ("input 1x4x4 -> conv3-1 valid", (1, 2, 2)),
        ("input 1x5x5 -> conv4-1 p2", (1, 6, 6)),
        ("input 1x5x5 -> conv3-1 same", (1, 5, 5)),
        ("input 1x5x5 -> conv3-1 full", (1, 7, 7)),
        ("input 1x5x5 -> conv3-1/2 valid", (1, 2, 2)),
        ("input 1x5x5 -> conv3-1/2 p1", (1, 3, 3)),
        ("input 1x6x6 -> conv3-1/2 p1", (1, 3, 3)),
        ("input 1x7x7 -> conv3-1 d2 valid", (1, 3, 3)),
        ("input 1x2x2 -> tconv3-1 valid", (1, 4, 4)),
        ("input 1x6x6 -> tconv4-1 p2", (1, 5, 5)),
        ("input 1x5x5 -> tconv3-1 p1", (1, 5, 5)),
        ("input 1x7x7 -> tconv3-1 full", (1, 5, 5)),
        ("input 1x2x2 -> tconv3-1/2 valid", (1, 5, 5)),
        ("input 1x3x3 -> tconv3-1/2 p1", (1, 5, 5)),
        ("input 1x3x3 -> tconv3-1/2 p1 op1", (1, 6, 6)),
        # what the guides leave out
        ("input 3x9x7 -> conv3x1-4 valid", (4, 7, 7)),
        ("input 3x10x10 -> pool3/2 ceil", (3, 5, 5)),
        ("input 3x7x7 -> tconv2-8/2", (8, 14, 14)),
        ("input 3x7x5 -> adaptavgpool2x3", (3, 2, 3)),
    ],
)
def test_output_sizes(text: str, output: tuple[int, ...]) -> None:
    assert graph_of(text).output == output


def test_a_chain_is_named_by_kind_and_count() -> None:
    text = "input 3x32x32 -> [conv3-8 -> bn -> relu]*2 -> pool2 -> gap -> fc-10"
    assert names(text) == [
        *("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "pool1", "gap1", "fc1")
    ]


def test_definitions_labels_and_labelled_repetitions_open_scopes() -> None:
    text = """
        unit(c) = conv3-c -> relu
        pair(c) = unit(c) -> last: conv1-c
        input 3x8x8
        -> unit(4) -> unit(4)
        -> stem: conv3-4
        -> a: unit(4)
        -> b: [conv1-4 -> relu]
        -> c: [unit(4)]*2
        -> d: [unit(4) -> relu]*2
        -> e: (id + relu)
        -> f: [pair(4)]
    """
    assert names(text) == [
        *("unit1.conv1", "unit1.relu1", "unit2.conv1", "unit2.relu1"),
        "stem",
        *("a.conv1", "a.relu1"),
        *("b.conv1", "b.relu1"),
        *("c.1.conv1", "c.1.relu1", "c.2.conv1", "c.2.relu1"),
        *("d.1.unit1.conv1", "d.1.unit1.relu1", "d.1.relu1"),
        *("d.2.unit1.conv1", "d.2.unit1.relu1", "d.2.relu1"),
        *("e.id1", "e.relu1", "e.add1"),
        *("f.unit1.conv1", "f.unit1.relu1", "f.last"),
    ]


def test_a_label_inside_a_plain_repetition_is_numbered() -> None:
    assert names("input 3x8x8 -> [a: conv3-3]*3") == ["a", "a_2", "a_3"]


def test_branches_read_one_node_and_meet_in_the_merge() -> None:
    graph = graph_of("input 3x8x8 -> conv3-4 -> (conv1-2 | conv3-3 -> relu | id) -> (id + id)")
    assert [(node.name, node.inputs, node.output) for node in graph] == [
        ("conv1", (IMAGE,), (4, 8, 8)),
        ("conv2", (0,), (2, 8, 8)),
        ("conv3", (0,), (3, 8, 8)),
        ("relu1", (2,), (3, 8, 8)),
        ("id1", (0,), (4, 8, 8)),
        ("concat1", (1, 3, 4), (9, 8, 8)),
        ("id2", (5,), (9, 8, 8)),
        ("id3", (5,), (9, 8, 8)),
        ("add1", (6, 7), (9, 8, 8)),
    ]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("input 4x8x6 -> (id * relu)", (4, 8, 6)),
        ("input 4x8x6 -> (id * gap)", (4, 8, 6)),
        ("input 4x8x6 -> (gap -> fc-4 -> sigmoid * conv3-4)", (4, 8, 6)),
        ("input 4x8x6 -> gap -> (fc-9 * fc-9)", (9,)),
        ("input 4x8x6 -> (gap * gmp)", (4, 1, 1)),
    ],
)
def test_a_product_takes_gates_of_one_by_one(text: str, output: tuple[int, ...]) -> None:
    graph = graph_of(text)
    assert (graph.nodes[-1].name, graph.output) == ("multiply1", output)


def test_again_gives_layers_of_their_own_with_the_weights_of_the_first() -> None:
    graph = graph_of(
        "d(c) = [x: conv3-c -> bn -> again x]\n"
        "input 4x8x8 -> e: d(4) -> (again e + id) -> f: [conv1-4 -> relu]*2 -> g: again e"
        " -> again g -> again f -> h: fc-3"
    )
    assert [(node.name, node.weights) for node in graph] == [
        *(("e.x", ""), ("e.bn1", ""), ("e.x_2", "e.x")),
        *(("e_2.x", "e.x"), ("e_2.bn1", "e.bn1"), ("e_2.x_2", "e.x"), ("id1", ""), ("add1", "")),
        *(("f.1.conv1", ""), ("f.1.relu1", ""), ("f.2.conv1", ""), ("f.2.relu1", "")),
        *(("g.x", "e.x"), ("g.bn1", "e.bn1"), ("g.x_2", "e.x")),
        *(("g_2.x", "e.x"), ("g_2.bn1", "e.bn1"), ("g_2.x_2", "e.x")),
        *(("f_2.1.conv1", "f.1.conv1"), ("f_2.1.relu1", "")),
        *(("f_2.2.conv1", "f.2.conv1"), ("f_2.2.relu1", ""), ("h", "")),
    ]


def test_from_goes_on_from_the_labelled_value() -> None:
    graph = graph_of(
        "d(c) = x: [conv3-c -> relu] -> conv1-c -> (id + from x)\n"
        "input 4x8x8 -> a: [d(4)]*2 -> pool2 -> b: conv1-6 -> from a -> (pool2 | from b) -> fc-3"
    )
    assert [(node.name, node.inputs) for node in graph] == [
        *(("a.1.x.conv1", (IMAGE,)), ("a.1.x.relu1", (0,)), ("a.1.conv1", (1,))),
        *(("a.1.id1", (2,)), ("a.1.add1", (3, 1))),
        *(("a.2.x.conv1", (4,)), ("a.2.x.relu1", (5,)), ("a.2.conv1", (6,))),
        *(("a.2.id1", (7,)), ("a.2.add1", (8, 6))),
        *(("pool1", (9,)), ("b", (10,)), ("pool2", (9,)), ("concat1", (12, 11)), ("fc1", (13,))),
    ]
    assert graph.output == (3,)


def test_from_takes_the_value_of_its_own_round_and_repetition() -> None:
    graph = graph_of(
        "input 4x8x8 -> [a: relu -> tanh -> (id + from a)]*2 "
        "-> e: [b: gelu -> (relu | from b) -> conv1-4] -> again e -> (from e + id)"
    )
    joins = [node for node in graph if node.layer.role == "merge"]
    assert [
        (node.name, graph.nodes[node.inputs[-2]].name, graph.nodes[node.inputs[-1]].name)
        for node in joins
    ] == [
        ("add1", "id1", "a"),
        ("add2", "id2", "a_2"),
        ("e.concat1", "e.relu1", "e.b"),
        ("e_2.concat1", "e_2.relu1", "e_2.b"),
        ("add3", "e.conv1", "id3"),
    ]


def test_each_round_and_each_use_shares_its_own_weights() -> None:
    graph = graph_of("d = x: conv1-4 -> again x\ninput 4x8x8 -> [d]*2 -> [y: conv1-4 -> again y]*2")
    assert [(node.name, node.weights) for node in graph] == [
        *(("d1.x", ""), ("d1.x_2", "d1.x"), ("d2.x", ""), ("d2.x_2", "d2.x")),
        *(("y", ""), ("y_2", "y"), ("y_3", ""), ("y_4", "y_3")),
    ]


def test_taps_leave_the_main_line_where_it_is() -> None:
    graph = graph_of(
        "head(n) = gap -> fc-n\n"
        "input 3x8x8 -> tap image -> conv3-4 -> tap early -> [relu -> tap mid]*2"
        " -> (conv1-2 -> tap inner [relu] | id) -> tap aux [head(5)] -> gap -> fc-5"
        " -> tap probs [softmax]"
    )
    names = [node.name for node in graph]
    assert [(tap.name, "" if tap.node == IMAGE else names[tap.node]) for tap in graph.taps] == [
        *(("image", ""), ("early", "conv1"), ("mid", "relu1"), ("mid_2", "relu2")),
        *(("inner", "inner.relu1"), ("aux", "aux.fc1"), ("probs", "probs.softmax1")),
    ]
    assert names[graph.end] == "fc1"
    assert graph.output == (5,)
    assert graph.nodes[graph.end + 1].inputs == (graph.end,)


def test_an_unpool_reads_the_pool_of_its_own_use() -> None:
    graph = graph_of(
        "code(c) = p: pool2 -> conv3-c -> unpool p\n"
        "input 4x9x8 -> [code(4)]*2 -> e: [p: pool2 -> relu -> unpool p] -> again e"
        " -> q: pool3/2 p1 -> (again q -> upsample2 -> crop1x0 a0 -> unpool q | id -> unpool q)"
    )
    found = {
        node.name: (graph.nodes[node.inputs[1]].name, node.output)
        for node in graph
        if node.kind == "unpool"
    }
    assert found == {
        "code1.unpool1": ("code1.p", (4, 9, 8)),
        "code2.unpool1": ("code2.p", (4, 9, 8)),
        "e.unpool1": ("e.p", (4, 9, 8)),
        "e_2.unpool1": ("e_2.p", (4, 9, 8)),
        "unpool1": ("q", (4, 9, 8)),
        "unpool2": ("q", (4, 9, 8)),
    }


def test_structure_holds_every_node_once_and_in_order() -> None:
    text = """
        block(c) = (conv3-c -> relu + id)
        input 4x8x8 -> stage: [block(4)]*2 -> [pool2 -> [relu]*2]*2 -> (gap | gmp) -> fc-3
    """
    graph = graph_of(text)
    assert list(leaves(graph.structure)) == list(range(len(graph.nodes)))
    stage = graph.structure.parts[0]
    assert isinstance(stage, Series)
    assert stage.name == "stage"
    repeat = stage.parts[0]
    assert isinstance(repeat, Repeat)
    assert [(series.name, series.definition) for series in repeat.rounds] == [
        ("stage.1", "block"),
        ("stage.2", "block"),
    ]
    assert text[repeat.span.start : repeat.span.end] == "[block(4)]*2"


def leaves(part: Part) -> list[int]:
    match part:
        case Leaf(node):
            return [node]
        case Series(parts):
            return [node for inner in parts for node in leaves(inner)]
        case Parallel(branches, join):
            return [*(node for branch in branches for node in leaves(branch)), join]
        case Repeat(rounds):
            return [node for inner in rounds for node in leaves(inner)]


def test_every_node_points_at_its_layer_in_the_text() -> None:
    text = "b(c) = conv3-c valid -> relu\ninput 3x8x8 -> b(4) -> (gap | gmp)"
    graph = graph_of(text)
    spans = [text[node.span.start : node.span.end] for node in graph]
    assert spans == ["conv3-c valid", "relu", "gap", "gmp", "(gap | gmp)"]


def test_constants_may_use_each_other_in_any_order() -> None:
    text = "a = {2*b}\nb = {c + 1}\nc = 3\ninput 3x8x8 -> conv3-a -> [relu]*c"
    assert shapes(text) == [(8, 8, 8)] * 4


def test_a_repetition_of_none_leaves_nothing() -> None:
    assert names("n = 1\ninput 3x8x8 -> conv3-4 -> [relu]*{n-1} -> (relu | [pool2]*0)") == [
        "conv1",
        "relu1",
        "concat1",
    ]


def test_the_input_given_stands_in_for_the_texts() -> None:
    assert graph_of("input 3x8x8 -> pool2", input=(1, 6, 4)).output == (1, 3, 2)
    assert graph_of("pool2", input=(1, 6, 4)).input == (1, 6, 4)


@pytest.mark.parametrize(
    ("source_name", "name"),
    [("<text>", "network"), ("nets/tiny.net", "tiny"), ("vgg16", "vgg16"), (r"a\b.net", "b")],
)
def test_a_graph_is_named_after_its_source(source_name: str, name: str) -> None:
    assert build_graph(parse("input 3x8x8 -> relu", source_name)).name == name


def test_five_thousand_layers_take_less_than_a_second() -> None:
    network = parse("input 8x16x16 -> " + " -> ".join(["conv3-8 -> relu"] * 2500))
    start = time.process_time()
    assert len(build_graph(network).nodes) == 5000
    assert time.process_time() - start < 1


def golden() -> list[tuple[str, str]]:
    """The networks and messages of shape_errors.txt."""
    text = Path(__file__).with_name("shape_errors.txt").read_text(encoding="utf-8")
    blocks = [block.split("\n--- message\n") for block in text.split("=== network\n")[1:]]
    return [(network, message.rstrip("\n")) for network, message in blocks]


@pytest.mark.parametrize(("text", "message"), golden())
def test_messages(text: str, message: str) -> None:
    assert message_of(text) == message


def test_a_network_too_large_is_refused_before_memory_is_spent() -> None:
    twice = "\n".join(f"d{i} = [d{i + 1} -> d{i + 1}]*9" for i in range(20))
    text = f"{twice}\nd20 = relu\ninput 1x1x1 -> d0"
    start = time.process_time()
    message = message_of(text)
    assert time.process_time() - start < 1
    assert "this stands for" in message


@pytest.mark.parametrize(
    "text",
    [
        "input 1x1x1 -> " + " -> ".join(["[relu]*100000"] * 50),
        "d0 = [relu]*0\n"
        + "".join(f"d{i} = d{i - 1} -> d{i - 1}\n" for i in range(1, 40))
        + "input 1x1x1 -> relu -> d39",
        "input 1x1x1 -> relu -> a0: [relu]*0 -> "
        + " -> ".join(f"a{i}: [again a{i - 1} -> again a{i - 1}]" for i in range(1, 40)),
    ],
    ids=["a long sum", "uses of nothing", "nothing again"],
)
def test_no_short_text_takes_long_to_refuse(text: str) -> None:
    start = time.process_time()
    message = message_of(text)
    assert time.process_time() - start < 1
    assert "this stands for" in message


def test_definitions_without_end_are_refused_before_memory_is_spent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each level has twice as many different uses; none of them makes a layer."""
    monkeypatch.setattr(resolve, "MAX_LAYERS", 1000)
    levels = [f"d{i}(n) = [d{i + 1}(2*n) -> d{i + 1}(2*n + 1)]*0" for i in range(20)]
    text = "\n".join([*levels, "d20(n) = relu", "input 1x1x1 -> d0(1)"])
    assert "stand for more than 1,000 different layers" in message_of(text)
