from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate import zoo
from striate.errors import ShapeError
from striate.graph import Graph, build_graph
from striate.notation import parse
from striate.sizing import size
from striate.sizing.receptive_field import receptive_fields

Run = Callable[[Graph, Tensor], list[Tensor]]

SLIM_RESNET_50 = """
# ResNet-50 as TF-Slim defines it: the stride is on the last block of a stage
body(c, s) = conv1-c nobias -> bn -> relu -> conv3-c/s nobias -> bn -> relu -> conv1-{4*c}
block(c) = (body(c, 1) + id) -> relu
project(c) = (body(c, 1) + conv1-{4*c}) -> relu
reduce(c) = (body(c, 2) + pool1/2) -> relu
input 3x224x224
-> conv7-64/2 -> pool3/2 ceil
-> project(64) -> block(64) -> reduce(64)
-> project(128) -> [block(128)]*2 -> reduce(128)
-> project(256) -> [block(256)]*4 -> reduce(256)
-> project(512) -> [block(512)]*2
"""


def last(what: str) -> tuple[int, int, int]:
    """Size, jump and start of the last layer that does not see the whole image."""
    row = [row for row in size(what).rows if not row.whole_input][-1]
    assert row.receptive_field[0] == row.receptive_field[1]
    return row.receptive_field[0], int(row.jump[0]), row.start[0]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("vgg16", (212, 32, -90)),
        ("mobilenet_v2", (491, 32, -245)),
        ("resnet50", (427, 32, -213)),
        ("googlenet", (379, 32, -167)),
        (SLIM_RESNET_50, (483, 32, -239)),
    ],
)
def test_last_feature_maps(what: str, expected: tuple[int, int, int]) -> None:
    """Araujo, Norris & Sim, Distill 2019, and the gradient's support of torchvision's networks."""
    assert last(what) == expected


@pytest.mark.parametrize(
    ("what", "expected"), [("alexnet", (195, 32)), ("mobilenet_v1", (315, 32))]
)
def test_last_feature_maps_whose_padding_differs_from_slims(
    what: str, expected: tuple[int, int]
) -> None:
    assert last(what)[:2] == expected


def test_stages_of_resnet_50() -> None:
    rows = {row.name: row.receptive_field for row in size("resnet50").rows}
    assert rows["stage1.block2.relu1"] == (35, 35)
    assert rows["stage3.block5.relu1"] == (267, 267)


def test_vgg_16_on_small_images() -> None:
    """Height, jump and receptive field after each convolution and pool, then the whole image."""
    rows = [row for row in size("vgg16", input=(3, 32, 32)).rows if row.kind in ("conv", "pool")]
    assert [(row.output[1], row.jump[0], row.receptive_field[0]) for row in rows] == [
        *((32, 1, 3), (32, 1, 5), (16, 2, 6)),
        *((16, 2, 10), (16, 2, 14), (8, 4, 16)),
        *((8, 4, 24), (8, 4, 32), (8, 4, 40), (4, 8, 44)),
        *((4, 8, 60), (4, 8, 76), (4, 8, 92), (2, 16, 100)),
        *((2, 16, 132), (2, 16, 164), (2, 16, 196), (1, 32, 212)),
    ]
    after = size("vgg16", input=(3, 32, 32)).rows[-8:]
    assert after[0].kind == "adaptavgpool"
    assert all(row.whole_input for row in after)


def test_three_small_filters_see_what_a_large_one_sees() -> None:
    assert last("input 1x32x32 -> [conv3-4]*3")[0] == last("input 1x32x32 -> conv7-4")[0] == 7


def test_a_dilated_filter_spans_its_gaps() -> None:
    assert last("input 1x64x64 -> conv3-1 d4") == (9, 1, -4)


def test_the_whole_image_after_global_pooling_and_full_connection() -> None:
    for end in ("gap", "fc-3", "flatten", "gmp", "adaptavgpool1"):
        row = size(f"input 1x20x12 -> conv3-2 -> {end}").rows[-1]
        assert row.whole_input
        assert (row.receptive_field, row.start, row.jump) == ((20, 12), (0, 0), (20, 12))


def test_rows_that_nothing_reads_are_not_part_of_the_whole() -> None:
    row = size("input 1x9x8 -> pool2 -> fc-3").rows[-1]
    assert not row.whole_input
    assert (row.receptive_field, row.start) == ((8, 8), (0, 0))


