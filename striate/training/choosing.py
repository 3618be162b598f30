"""The settings of a training: from its data, its recipe and what the user asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from striate.data.split import Fold
from striate.layers import Shape
from striate.recipes import read
from striate.training.settings import Settings

AUTO = "auto"
ASKED = "asked for"
"""The origin of a setting that the user gave."""

SHIFT = 0.06
"""The default of the setting."""

LARGEST_MOVED = 32
"""Grey pictures up to so many rows and columns are tested with their moves."""

SMALL = 5_000
"""Pictures below which a set is small."""


@dataclass(frozen=True)
class Wishes:
    """What a user may say of a training's settings; the rest follows from recipe and data."""

    recipe: str = "default"
    """A name, or a file of one's own."""
    epochs: float | None = None
    seconds: float | None = None
    batch: int | str | None = None
    """`auto`: the recipe's, learned in as many parts as the memory that is free asks for."""
    lr: float | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Any others, by name."""
    split: int | None = None
    """Where chance begins for which pictures are held out; as `seed` where it is left open."""
    fold: Fold | None = None
    """The part of the pictures that is held out for the test, of several."""

    @property
    def asked(self) -> dict[str, Any]:
        """All that is asked for, by name."""
        plain = Wishes()
        said = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("recipe", "settings", "split", "fold")
            and getattr(self, each.name) != getattr(plain, each.name)
        }
        if self.batch == AUTO:
            del said["batch"]
        return {**said, **self.settings}


NO_WISHES = Wishes()


@dataclass(frozen=True)
class Chosen:
    """Settings, and of each where its value comes from."""

    settings: Settings
    origins: Mapping[str, str]


def choose(images: int, shape: Shape, normalised: bool, wishes: Wishes = NO_WISHES) -> Chosen:
    """The settings for a training set of that many images C×H×W, with the user's wishes on top.

    Small sets get smaller batches, more epochs and more augmentation; colour pictures are mirrored,
    grey ones (digits, letters) are not: small ones are moved in their tests instead. A recipe
    stands above these, and what is asked for above all. A network that is not `normalised` by
    batches or groups takes smaller steps where its recipe says so. Raises UserError on impossible
    wishes.
    """
    recipe, asked = read(wishes.recipe), wishes.asked
    values: dict[str, Any] = {"recipe": recipe.name}
    origins: dict[str, str] = {}

    def take(given: Mapping[str, Any], origin: str) -> None:
        values.update(given)
        origins.update(dict.fromkeys(given, origin))

    take(_of_data(images, shape), "data")
    take(recipe.settings, f"recipe {recipe.name}")
    if not normalised and recipe.plain_share != 1:
        plain = Settings(epochs=1)
        for name in ("lr", "adam_lr"):
            rate = recipe.plain_share * values.get(name, getattr(plain, name))
            take({name: rate}, f"recipe {recipe.name}, without batch normalisation")
    if "seconds" in asked and "epochs" not in asked:
        take({"epochs": None}, ASKED)
    take(asked, ASKED)
    batch = values.get("batch")
    if (
        recipe.lr_batch
        and "lr" not in asked
        and isinstance(batch, int)
        and batch != recipe.lr_batch
    ):
        scaled = values["lr"] * batch / recipe.lr_batch
        origin = f"recipe {recipe.name}: {values['lr']:g} for a batch of {recipe.lr_batch}"
        take({"lr": scaled}, origin)
    settings = Settings.from_json(values)
    return Chosen(
        settings, {each.name: origins.get(each.name, "default") for each in fields(settings)}
    )


def keeping_weights(chosen: Chosen) -> Chosen:
    """The same for a network that brings its weights: nothing is put in their place."""
    settings = replace(chosen.settings, whiten=False, zero_gamma=False)
    changed = [
        each.name
        for each in fields(settings)
        if getattr(settings, each.name) != getattr(chosen.settings, each.name)
    ]
    origins = dict.fromkeys(changed, "the network's own weights")
    return Chosen(settings, {**chosen.origins, **origins})


def _of_data(images: int, shape: Shape) -> dict[str, Any]:
    """What follows from how many pictures there are, and of what kind."""
    small = images < SMALL
    channels, *sides = shape
    photographs = channels == 3
    turned = small and photographs
    moved = not photographs and max(sides) <= LARGEST_MOVED and round(SHIFT * min(sides)) > 0
    return {
        "epochs": default_epochs(images),
        "batch": max(8, min(64, 2 ** round(math.log2(max(1, images / 6))))) if small else 128,
        "flip": photographs,
        "moves": moved,
        "shift": SHIFT,
        "rotate": 10.0 if turned else 0.0,
        "zoom": 0.15 if turned else 0.0,
        "colour": 0.2 if turned else 0.0,
    }


def default_epochs(images: int) -> float:
    """Epochs for a set of that size: about 100 for 1 000 images, 10 for 60 000 and more."""
    return float(min(100, max(10, round(3_000 / math.sqrt(max(1, images))))))
