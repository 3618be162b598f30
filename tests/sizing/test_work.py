"""What operations do, against the ledger's own counts and bytes by hand."""

from __future__ import annotations

import pytest

from striate import zoo
from striate.graph import load_graph
from striate.layers import product
from striate.sizing.counts import backward_macs
from striate.sizing.work import PRODUCTS, Task, convolution, works


@pytest.mark.parametrize("name", zoo.names())
def test_products_multiply_what_the_ledger_counts(name: str) -> None:
    graph = load_graph(name)
    costs = backward_macs(graph)
    for node, cost, work in zip(graph, costs, works(graph, 2, "float32"), strict=True):
        macs = node.layer.macs(graph.shapes_into(node), node.output)
        found = [0, 0]
        for task in work.tasks:
            found[task.backward] += task.arithmetic * (task.family in PRODUCTS)
        assert found == [2 * macs, 2 * cost], node.name


def test_bytes_of_a_small_network() -> None:
    graph = load_graph("input 3x8x8 -> conv3-4 -> relu -> (conv1-4 + id) -> pool2 -> fc-10")
    image, volume, half = 4 * 3 * 64, 4 * 4 * 64, 4 * 4 * 16
    filters, points, matrix = 4 * (4 * 27 + 4), 4 * (16 + 4), 4 * (64 * 10 + 10)
    done = {work.name: work.tasks for work in works(graph, 1, "float32")}
    conv = image + filters + volume  # no gradient of the image is wanted
    assert [(task.bytes, task.backward) for task in done["conv1"]] == [
        (conv, False),
        (conv, True),
    ]
    back_of_relu = Task("copy", 0, 0, 3 * volume, True)
    two_readers = Task("copy", 0, 0, 3 * volume, True)  # gradients of both branches, added
    assert done["relu1"] == (Task("copy", 0, 0, 2 * volume), back_of_relu, two_readers)
    both = 2 * (2 * volume + points)  # of the weights and of the input
    assert [task.bytes for task in done["conv2"]] == [both // 2, both]
    assert done["add1"] == (Task("copy", 0, 0, 3 * volume),)  # both gradients are the one it gets
    windows = 4 * product((2, 2, 16))
    assert done["pool1"][0] == Task("maxpool", 4, windows, volume + 3 * half)
    assert [task.bytes for task in done["fc1"]] == [half + matrix + 40, 2 * (half + matrix + 40)]


def test_autocast_writes_weights_and_the_image_in_half_precision() -> None:
    graph = load_graph("input 3x8x8 -> conv3-4 nobias")
    whole, half = (works(graph, 1, precision)[0].tasks for precision in ("float32", "bfloat16"))
    weights, image = 108, 192
    assert [task.bytes for task in half[:3]] == [6 * weights, 6 * weights, 6 * image]
    assert [2 * task.bytes for task in half[3:]] == [task.bytes for task in whole]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ((64, 128, 1, (3, 3), (1, 1)), ("conv", 64 * 9)),
        ((64, 32, 1, (1, 1), (2, 2)), ("pointwise", 32)),
        ((64, 64, 64, (3, 3), (1, 1)), ("depthwise", 64)),
        ((64, 128, 64, (3, 3), (2, 2)), ("depthwise stride", 64)),
        ((64, 128, 4, (3, 3), (1, 1)), ("grouped", 16 * 9)),
        ((1, 8, 1, (3, 3), (1, 1)), ("conv", 9)),
    ],
)
def test_families_of_convolutions(layer: tuple, expected: tuple[str, int]) -> None:
    assert convolution(*layer) == expected