def test_a_gate_makes_a_merge_see_the_whole_image() -> None:
    row = size("input 4x16x16 -> conv3-4 -> (gap -> conv1-4 -> adaptavgpool16 + id)").rows[-1]
    assert row.whole_input


@pytest.mark.parametrize(
    "gate", ["gap -> conv1-4 -> sigmoid", "gap -> fc-4 -> sigmoid", "pool2 -> gap"]
)
def test_a_gate_of_a_product_makes_it_see_the_whole_image(gate: str) -> None:
    row = size(f"input 4x16x16 -> conv3-4 -> (id * {gate})").rows[-1]
    assert row.whole_input


def test_a_gate_that_leaves_rows_out() -> None:
    row = size("input 4x17x12 -> (id * pool2 -> gap)").rows[-1]
    assert row.whole_input
    row = size("input 4x17x12 -> pool2 -> (id * gap)").rows[-1]
    assert not row.whole_input
    assert (row.receptive_field, row.start) == ((16, 12), (0, 0))


def test_a_product_of_equals_sees_the_hull_of_its_branches() -> None:
    row = size("input 1x32x32 -> (conv3-2 * conv5-2 valid -> conv1-2 p2)").rows[-1]
    assert (row.receptive_field, row.start, row.whole_input) == ((5, 5), (-2, -2), False)


def test_taps_and_shared_layers_see_what_stands_before_them() -> None:
    text = "input 1x32x32 -> s: conv3-1 -> tap t [pool2 -> conv3-1] -> again s -> again s"
    rows = {row.name: row for row in size(text).rows}
    assert [rows[name].receptive_field[0] for name in ("s", "s_2", "s_3")] == [3, 5, 7]
    assert (rows["t.conv1"].receptive_field, rows["t.conv1"].jump) == ((8, 8), (2, 2))


def test_unpooling_brings_the_jump_of_its_pools_input_back() -> None:
    text = "input 1x33x33 -> p: pool2 -> q: pool2 -> conv3-1 -> unpool q -> unpool p"
    rows = size(text).rows
    assert [row.jump[0] for row in rows] == [2, 4, 4, 2, 1]
    assert [row.receptive_field[0] for row in rows] == [2, 4, 12, 12, 12]


@pytest.mark.parametrize("pool", ["pool2", "pool3/2 p1", "pool3/2", "pool2/3", "pool3/2 p1 ceil"])
def test_an_unpools_field_holds_every_pixel_that_can_reach_it(pool: str) -> None:
    """Whatever window of the pool a position is in: its value and the choice of its place."""
    graph = build_graph(parse(f"input 1x14x8 -> p: {pool} -> conv3x1-1 -> unpool p"))
    field = receptive_fields(graph)[-1][0]
    layer = graph.nodes[0].layer
    height, _ = layer.axes((graph.input,))  # type: ignore[attr-defined]
    reached: dict[int, set[int]] = {}
    for cell in range(graph.nodes[0].output[1]):
        covers = {cell * height.stride - height.before + j for j in range(height.kernel_size)}
        sees = {
            other * height.stride - height.before + j
            for other in (cell - 1, cell, cell + 1)
            for j in range(height.kernel_size)
        }
        for row in covers & set(range(14)):
            reached.setdefault(row, set()).update(sees)
    for row, sees in reached.items():
        found = field.rows(row)
        assert found is not None
        assert found[0] <= min(sees) <= max(sees) <= found[1]
        if pool == "pool2":
            assert found == (min(sees), max(sees))


def test_transposed_convolution_undoes_the_jump() -> None:
    rows = size("input 1x32x32 -> pool2 -> pool2 -> tconv2-1/2 -> tconv2-1/2").rows
    assert [row.jump[0] for row in rows] == [2, 4, 2, 1]
    assert [row.receptive_field[0] for row in rows] == [2, 4, 4, 4]


def test_an_enlarged_image_has_a_jump_below_one() -> None:
    row = size("input 1x8x8 -> tconv4-1/2").rows[0]
    assert float(row.jump[0]) == 0.5
    assert (row.receptive_field[0], row.start[0]) == (2, -1)


def test_too_many_phases_are_a_hull_that_holds_every_unit(averaging: Run) -> None:
    text = "input 1x1021x8 -> adaptavgpool97x8 -> conv3-1 valid -> adaptavgpool89x6"
    graph = build_graph(parse(text))
    field = receptive_fields(graph)[-1][0]
    assert len(field.phases) == 1
    exact = supports(graph, averaging, range(graph.output[1]))
    for unit, (first, final) in enumerate(exact):
        rows = field.rows(unit)
        assert rows is not None
        assert rows[0] <= first <= final <= rows[1]
    assert field.size <= 3 * max(final - first + 1 for first, final in exact)


