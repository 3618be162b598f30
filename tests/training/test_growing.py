"""Pictures that grow while a network trains."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import striate
from striate.errors import UserError
from striate.graph import load_graph
from striate.modules import build
from striate.source import Source
from striate.training.augment import Batch
from striate.training.growing import Growth, require_sizes, shown
from striate.training.lesson import Lesson
from striate.training.progress import Display
from striate.training.run import Normalise
from striate.training.settings import Settings

FREE = "input 1x16x12 -> conv3-4 -> bn -> relu -> pool2 -> gap -> fc-10"


def settings(share: float) -> Settings:
    return Settings(epochs=1, progressive=share)


def test_sides_grow_in_equal_steps_until_two_thirds_are_done() -> None:
    growth = Growth(settings(0.5), (224, 112))
    assert growth.sizes == ((112, 56), (134, 67), (157, 78), (179, 90), (202, 101), (224, 112))
    seen = [growth.at(step / 30) for step in range(31)]
    assert [seen.count(size) for size in growth.sizes] == [4, 4, 4, 4, 4, 11]
    assert seen == sorted(seen)


def test_whole_pictures_where_nothing_is_asked_for() -> None:
    growth = Growth(settings(0.0), (32, 32))
    assert growth.sizes == ((32, 32),)
    assert {growth.at(progress) for progress in (0.0, 0.5, 1.0)} == {(32, 32)}


def test_small_pictures_have_no_two_sizes_alike() -> None:
    assert Growth(settings(0.9), (8, 8)).sizes == ((7, 7), (8, 8))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_smaller_picture_is_the_mean_of_what_it_covers(dtype: torch.dtype) -> None:
    image = torch.rand(2, 3, 8, 8).to(dtype)
    assert shown(image, (8, 8)) is image
    found = shown(image, (4, 4))
    assert found.dtype == dtype
    planes = image.float().flatten(0, 1).numpy()
    pillow = [np.asarray(Image.fromarray(each).resize((4, 4), Image.BILINEAR)) for each in planes]
    wanted = torch.tensor(np.stack(pillow)).view(2, 3, 4, 4).to(dtype)
    torch.testing.assert_close(found, wanted)
    flat = torch.full((1, 1, 9, 9), 0.5, dtype=dtype)
    torch.testing.assert_close(shown(flat, (5, 4)), flat[:, :, :5, :4])


def test_a_lesson_shows_the_size_of_its_time() -> None:
    network = build(Source(FREE), seed=0)
    seen: list[tuple[int, ...]] = []
    network.get_submodule("conv1").register_forward_pre_hook(
        lambda _, images: seen.append(tuple(images[0].shape[2:]))
    )
    lesson = Lesson(network, Normalise((0.0,), (1.0,)), settings(0.5), torch.float32)
    pictures, labels = torch.zeros(4, 16, 12, 1, dtype=torch.uint8), torch.zeros(4).long()
    batch = Batch(pictures, labels, labels, labels)
    for progress in (0.0, 0.4, 1.0):
        lesson.teach(batch, progress)
    lesson.teach(batch)
    assert seen == [(8, 6), (13, 10), (16, 12), (16, 12)]


@pytest.mark.parametrize(
    ("text", "share", "message"),
    [
        (
            "input 1x16x16 -> conv3-4 -> relu -> fc-10",
            0.5,
            "progressive: found 0.5, which shows pictures of 1×8×8 first, but they bring 256 "
            "values to fc1 in place of 1,024. End the network with -> gap -> fc-N, give a larger "
            "share, or leave it out",
        ),
        (
            FREE,
            0.01,
            "progressive: found 0.01, which shows pictures of 1×0×0 first. Give a larger share",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_told(text: str, share: float, message: str) -> None:
    with pytest.raises(UserError) as caught:
        require_sizes(load_graph(Source(text)), settings(share))
    assert str(caught.value) == message
    require_sizes(load_graph(Source(text)), settings(0.0))


def test_a_network_kept_as_its_operations_takes_one_size(attention: nn.Module) -> None:
    graph = striate.load_graph(attention, input=(3, 16, 16))
    with pytest.raises(UserError) as caught:
        require_sizes(graph, settings(0.5))
    assert str(caught.value) == (
        "progressive: found 0.5, which shows pictures of 3×8×8 first, but a network that is kept "
        "as its operations takes one size alone. Leave it out"
    )


def test_a_training_whose_pictures_grow_learns(tmp_path: Path) -> None:
    run = tmp_path / "run"
    striate.train(
        "input 1x8x8 -> conv3-16 -> bn -> relu -> pool2 -> conv3-32 -> bn -> relu -> gap -> fc-10",
        "digits",
        epochs=6,
        settings={"progressive": 0.6},
        output=run,
        display=Display.silent(),
    )
    assert json.loads((run / "test.json").read_text())["accuracy"] > 0.8
