"""What is painted in every step, read back from the shapes by their colour and place."""

from __future__ import annotations

import pytest
import torch

from striate.drawing.scene import Rect, Text, flat
from striate.drawing.steps import steps_of
from striate.drawing.steps_film import DONE, NOW, READ, UNREAD, WINDOW, film_of, written
from striate.graph import load_graph

TEXTS = [
    "input 1x5x5 -> conv3-1/2 p1",
    "input 1x6x4 -> conv3x2-1/2x1 valid",
    "input 1x7x7 -> conv3-1 d2 valid",
    "input 1x5x6 -> conv1-1/3",
    "input 1x3x3 -> tconv3-1/2 p1 op1",
    "input 1x2x2 -> tconv3-1/2 valid",
    "input 1x6x6 -> avgpool3/2 p1",
    "input 1x5x5 -> pool2 ceil",
    "input 1x28x28 -> conv5-6 valid",
]


def steps_for(text: str):
    return steps_of(load_graph(text))


def rectangles(scene, *fills: str) -> list[Rect]:
    return [
        shape for shape in flat(scene.shapes) if isinstance(shape, Rect) and shape.fill in fills
    ]


def inputs_by_place(steps, scene) -> dict[tuple[float, float], int]:
    """Which value of the input lies at each corner: the blue squares in reading order."""
    values = [
        row * steps.columns.size + column
        for row in range(steps.rows.size)
        for column in range(steps.columns.size)
    ]
    squares = rectangles(scene, READ, UNREAD)
    return {(round(s.x, 3), round(s.y, 3)): value for s, value in zip(squares, values, strict=True)}


@pytest.mark.parametrize("text", TEXTS)
def test_the_shaded_window_covers_what_the_layer_reads(text: str) -> None:
    """The oracle is torch: the inputs on which an output depends."""
    steps = steps_for(text)
    film = film_of(steps)
    layer = steps.layer.module((steps.input,)).double()
    for weight in layer.parameters():
        torch.nn.init.ones_(weight)
    if isinstance(layer, torch.nn.MaxPool2d):
        layer = torch.nn.AvgPool2d(layer.kernel_size, layer.stride, ceil_mode=layer.ceil_mode)
    image = torch.ones(1, *steps.input, dtype=torch.float64, requires_grad=True)
    outputs = layer(image)[0, 0].flatten()
    for step in range(0, steps.count, max(1, steps.count // 40)):
        scene = film.frame(step)
        places = inputs_by_place(steps, scene)
        window = [(round(s.x, 3), round(s.y, 3)) for s in rectangles(scene, WINDOW)]
        (gradient,) = torch.autograd.grad(outputs[step], image, retain_graph=True)
        expected = gradient[0, 0].flatten().nonzero().flatten().tolist()
        assert sorted(places[place] for place in window if place in places) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_the_output_grows_by_one_square_a_step(text: str) -> None:
    steps = steps_for(text)
    film = film_of(steps)
    for step in (0, steps.count // 2, steps.count - 1):
        scene = film.frame(step)
        done = rectangles(scene, DONE)
        (now,) = [s for s in flat(scene.shapes) if isinstance(s, Rect) and s.stroke == NOW]
        assert len(done) == step + 1
        assert (now.x, now.y) == (done[-1].x, done[-1].y)


@pytest.mark.parametrize("text", TEXTS)
def test_pictures_are_sound(text: str, assert_sound) -> None:
    film = film_of(steps_for(text))
    scene = film.frame(film.steps - 1)
    numbers = tuple(s for s in flat(scene.shapes) if not isinstance(s, Text))
    assert_sound(type(scene)(scene.width, scene.height, numbers, scene.title))
    for shape in flat(scene.shapes):
        if isinstance(shape, Text):
            assert 0 <= shape.x <= scene.width and 0 < shape.y <= scene.height


def test_values_lost_to_a_stride_are_pale() -> None:
    scene = film_of(steps_for("input 1x6x6 -> conv3-1/2 valid")).frame(0)
    assert len(rectangles(scene, UNREAD)) == 11
    assert len(rectangles(scene, READ)) == 25


def test_large_grids_have_no_numbers(texts) -> None:
    found = texts(film_of(steps_for("input 1x20x20 -> conv3-1")).frame(41))
    assert found == ["input 20×20", "output 20×20", "step 42 of 400: row 3, column 2"]


@pytest.mark.parametrize(
    ("layer", "step", "expected"),
    [
        ("conv3-1/2 p1", 4, ["0·0 + 1·1 + 3·2", "+ 1·2 + 2·2 + 2·0", "+ 0·0 + 0·1 + 2·2  =  17"]),
        ("conv1x3-1 valid", 0, ["3·2 + 3·2 + 2·0  =  12"]),
        ("pool3/1 p1", 0, ["max(3, 3, 0, 0)  =  3"]),
        ("avgpool2 p1", 0, ["(0 + 0 + 0 + 3) / 4  =  0.8"]),
        ("minpool2", 0, ["min(3, 3, 0, 0)  =  0"]),
        ("l2pool2 p1", 3, ["square root of (0² + 0² + 0² + 3²)  =  3.0"]),
        ("avgpool2 ceil", 8, ["(1) / 1  =  1.0"]),
    ],
)
def test_the_arithmetic_in_words(layer: str, step: int, expected: list[str]) -> None:
    assert written(steps_for(f"input 1x5x5 -> {layer}"), step) == expected
