"""The settings of a training: one frozen, validated value that is saved with the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from striate.errors import UserError

OPTIMIZERS = ("muon", "sgd")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a network is trained. Raises UserError on impossible values.

    Either `epochs` or `seconds` (of training time alone) says how long; the schedule fits it.
    """

    recipe: str = "default"
    epochs: float | None = None
    seconds: float | None = None
    batch: int = 128
    """Images a step."""
    optimizer: str = "muon"
    """`muon`: Muon on the convolutions, AdamW on the rest. `sgd`: Nesterov momentum on all."""
    lr: float = 0.1
    """The peak rate: of Muon, or of SGD."""
    adam_lr: float = 0.005
    """The peak rate of AdamW, where Muon does not apply."""
    momentum: float = 0.9
    weight_decay: float = 0.0
    """On matrices and filters alone; biases and normalisation are never decayed."""
    label_smoothing: float = 0.1
    warmup: float = 0.1
    """Share of the training in which the rate rises from 0; then it falls to 0 in a line."""
    average: float = 0.0
    """Weights are averaged over about this share of the training; 0 takes the last ones."""
    whiten: bool = True
    """Start the first convolution's filters as the principal components of image patches."""
    flip: bool = False
    """Mirror left and right, every picture in every second epoch."""
    shift: float = 0.0
    """Largest shift in each direction, as a share of the side."""
    rotate: float = 0.0
    """Largest turn in each direction, in degrees."""
    zoom: float = 0.0
    """Largest relative change of size."""
    colour: float = 0.0
    """Largest relative change of brightness, contrast and saturation."""
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.seconds is None):
            raise UserError("give either a number of epochs or a number of seconds, not both")
        for name in ("epochs", "seconds", "lr", "adam_lr"):
            value = getattr(self, name)
            if value is not None:
                _require(name, value, math.isfinite(value) and value > 0, "a number above 0")
        _require("batch", self.batch, 1 <= self.batch <= 2**20, "a whole number from 1 to 2^20")
        _require("seed", self.seed, 0 <= self.seed < 2**63, "a whole number from 0 to 2^63 - 1")
        for name in ("momentum", "label_smoothing", "warmup", "average", "shift", "zoom", "colour"):
            value = getattr(self, name)
            _require(name, value, 0 <= value < 1, "a number from 0 to below 1")
        _require("weight_decay", self.weight_decay, 0 <= self.weight_decay <= 1, "from 0 to 1")
        _require("rotate", self.rotate, 0 <= self.rotate <= 180, "degrees from 0 to 180")
        for name, known in (
            ("recipe", tuple(RECIPES)),
            ("optimizer", OPTIMIZERS),
            ("device", DEVICES),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, name)
            _require(name, value, value in known, f"one of {', '.join(known)}")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Settings:
        """The settings that `to_json` came from. Raises UserError on anything else."""
        known = {field.name: field.type for field in fields(cls)}
        if not isinstance(data, Mapping):
            raise UserError(f"settings: found {data!r}; expected an object")
        if unknown := sorted(str(key) for key in set(data) - set(known)):
            raise UserError(f"settings: unknown setting '{unknown[0]}'")
        for name, value in data.items():
            if not _is_of(str(known[name]), value):
                raise UserError(f"settings: {name} is {value!r}; expected {known[name]}")
        return cls(**data)


def _require(name: str, value: object, holds: bool, expected: str) -> None:
    if not holds:
        raise UserError(f"settings: {name} is {value!r}; expected {expected}")


def _is_of(annotation: str, value: object) -> bool:
    for word in annotation.split(" | "):
        match word:
            case "None" if value is None:
                return True
            case "bool" if isinstance(value, bool):
                return True
            case "int" if isinstance(value, int) and not isinstance(value, bool):
                return True
            case "float" if isinstance(value, int | float) and not isinstance(value, bool):
                return True
            case "str" if isinstance(value, str):
                return True
    return False


RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "sgd": {
        "optimizer": "sgd",
        "lr": 0.1,
        "weight_decay": 5e-4,
        "label_smoothing": 0.0,
        "whiten": False,
        "average": 0.0,
    },
}
"""Named settings; what they do not name is as `Settings` and `choose` have it."""

PLAIN_SHARE = 0.2
"""The share of a recipe's rates that a network without batch normalisation is trained at."""


def choose(
    images: int,
    channels: int,
    normalised: bool,
    *,
    recipe: str = "default",
    epochs: float | None = None,
    seconds: float | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
) -> Settings:
    """The settings for a training set of that many images, with the user's wishes on top.

    Small sets get smaller batches, more epochs and more augmentation; colour pictures are mirrored,
    grey ones (digits, letters) are not. A network that is not `normalised` by batch normalisation
    takes smaller steps. Raises UserError on impossible wishes.
    """
    if recipe not in RECIPES:
        raise UserError(f"there is no recipe '{recipe}'; there are: {', '.join(RECIPES)}")
    if epochs is None and seconds is None:
        epochs = default_epochs(images)
    small = images < 5_000
    photographs = channels == 3
    base = Settings(
        recipe=recipe,
        epochs=epochs,
        seconds=seconds,
        batch=128 if not small else max(8, min(64, 2 ** round(math.log2(max(1, images / 6))))),
        flip=photographs,
        shift=0.1,
        rotate=10.0 if small and photographs else 0.0,
        zoom=0.15 if small and photographs else 0.0,
        colour=0.2 if small and photographs else 0.0,
        seed=seed,
        device=device,
        precision=precision,
    )
    named = replace(base, **RECIPES[recipe])
    if not normalised:
        named = replace(named, lr=PLAIN_SHARE * named.lr, adam_lr=PLAIN_SHARE * named.adam_lr)
    wishes: dict[str, Any] = {"batch": batch, "lr": lr}
    return replace(named, **{name: wish for name, wish in wishes.items() if wish is not None})


def default_epochs(images: int) -> float:
    """Epochs for a set of that size: about 100 for 1 000 images, 10 for 60 000 and more."""
    return float(min(100, max(10, round(3_000 / math.sqrt(max(1, images))))))
