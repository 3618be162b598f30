from __future__ import annotations

import pytest

from striate import zoo
from striate.errors import ShapeError, UserError
from striate.graph import build_graph, load_graph
from striate.graph.adapt import adapt
from striate.notation import parse
from striate.source import Source


def adapted(text: str, classes: int | None = 2) -> str:
    return adapt(Source(text), input=(3, 16, 16), classes=classes).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "input 1x8x8 # small\n-> conv3-8 -> gap -> fc-10 # ten",
            "input 3x16x16 # small\n-> conv3-8 -> gap -> fc-2 # ten",
        ),
        ("INPUT 1x8x8 -> CONV3-8 -> FC-10", "input 3x16x16 -> CONV3-8 -> FC-2"),
        ("# bare\nconv3-8 -> fc-10", "# bare\ninput 3x16x16\n-> conv3-8 -> fc-2"),
        (
            "n = 10\nhead(c) = gap -> fc-c -> softmax\ninput 1x8x8 -> conv3-4 -> head(n)",
            "n = 10\nhead(c) = gap -> fc-2 -> softmax\ninput 3x16x16 -> conv3-4 -> head(n)",
        ),
        (
            "input 1x8x8 -> conv3-{2*4} -> gap -> fc-{5*2} nobias",
            "input 3x16x16 -> conv3-{2*4} -> gap -> fc-2 nobias",
        ),
        (
            "input 1x8x8 -> gap -> fc(bias=false, out_channels=10)",
            "input 3x16x16 -> gap -> fc(bias=false, out_channels=2)",
        ),
        (
            "input 1x8x8 -> out: [conv1-10 -> bn -> relu -> gap -> flatten -> softmax]",
            "input 3x16x16 -> out: [conv1-2 -> bn -> relu -> gap -> flatten -> softmax]",
        ),
        ("input 1x8x8 -> fc-2", "input 3x16x16 -> fc-2"),
    ],
)
def test_only_the_input_and_the_last_layer_change(text: str, expected: str) -> None:
    assert adapted(text) == expected


def test_what_is_not_given_stays() -> None:
    source = Source("input 1x8x8 -> fc-10")
    assert adapt(source, input=None, classes=None) == source
    assert adapt(source, input=None, classes=3).text == "input 1x8x8 -> fc-3"
    assert adapt(source, input=(2, 4, 4), classes=None).text == "input 2x4x4 -> fc-10"


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_takes_other_classes_and_its_own_again(name: str) -> None:
    before = zoo.read(name)
    graph = load_graph(before)
    changed = adapt(before, input=None, classes=7)
    assert load_graph(changed).output == (7, *graph.output[1:])
    assert adapt(changed, input=None, classes=graph.output[0]) == before


def test_a_constant_that_gives_the_classes_changes_for_all_that_use_it() -> None:
    text = (
        "k = 10\nscore = conv1-k\n"
        "input 1x8x8 -> (score + conv3-4 -> score) -> score -> tap side [gap -> fc-k] -> gap"
    )
    changed = adapted(text)
    assert changed == text.replace("k = 10", "k = 2").replace("1x8x8", "3x16x16")
    with pytest.raises(UserError, match="stands in a part that is used 3 times"):
        adapted(text.replace("conv1-k", "conv1-10"))


@pytest.mark.parametrize(
    ("name", "size"), [("vgg16", (1, 64, 64)), ("resnet18", (1, 64, 96)), ("lenet5", (1, 36, 36))]
)
def test_networks_of_the_zoo_take_other_images(name: str, size: tuple[int, int, int]) -> None:
    before = zoo.read(name)
    graph = load_graph(before)
    changed = adapt(before, input=size, classes=7)
    assert (load_graph(changed).input, load_graph(changed).output) == (size, (7,))
    assert adapt(changed, input=graph.input, classes=graph.output[0]) == before


def test_taps_that_classify_change_too() -> None:
    text = (
        "head(n) = gap -> fc-n\n"
        "aux = gap -> fc-10\n"
        "input 1x8x8 -> conv3-4 -> tap a [aux] -> tap b [conv1-6] -> conv3-8 -> tap c [aux]"
        " -> tap d [head(5)] -> gap -> fc-10 -> tap probs [softmax]"
    )
    assert adapted(text) == text.replace("-10", "-2").replace("1x8x8", "3x16x16")


def test_a_classifier_used_again_changes_once() -> None:
    text = "input 1x8x8 -> conv3-1 -> gap -> h: fc-10 -> tap a -> relu -> fc-1 -> again h"
    assert adapted(text) == text.replace("-10", "-2").replace("1x8x8", "3x16x16")


def test_a_tap_whose_layer_the_network_uses_otherwise_is_refused() -> None:
    text = "b = conv1-10\ninput 1x8x8 -> b -> tap a [b -> gap -> flatten] -> gap -> fc-10"
    with pytest.raises(UserError, match="stands in a part that is used 2 times"):
        adapted(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "input 1x8x8 -> [fc-10 -> relu]*2",
            "the last layer of network stands in a part that is used 2 times, so its number of "
            "classes cannot be set alone. Take it out of the repetition or definition and write "
            "it at the end: -> fc-N",
        ),
        (
            "input 1x8x8 -> (gap -> fc-2 | gap -> fc-3)",
            "network does not end in a layer that gives the classes, so their number cannot be "
            "set. End it with -> fc-N, where N is the number of classes",
        ),
        (
            "input 1x8x8 -> conv3-4 -> dwconv3",
            "the last layer with weights, dwconv1, gives as many channels as it takes, so the "
            "number of classes cannot be set. End the network with -> fc-N",
        ),
        (
            "input 1x8x8 -> conv3-4 -> flatten",
            "network gives 1792 values rather than 7: what follows its last layer with weights "
            "changes their number. End it with -> fc-N",
        ),
    ],
)
def test_networks_whose_classes_cannot_be_set(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        adapted(text, classes=7)
    assert str(caught.value) == message


def test_a_text_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError):
        adapted("input 1x64x64 -> [conv3-4 -> pool2]*5 -> fc-10")


def test_the_result_is_read_by_the_parser() -> None:
    text = adapted("input 1x8x8 -> conv3-4 -> fc-10")
    assert build_graph(parse(text)).output == (2,)
