import pytest

from striate.drawing import draw_network
from striate.drawing.scene import Polygon, Rect, flat
from striate.drawing.style import CONV, scale_for
from striate.graph import load_graph

INCEPTION = (
    "input 192x28x28 -> (conv1-64 -> relu | conv1-96 -> relu -> conv3-128 -> relu "
    "| conv1-16 -> relu -> conv5-32 -> relu | pool3/1 p1 -> conv1-32 -> relu)"
)
UNET = (
    "input 1x128x128 -> [conv3-16 -> relu]*2 -> (pool2 -> [conv3-32 -> relu]*2 -> "
    "(pool2 -> [conv3-64 -> relu]*2 -> tconv2-32/2 | id) -> [conv3-32 -> relu]*2 -> "
    "tconv2-16/2 | id) -> [conv3-16 -> relu]*2 -> conv1-2"
)
BLOCK = "(conv3-8 -> relu + id)"
ODD = {
    "one layer": "input 3x8x8 -> fc-10",
    "nothing but an activation": "input 3x8x8 -> relu",
    "a sound": "input 1x1x16000 -> conv1x7-16/2 -> relu -> pool1x2 -> gap -> fc-10",
    "pre-activation": "b(c) = (bn -> relu -> conv3-c -> bn -> relu -> conv3-c + id)\n"
    "input 3x32x32 -> conv3-16 -> [b(16)]*3 -> bn -> relu -> pool2 -> b(16) -> conv3-32 -> b(32)",
    "dense": "input 3x32x32 -> conv3-24 -> "
    + " -> ".join(["(bn -> relu -> conv1-48 -> bn -> relu -> conv3-12 | id)"] * 9),
    "never the same": "input 3x32x32 -> " + " -> ".join(f"conv3-{n} -> relu" for n in range(1, 90)),
    "nested": "input 3x32x32 -> " + "(conv3-3 -> " * 12 + "conv3-3" + " + id)" * 12,
    "repeated groups": "input 3x64x64 -> [[conv3-64 -> relu]*2 -> conv1-32]*6 -> gap -> fc-10",
    "three ways": "input 8x16x16 -> (conv3-8 -> relu -> conv3-8 + conv1-8 + id) -> relu -> "
    "((conv1-4 | conv3-4) | id | conv1x7-16 -> conv7x1-16) -> fc-3 -> softmax",
    "only identities": "input 8x16x16 -> (id | id) -> (relu | conv3-8) -> fc-3",
    "many branches": f"input 8x16x16 -> ({' | '.join(['conv3-4'] * 12)}) -> fc-3",
    "cards with repetitions in branches": "input 8x8x8 -> [([conv3-8 -> bn]*3 -> conv1-8 + id) -> "
    "relu -> (conv3-8 | conv5-8 -> relu) -> (conv3-8 + conv1-8 -> bn) -> gap -> conv1-8]",
    "taps in branches": "input 8x16x16 -> (conv3-8 -> tap a -> relu | tap b [gap -> fc-3] -> "
    "conv1-8) -> tap c -> tap d [(id | relu) -> gap] -> fc-3 -> tap e",
    "taps between cards": f"a = conv3-8 -> relu -> tap t [gap -> fc-10]\ninput 8x16x16 -> tap "
    f"first -> {BLOCK} -> tap x [pool2 -> conv3-8 -> fc-3] -> {BLOCK} -> a -> {BLOCK} -> gap",
    "only taps in a branch": "input 8x16x16 -> (tap a | tap b [relu]) -> conv3-8",
    "shared parts as cards": f"input 8x16x16 -> e: [{BLOCK} -> conv3-8] -> again e -> again e -> "
    "s: conv3-8 -> (again s -> bn + id) -> (s: [conv1-8 -> relu -> conv3-8] + again s) -> fc-3",
    "a pool and its unpools": "input 8x17x16 -> p: pool2 -> (unpool p | conv3-8 -> unpool p) -> "
    "q: pool3/2 -> relu -> unpool q -> fc-3",
    "named values": f"input 8x16x16 -> a: id -> conv3-8 -> b: relu -> from a -> c: {BLOCK} -> "
    "(from b | from c | id) -> [d: conv3-8 -> relu -> (id + from d -> conv1-8)]*3 -> (from a + "
    "from b + id)",
    "named values between cards": f"input 8x16x16 -> a: {BLOCK} -> b: {BLOCK} -> (id + from a) -> "
    f"c: {BLOCK} -> from b -> pool2 -> {BLOCK} -> (upsample2 | from c) -> fc-3",
    "gates": "input 8x16x16 -> (id * gap -> conv1-8 -> sigmoid) -> (conv3-8 * gmp) -> (id * id) "
    "-> (conv3-8 * conv1-8 * id) -> fc-3",
    "long names": f"input 8x16x16 -> conv3-8 -> tap {'a' * 60} -> {'p' * 60}: pool2 -> unpool "
    f"{'p' * 60} -> fc-3",
    "inception": INCEPTION,
    "u-net": UNET,
}