def test_branches_that_drift_apart_are_held_by_their_hull(averaging: Run) -> None:
    graph = build_graph(parse("input 1x33x8 -> (pool2 -> id | adaptavgpool16x4)"))
    field = receptive_fields(graph)[-1][0]
    for unit, (first, final) in enumerate(supports(graph, averaging, range(graph.output[1]))):
        rows = field.rows(unit)
        assert rows is not None
        assert rows[0] <= first <= final <= rows[1]


WINDOWS = st.tuples(st.integers(1, 4), st.integers(1, 3))


@st.composite
def layers(draw: st.DrawFn) -> str:
    """A layer that slides along the height of an image of one column."""
    kernel, stride = draw(WINDOWS)
    kind = draw(st.sampled_from(["conv", "conv", "avgpool", "tconv", "adaptavgpool"]))
    if kind == "adaptavgpool":
        return f"adaptavgpool{draw(st.integers(5, 24))}x1"
    if kind == "avgpool":
        padding = draw(st.integers(0, kernel // 2))
        ceil = draw(st.sampled_from(["", " ceil"]))
        return f"avgpool{kernel}x1/{stride}x1 p{padding}x0{ceil}"
    dilation = draw(st.integers(1, 3)) if kernel > 1 else 1
    padding = draw(st.integers(0, (kernel - 1) * (dilation if kind == "conv" else 1)))
    return f"{kind}{kernel}x1-1/{stride}x1 p{padding}x0 d{dilation}x1"


@st.composite
def chains(draw: st.DrawFn) -> str:
    items = draw(st.lists(layers(), min_size=1, max_size=4))
    if draw(st.booleans()):
        kernel = draw(st.sampled_from([1, 3, 5]))
        sign = draw(st.sampled_from("+|"))
        items.insert(
            draw(st.integers(0, len(items))), f"(conv{kernel}x1-1 -> conv3x1-1 d2x1 {sign} id)"
        )
    return " -> ".join(items)


def supports(graph: Graph, run: Run, units: Iterable[int]) -> list[tuple[int, int] | None]:
    """First and last image row with a gradient, for units of the last layer along its height."""
    image = torch.ones((1, *graph.input), dtype=torch.float64, requires_grad=True)
    output = run(graph, image)[-1]
    found: list[tuple[int, int] | None] = []
    for unit in units:
        (gradient,) = torch.autograd.grad(output[0, :, unit].sum(), image, retain_graph=True)
        rows = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten().tolist()
        found.append((rows[0], rows[-1]) if rows else None)
    return found


@settings(max_examples=60, deadline=None)
@given(text=chains())
def test_fields_are_where_the_gradient_is(averaging: Run, text: str) -> None:
    """Every unit whose field lies inside the image: size and place, all phases, all branches.

    The padding of a transposed convolution cuts rows off, which a later layer's padding then
    stands for: units that near to the border are left out.
    """
    height = 64
    try:
        graph = build_graph(parse(f"input 1x{height}x1 -> {text}"))
    except ShapeError:
        assume(False)
    assume(all(node.output[1] <= 400 for node in graph))
    fields = [field for field, _ in receptive_fields(graph)]
    assume(not fields[-1].whole)
    cut = [
        3 * field.jump for node, field in zip(graph, fields, strict=True) if node.kind == "tconv"
    ]
    exact = [fields[-1].rows(unit) for unit in range(graph.output[1])]
    inside = [
        unit
        for unit, rows in enumerate(exact)
        if rows and rows[0] >= sum(cut) and rows[1] < height - sum(cut)
    ]
    assume(inside)
    assert [exact[unit] for unit in inside] == supports(graph, averaging, inside)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "mobilenet_v1", "googlenet"])
def test_fields_of_the_zoo_are_where_the_gradient_is(averaging: Run, name: str) -> None:
    """A unit of the last feature map that sees no padding, on an image that is high enough."""
    text = zoo.read(name).text.split("-> gap")[0].split("-> adaptavgpool")[0]
    network = parse(text)
    field = receptive_fields(build_graph(network))[-1][0]
    graph = build_graph(network, input=(3, 32 * (field.size // 32 + 2), 64))
    unit = -(field.start // 32)
    rows = field.rows(unit)
    assert rows is not None
    assert rows[0] >= 0
    assert rows[1] < graph.input[1]
    assert supports(graph, averaging, [unit]) == [rows]
