from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import Preprocess
from striate.errors import NotationError, ShapeError, UserError
from striate.graph import load_graph
from striate.source import Source
from striate.training.fitting import Written, choose_input, preprocess_for

FLEXIBLE = "-> conv3-8 -> gap -> fc-10"
RIGID = "input 1x28x28 -> conv5-6 valid -> pool2 -> conv5-16 valid -> pool2 -> fc-10"


def test_a_network_without_an_input_takes_the_pictures_size() -> None:
    shape, notice = choose_input(Written(Source("conv3-8 -> gap -> fc-10")), "digits", None)
    assert (shape, notice) == ((1, 8, 8), "")


def test_the_networks_own_size_is_no_news() -> None:
    found = choose_input(Written(Source(f"input 1x8x8 {FLEXIBLE}")), "digits", None)
    assert found == ((1, 8, 8), "")


def test_smaller_pictures_keep_their_size() -> None:
    shape, notice = choose_input(Written(Source(f"input 3x32x32 {FLEXIBLE}")), "digits", None)
    assert shape == (1, 8, 8)
    assert notice == "input 1×8×8, as the pictures are, in place of 3×32×32"


def test_larger_pictures_are_made_smaller() -> None:
    shape, notice = choose_input(Written(Source(f"input 1x6x6 {FLEXIBLE}")), "digits", None)
    assert shape == (1, 6, 6)
    assert notice == "pictures of 1×8×8 are resized to 1×6×6, what the network takes"


def test_pictures_too_small_for_the_network_are_enlarged() -> None:
    shape, notice = choose_input(Written(Source(RIGID)), "digits", None)
    assert shape == (1, 28, 28)
    assert notice == "pictures of 1×8×8 are resized to 1×28×28, what the network takes"


def test_a_wish_is_taken() -> None:
    assert choose_input(Written(Source(RIGID)), "digits", (3, 40, 40)) == ((3, 40, 40), "")


def test_folders_whose_pictures_differ_are_resized_to_the_network(tmp_path: Path) -> None:
    for index, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        pixels = np.zeros((10 + index, 12, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name / "0.png")
    found = choose_input(Written(Source(f"input 3x16x16 {FLEXIBLE}")), str(tmp_path), None)
    assert found == ((3, 16, 16), "")


def test_a_network_that_is_wrong_is_told() -> None:
    with pytest.raises(NotationError, match="covn3-8"):
        choose_input(Written(Source("input 1x8x8 -> covn3-8 -> fc-10")), "digits", None)


def test_the_last_layer_follows_the_classes() -> None:
    source = Source(f"# mine\ninput 3x32x32 {FLEXIBLE}")
    found = Written(source).fitted((1, 8, 8), 3)
    graph = load_graph(found.text)
    assert (graph.input, graph.output) == ((1, 8, 8), (3,))
    assert found.notice == "3 classes in place of 10"
    assert found.text.text.startswith("# mine\n")


def test_the_right_number_of_classes_is_no_news() -> None:
    assert Written(Source(f"input 1x8x8 {FLEXIBLE}")).fitted((1, 8, 8), 10).notice == ""


@pytest.mark.parametrize("end", ["conv1-10 -> gap", "conv1-10 -> gap -> softmax", "fc-10"])
def test_scores_of_one_value_each_are_taken(end: str) -> None:
    found = Written(Source(f"input 1x8x8 -> conv3-8 -> {end}")).fitted((1, 8, 8), 4)
    assert load_graph(found.text).output[0] == 4


def test_a_map_in_place_of_scores_is_told() -> None:
    with pytest.raises(ShapeError) as error:
        Written(Source("input 1x8x8 -> conv3-10", "a.net")).fitted((1, 8, 8), 10)
    assert str(error.value) == (
        "a.net:1:16: the network ends in 10×8×8 values, but 10 classes take one score each. "
        "End it with -> gap, or with -> fc-10\n"
        "  input 1x8x8 -> conv3-10\n"
        "                 ^^^^^^^^"
    )


def test_a_size_that_does_not_fit_is_shown_in_the_text() -> None:
    with pytest.raises(ShapeError) as error:
        Written(Source(RIGID, "rigid.net")).fitted((1, 8, 8), 10)
    assert str(error.value).startswith("rigid.net:1:")
    assert "^" in str(error.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_grey_or_coloured(channels: int) -> None:
    assert preprocess_for((channels, 20, 30)) == Preprocess(channels, 20, 30)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_are_told(channels: int) -> None:
    with pytest.raises(UserError) as error:
        preprocess_for((channels, 8, 8))
    assert str(error.value) == (
        f"the network's input has {channels} channels; pictures have 1 (grey) or 3 (colour). "
        "Give --input 1xHxW or 3xHxW"
    )