ONE_LINE = ("unet",)
"""Networks of one fork inside another, which cannot be broken into rows."""


def test_every_network_of_the_zoo_gives_a_sound_picture(zoo_graph, assert_sound):
    scene = draw_network(zoo_graph)
    assert_sound(scene)
    assert scene.width <= (2200 if zoo_graph.name in ONE_LINE else 900)
    assert scene == draw_network(zoo_graph)


@pytest.mark.parametrize("name", ODD)
def test_odd_networks_give_sound_pictures(name, assert_sound):
    assert_sound(draw_network(load_graph(ODD[name])))


def test_labels_of_lenet(texts):
    shown = texts(draw_network(load_graph("lenet5")))
    assert shown == [
        *("lenet5", "1×32×32 → 10 · 61,706 parameters · 416.5 k MACs"),
        *("input", "1×32×32"),
        *("conv5-6", "6×28×28", "tanh"),
        *("avgpool2", "6×14×14"),
        *("conv5-16", "16×10×10", "tanh"),
        *("avgpool2", "16×5×5"),
        *("conv5-120", "120×1×1", "tanh"),
        *("fc-84", "84", "tanh"),
        *("fc-10", "10"),
        *("input", "convolution", "pooling", "fully connected"),
        "edges to scale by the square root of height, width and channels",
    ]


def test_repetitions_are_written_beside_brackets(texts):
    shown = texts(draw_network(load_graph("vgg16")))
    assert [text for text in shown if text.startswith("×")] == ["×2", "×2", "×3", "×3", "×3", "×2"]


def test_edges_are_to_scale():
    scale = scale_for([(3, 224, 224), (64, 56, 112), (4096,)])
    image, volume, vector = map(scale.cuboid, [(3, 224, 224), (64, 56, 112), (4096,)])
    assert volume.height == pytest.approx(image.height / 2)
    assert volume.right == pytest.approx(image.right / 2**0.5)
    assert vector.length == pytest.approx(8 * volume.length)
    assert vector.height == pytest.approx(image.height / 224**0.5)


def test_a_volume_has_the_lengths_of_its_scale():
    graph = load_graph("input 3x64x64 -> conv3-16")
    cuboid = scale_for([(3, 64, 64), (16, 64, 64)]).cuboid((16, 64, 64))
    fronts = [
        shape.points
        for shape in flat(draw_network(graph).shapes)
        if isinstance(shape, Polygon) and shape.fill == CONV.fill
    ]
    (front,) = fronts
    assert front[1][0] - front[0][0] == pytest.approx(cuboid.length)
    assert front[2][1] - front[1][1] == pytest.approx(cuboid.height)


@pytest.mark.parametrize(
    ("text", "cards"),
    [("resnet18", 8), ("googlenet", 9), ("vgg16", 0), (INCEPTION, 0), (UNET, 0)],
)
def test_networks_of_many_blocks_show_them_as_cards(text, cards):
    shapes = flat(draw_network(load_graph(text)).shapes)
    frames = [shape for shape in shapes if isinstance(shape, Rect) and shape.radius == 5]
    folded = {"resnet18": 1}.get(text, 0)  # stage1's two equal blocks are drawn once
    assert len(frames) == cards - folded


def test_long_networks_wrap_where_the_size_changes():
    """ResNet-50: each row after the first begins with the projection of a stage."""
    scene = draw_network(load_graph("resnet50"))
    frames = [s for s in flat(scene.shapes) if isinstance(s, Rect) and s.radius == 5]
    first = {}
    for frame in frames:
        bottom_line = round(frame.y + frame.height)
        first.setdefault(bottom_line, frame)
    assert len(frames) == 8
    starts = sorted({round(frame.x) for frame in frames})[:1]
    assert sum(round(frame.x) == starts[0] for frame in frames) == 3
