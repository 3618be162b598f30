"""Settings from data, recipe and wishes, and where each comes from."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from striate import recipes
from striate.errors import UserError
from striate.training.choosing import ASKED, Wishes, choose, default_epochs, keeping_weights
from striate.training.settings import Settings

THERE = (
    "There are: default, sgd, alexnet, vgg, googlenet, resnet, mobilenet, tricks, speedrun; a file "
    "of one's own ends in .toml"
)


def chosen(
    images: int, shape: tuple[int, int, int], normalised: bool, wishes: Wishes | None = None
) -> Settings:
    return choose(images, shape, normalised, wishes or Wishes()).settings


def test_seconds_come_back_from_json() -> None:
    settings = chosen(200, (3, 32, 32), True, Wishes(seconds=10))
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(("images", "epochs"), [(10, 100), (200, 100), (1_797, 71), (60_000, 12)])
def test_small_sets_are_seen_more_often(images: int, epochs: int) -> None:
    assert default_epochs(images) == epochs
    assert chosen(images, (1, 28, 28), True).epochs == epochs


@pytest.mark.parametrize("images", [1, 2, 10, 200, 1_797, 60_000, 10**9])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_set_has_settings(images: int, channels: int) -> None:
    settings = chosen(images, (channels, 32, 32), True)
    assert 8 <= settings.batch <= 128
    assert settings.flip == (channels == 3)
    turned = settings.rotate, settings.zoom, settings.colour
    assert any(turned) == (channels == 3 and images < 5_000)


def test_steps_an_epoch_are_many_enough_for_small_sets() -> None:
    batches = [chosen(images, (3, 32, 32), True).batch for images in (10, 200, 1_797, 60_000)]
    assert batches == sorted(batches)
    assert batches[0] == 8 and batches[-1] == 128


def test_wishes_stand_above_recipes() -> None:
    wished = chosen(
        60_000, (3, 32, 32), True, Wishes(recipe="sgd", seconds=5, batch=32, lr=0.3, seed=9)
    )
    assert (wished.optimizer, wished.weight_decay) == ("sgd", 5e-4)
    assert (wished.batch, wished.lr, wished.seed) == (32, 0.3, 9)
    assert (wished.epochs, wished.seconds) == (None, 5)


def test_a_network_without_normalisation_takes_smaller_steps_unless_wished() -> None:
    with_bn, without = chosen(500, (3, 32, 32), True), chosen(500, (3, 32, 32), False)
    assert without.lr < with_bn.lr and without.adam_lr < with_bn.adam_lr
    assert replace(without, lr=with_bn.lr, adam_lr=with_bn.adam_lr) == with_bn
    assert chosen(500, (3, 32, 32), False, Wishes(lr=0.7)).lr == 0.7


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "defualt",
            f"there is no recipe 'defualt'. Did you mean 'default'? {THERE}",
        ),
        ("qqq", f"there is no recipe 'qqq'. {THERE}"),
    ],
)
def test_an_unknown_recipe_is_told(word: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        choose(100, (3, 32, 32), True, Wishes(recipe=word))
    assert str(error.value) == message


@pytest.mark.parametrize("recipe", recipes.names())
def test_every_recipe_is_valid(recipe: str) -> None:
    assert chosen(100, (3, 32, 32), True, Wishes(recipe=recipe)).recipe == recipe


def test_impossible_wishes_are_told() -> None:
    with pytest.raises(UserError, match=r"^settings: batch is 0; expected a whole number from 1 "):
        choose(100, (3, 32, 32), True, Wishes(batch=0))
    with pytest.raises(UserError, match=r"^give either a number of epochs or a number of seconds"):
        choose(100, (3, 32, 32), True, Wishes(epochs=1, seconds=1))
    with pytest.raises(UserError, match=r"^settings: lr is nan; expected a number above 0"):
        choose(100, (3, 32, 32), False, Wishes(lr=math.nan))


def test_every_value_says_where_it_comes_from() -> None:
    wishes = Wishes(recipe="tricks", seconds=9, settings={"mixup": 0.4})
    found = choose(60_000, (3, 32, 32), True, wishes)
    assert set(found.origins) == {field.name for field in fields(Settings)}
    told = {name: found.origins[name] for name in ("mixup", "seconds", "epochs", "crop", "flip")}
    assert told == {
        "mixup": ASKED,
        "seconds": ASKED,
        "epochs": ASKED,
        "crop": "recipe tricks",
        "flip": "data",
    }
    assert found.origins["adam_lr"] == "default"
    assert found.settings.mixup == 0.4


def test_a_rate_follows_the_batch_where_the_recipe_says_so() -> None:
    found = choose(60_000, (3, 32, 32), True, Wishes(recipe="resnet", batch=64))
    assert found.settings.lr == pytest.approx(0.025)
    assert found.origins["lr"] == "recipe resnet: 0.1 for a batch of 256"
    assert chosen(60_000, (3, 32, 32), True, Wishes(recipe="resnet")).lr == 0.1
    assert chosen(60_000, (3, 32, 32), True, Wishes(recipe="resnet", batch=64, lr=0.3)).lr == 0.3
    assert chosen(60_000, (3, 32, 32), True, Wishes(recipe="alexnet", batch=64)).lr == 0.01


def test_published_recipes_are_those_of_their_papers() -> None:
    """The table of the notes: optimizer, rate, batch, decay."""
    papers = {
        "alexnet": ("sgd", 0.9, 1e-2, 128, 5e-4, "plateau", 0.1),
        "vgg": ("sgd", 0.9, 1e-2, 256, 5e-4, "plateau", 0.1),
        "googlenet": ("rmsprop", 0.9, 0.045, 128, 4e-5, "drops", 0.94),
        "resnet": ("sgd", 0.9, 0.1, 256, 1e-4, "plateau", 0.1),
        "mobilenet": ("rmsprop", 0.9, 0.045, 96, 4e-5, "drops", 0.98),
        "tricks": ("sgd", 0.9, 0.1, 256, 1e-4, "cosine", 0.1),
    }
    for name, expected in papers.items():
        s = chosen(60_000, (3, 224, 224), True, Wishes(recipe=name))
        found = s.optimizer, s.momentum, s.lr, s.batch, s.weight_decay, s.schedule, s.drop
        assert found == expected, name
    inception = chosen(60_000, (3, 224, 224), True, Wishes(recipe="googlenet"))
    assert (inception.eps, inception.smoothing, inception.tap_weight) == (1.0, 0.9, 0.3)
    tricks = chosen(60_000, (3, 224, 224), True, Wishes(recipe="tricks"))
    assert (tricks.label_smoothing, tricks.mixup, tricks.zero_gamma) == (0.1, 0.2, True)
    assert tricks.nesterov and not tricks.decay_all


def test_a_network_with_weights_keeps_them() -> None:
    found = keeping_weights(choose(60_000, (3, 32, 32), True))
    assert not found.settings.whiten
    assert found.origins["whiten"] == "the network's own weights"
    assert found.origins["zero_gamma"] == "default"


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('about = "mine"\nlr_batch = 64\n[settings]\nlr = 0.2\nbatch = 32\n')
    found = choose(60_000, (3, 32, 32), True, Wishes(recipe=str(path)))
    assert (found.settings.lr, found.settings.batch) == (0.1, 32)
    assert found.settings.recipe == str(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr = ", "this is no recipe: Invalid value (at end of document)"),
        ("lr = 0.1", "a recipe has no 'lr'. Settings stand under [settings]"),
        ('abuot = "x"', "a recipe has no 'abuot'. Did you mean 'about'?"),
        ("about = 3", "about is 3; expected a str"),
        ("settings = 3", "settings is 3; expected a dict"),
    ],
)
def test_what_is_no_recipe_is_told(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        recipes.read(str(path))
    assert str(error.value) == f"{path}: {words}"


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        recipes.read(str(tmp_path / "none.toml"))
    assert str(error.value) == f"{tmp_path / 'none.toml'}: there is no such file"


def test_a_setting_that_there_is_not() -> None:
    with pytest.raises(UserError) as error:
        choose(100, (3, 32, 32), True, Wishes(settings={"mixupp": 1}))
    assert str(error.value) == ("settings: there is no setting 'mixupp'. Did you mean 'mixup'?")


@pytest.mark.parametrize(
    ("shape", "moves"),
    [((1, 28, 28), True), ((1, 32, 24), True), ((1, 8, 8), False), ((1, 64, 64), False),
     ((3, 32, 32), False)],
)  # fmt: skip
def test_small_grey_pictures_are_tested_with_their_moves(
    shape: tuple[int, int, int], moves: bool
) -> None:
    assert chosen(60_000, shape, True).moves == moves
