"""Receptive fields beside the image and the object, against the support of the gradient."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import striate
from striate.errors import UserError
from striate.graph import load_graph
from striate.sizing.lints.extents import extents

BEYOND, BELOW = "field beyond the image", "field below the object"


def test_filters_that_add_no_context(told) -> None:
    (lint,) = told("input 3x32x32\n-> [conv3-8 -> relu]*20 -> gap -> fc-2", BEYOND)
    assert (lint.level, lint.line, lint.column) == ("note", 2, 5)
    assert lint.layers == ("conv17", "conv18", "conv19", "conv20")
    assert lint.message == (
        "conv3-8 meets units that already see 33 rows and columns of an image of 32×32: in its "
        "middle, filters add no context from here on (4 layers with 21% of the convolutions' "
        "parameters). Take images of 39×39, or fewer layers, pools and strides before it"
    )


def test_vgg16_on_small_images(told) -> None:
    assert told("vgg16", BEYOND) == []
    text = load_graph("vgg16").source.text.replace("3x224x224", "3x32x32")
    (lint,) = told(text, BEYOND)
    assert lint.layers[0] == "stage4.conv1"
    assert "already see 44 rows" in lint.message
    assert "Take images of 164×164" in lint.message


def test_a_shortcut_keeps_a_small_field(told) -> None:
    plain = "input 8x32x32 -> [conv3-8 -> relu]*20 -> gap"
    residual = "input 8x32x32 -> [(conv3-8 + id) -> relu]*20 -> gap"
    assert told(plain, BEYOND)
    assert told(residual, BEYOND) == []


def test_a_decoder_is_not_held_to_the_image(told) -> None:
    text = "input 1x8x8 -> conv8-8/8 -> tconv8-8/8 -> [conv3-8]*6"
    assert told(text, BEYOND) == []


def test_an_object_that_no_unit_sees_whole(told) -> None:
    text = "input 3x64x64 -> [conv3-8 -> relu -> pool2]*3 -> gap -> fc-2"
    (lint,) = told(text, BELOW, object=48)
    assert (lint.level, lint.layers) == ("warning", ("pool3",))
    assert lint.message == (
        "an object of 48×48 is not seen whole: the units that gap takes together see 22 rows and "
        "columns. 2 more 3×3 layers here would do (16 rows and columns each), or a pool before"
    )
    fixed = text.replace(" -> gap", " -> [conv3-8 -> relu]*2 -> gap")
    assert told(fixed, BELOW, object=48) == []
    assert told(text.replace("*3", "*4"), BELOW, object=46) == []
    assert told(text.replace("*3", "*4"), BELOW, object=47) != []


def test_an_output_map(told) -> None:
    text = "input 3x64x64 -> conv3-8/2 -> conv3-8 -> tconv2-2/2"
    (lint,) = told(text, BELOW, object=12)
    assert lint.message == (
        "an object of 12×12 is not seen whole: the units of the output see 7 rows and columns. "
        "2 more 3×3 layers where the map is smallest would do (4 rows and columns each), or a "
        "pool before"
    )


@pytest.mark.parametrize(
    "text",
    [
        "input 3x64x64 -> conv3-8 -> pool2 -> fc-10",  # has a weight for every place
        "input 3x64x64 -> conv3-8 -> flatten -> fc-10",
        "resnet18",
    ],
)
def test_objects_that_are_seen(told, text: str) -> None:
    assert told(text, BELOW, object=60) == []


def test_an_object_larger_than_the_image() -> None:
    with pytest.raises(UserError) as error:
        striate.size("lenet5", object=48)
    assert str(error.value) == (
        "an object of 48 pixels does not fit into an image of 32×32. Give the size that it has on "
        "the image"
    )


def test_gates_are_left_aside() -> None:
    graph = load_graph("input 4x32x32 -> conv3-4 -> (id * gap -> sigmoid) -> conv3-4 -> gap")
    last = extents(graph)[graph.nodes.index(next(n for n in graph if n.name == "conv2"))]
    assert last is not None
    assert (last[0].fewest, last[0].most) == (5, 5)
    assert extents(graph)[-1] is None


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    layers=st.lists(
        st.sampled_from(["conv3-1", "conv5-1", "conv3-1/2", "pool2", "conv3-1 d2", "pool3/2 p1"]),
        min_size=1,
        max_size=4,
    ),
    branch=st.sampled_from(["conv1-1", "conv3-1", "conv5-1"]),
)
def test_extents_are_those_of_the_gradient(reach, layers: list[str], branch: str) -> None:
    chain = " -> ".join(layers)
    wide = f"input 1x129x129 -> {chain} -> (conv3-1 -> conv3-1 | {branch})"
    narrow = f"input 1x129x129 -> {chain} -> {branch}"
    graph = load_graph(wide)
    last = extents(graph)[-1]
    assert last is not None
    unit = (graph.output[1] // 2, graph.output[2] // 2)
    for text, size in ((wide, last[0].most), (narrow, last[0].fewest)):
        rows = reach(text, unit).any(1).nonzero()
        assert int(rows.max() - rows.min()) + 1 == size
