"""The settings of a training: one frozen, validated value that is saved with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

from striate.errors import UserError

OPTIMIZERS = ("muon", "sgd", "rmsprop", "adamw", "lamb")
SCALINGS = ("std", "mean", "image", "unit")
SCHEDULES = ("line", "cosine", "constant", "drops", "plateau")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Numbers:
    """The numbers from `low` to `high` that a setting may be, without an end that is open."""

    low: float
    high: float
    whole: bool = False
    open_start: bool = False
    open_end: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        above = value > self.low if self.open_start else value >= self.low
        return above and (value < self.high if self.open_end else value <= self.high)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.open_start:
            return f"{kind} above 0, up to {self.high:g}"
        below = "below " if self.open_end else ""
        return f"{kind} from {self.low} to {below}{self.high}"


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a network is trained. Raises UserError on impossible values.

    Either `epochs` or `seconds` (of training time alone) says how long; the schedule fits it.
    """

    recipe: str = "default"
    """The named settings that were chosen."""
    epochs: float | None = None
    """How long: passes over the training pictures."""
    seconds: float | None = None
    """How long: seconds of training, looks at the validation pictures not counted."""
    batch: int = 128
    """Images a step."""
    accumulate: int = 1
    """Parts that a batch is learned from, one after the other, in a part of the memory. The
    gradient is the same, but for batch normalisation, which sees a part at a time."""
    optimizer: str = "muon"
    """`muon`: Muon on the convolutions, AdamW on the rest. `sgd`, `rmsprop` (as TensorFlow has it),
    `adamw`, `lamb` (for large batches): on all."""
    lr: float = 0.25
    """The peak rate of the optimizer."""
    adam_lr: float = 0.005
    """The peak rate of AdamW, where Muon does not apply."""
    body_rate: float = 1.0
    """The share of the rates at which all but the last layers learn; 0: they stay as they are."""
    momentum: float = 0.75
    """The momentum of Muon, SGD or RMSProp."""
    nesterov: bool = True
    """SGD's momentum looks ahead (Nesterov's); without it is the plain one."""
    smoothing: float = 0.9
    """The share of the squares of past gradients that RMSProp keeps in a step."""
    eps: float = 1e-8
    """What RMSProp adds to the mean of squares, under the root."""
    weight_decay: float = 0.0
    """On matrices and filters; on biases and normalisation with `decay_all`."""
    decay_all: bool = False
    """Biases and normalisation are decayed too."""
    clip: float = 0.0
    """The longest that all gradients together may be; 0: as long as they are."""
    ema: float = 0.0
    """The share that a running mean of the weights keeps in a step, which is what is tested and
    saved; 0: the weights themselves."""
    label_smoothing: float = 0.1
    """The share of a right answer's probability that all classes divide among them."""
    teacher: str = ""
    """A run whose scores are learned beside the labels: knowledge distillation."""
    distil: float = 0.5
    """The share of the loss that is the distance to the teacher's scores, if there is one."""
    temperature: float = 4.0
    """What the scores of both are divided by for that, so that unlikely classes count."""
    tap_weight: float = 0.3
    """The weight of the loss of each side output that gives a score for each class."""
    warmup: float = 0.1
    """Share of the training in which the rate rises from 0; then it follows the schedule."""
    schedule: str = "line"
    """`line` or `cosine`: down to 0. `constant`. `drops`: times `drop` every `drop_every` epochs.
    `plateau`: times `drop` when the validation loss was not lower for `patience` looks."""
    drop: float = 0.1
    """What the rate is multiplied by at a drop."""
    drop_every: float = 30.0
    """Epochs from one drop to the next."""
    patience: int = 2
    """Looks at the validation pictures without a lower loss before a plateau's drop."""
    whiten: bool = True
    """Start the first convolution's filters as the principal components of image patches."""
    flip: bool = False
    """Mirror left and right, every picture in every second epoch; tests and predictions are then
    the mean over a picture and its mirror image."""
    moves: bool = False
    """Tests and predictions are the mean over a picture and that moved by a pixel in each of four
    directions."""
    shift: float = 0.0
    """Largest shift in each direction, as a share of the side."""
    rotate: float = 0.0
    """Largest turn in each direction, in degrees."""
    zoom: float = 0.0
    """Largest relative change of size."""
    crop: float = 0.0
    """The smallest share of a picture's area that is cut out and enlarged, at sides of 3:4 to 4:3;
    0: whole pictures."""
    progressive: float = 0.0
    """The share of a picture's sides that training begins with; they grow to the whole in equal
    steps until two thirds of it are done. 0: whole pictures."""
    colour: float = 0.0
    """Largest relative change of brightness, contrast and saturation."""
    lighting: float = 0.0
    """How far colours move along the principal components of all pixels' colours: the standard
    deviation in units of each one's variance. AlexNet took 0.1. Grey pictures stay as they are."""
    trivial: bool = False
    """TrivialAugment: each picture is changed in one of 14 ways, at any strength."""
    cutout: float = 0.0
    """The side of a square in the mean colour that hides a part of each picture, as a share of the
    shorter side."""
    mixup: float = 0.0
    """Pictures and labels of a batch are mixed in pairs: the α of the Beta distribution that the
    shares come from."""
    cutmix: float = 0.0
    """A box of each picture is taken from another, and so is its share of the label: the same α.
    Together with `mixup` every batch does one of the two."""
    balance: bool = False
    """Classes count alike in the loss, however many pictures they have."""
    zero_gamma: bool = False
    """The last normalisation of each residual branch begins with 0, so that blocks begin as their
    shortcuts."""
    scaling: str = "std"
    """What goes into the network. `std`: the channels' means off, divided by their standard
    deviations. `mean`: the means off, divided by 127.5. `image`: the mean of all training pictures,
    pixel by pixel, in place of the channels'. `unit`: from -1 to 1."""
    stop_after: int = 0
    """Looks at the validation pictures without a lower loss after which the training ends; 0:
    none."""
    hold_out: float = 0.1
    """The share of each class's training pictures that is held out to be looked at, where the data
    have no validation pictures; at most 5000 where they have test pictures. 0: none, every picture
    trains, and the last weights are kept."""
    seed: int = 0
    """Where chance begins: the split, the first weights, the order, the augmentation."""
    device: str = "auto"
    """`auto` takes a GPU if there is one."""
    precision: str = "auto"
    """`auto` takes bfloat16 where the device computes it fast."""

    def __post_init__(self) -> None:
        if self.epochs is not None and self.seconds is not None:
            raise UserError("give either a number of epochs or a number of seconds, not both")
        if self.epochs is None and self.seconds is None:
            raise UserError("settings: found neither epochs nor seconds; expected one of them")
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or "None" not in str(field.type):
                _check(field.name, value)

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `json.dump` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Settings:
        """The settings that `to_json` came from. Raises UserError on anything else."""
        known = [field.name for field in fields(cls)]
        if not isinstance(data, Mapping):
            raise UserError(f"settings: found {_shown(data)}; expected an object")
        if unknown := sorted(str(key) for key in set(data) - set(known)):
            raise UserError(
                f"settings: there is no setting '{unknown[0]}'.{_did_you_mean(unknown[0], known)}"
            )
        return cls(**data)


_LARGEST = 1e9
_SHARE = Numbers(0, 1, open_end=True)

_NUMBERS = {
    "epochs": Numbers(0, _LARGEST, open_start=True),
    "seconds": Numbers(0, _LARGEST, open_start=True),
    "lr": Numbers(0, _LARGEST, open_start=True),
    "adam_lr": Numbers(0, _LARGEST, open_start=True),
    "batch": Numbers(1, 2**20, whole=True),
    "accumulate": Numbers(1, 4096, whole=True),
    "seed": Numbers(0, 2**63 - 1, whole=True),
    "momentum": _SHARE,
    "smoothing": _SHARE,
    "ema": _SHARE,
    "eps": Numbers(0, 10),
    "clip": Numbers(0, 10**6),
    "drop": Numbers(0, 1, open_start=True),
    "drop_every": Numbers(0, _LARGEST, open_start=True),
    "patience": Numbers(1, 1000, whole=True),
    "label_smoothing": _SHARE,
    "warmup": _SHARE,
    "shift": _SHARE,
    "zoom": _SHARE,
    "colour": _SHARE,
    "crop": _SHARE,
    "progressive": _SHARE,
    "cutout": _SHARE,
    "lighting": Numbers(0, 10),
    "mixup": Numbers(0, 100),
    "cutmix": Numbers(0, 100),
    "hold_out": _SHARE,
    "stop_after": Numbers(0, 1000, whole=True),
    "weight_decay": Numbers(0, 1),
    "body_rate": Numbers(0, 1),
    "tap_weight": Numbers(0, 1),
    "distil": Numbers(0, 1),
    "temperature": Numbers(0, 1000, open_start=True),
    "rotate": Numbers(0, 180),
}


def _check(name: str, value: object) -> None:
    """Raise UserError for a value that its setting cannot have."""
    if name == "recipe":
        holds, expected = isinstance(value, str) and bool(value), "a name"
    elif name == "teacher":
        holds, expected = isinstance(value, str), "a run's folder"
    elif numbers := _NUMBERS.get(name):
        holds, expected = value in numbers, str(numbers)
    elif known := _words().get(name):
        holds, expected = value in known, f"one of {', '.join(known)}"
    else:
        holds, expected = isinstance(value, bool), "true or false"
    if not holds:
        raise UserError(f"settings: {name} is {_shown(value)}; expected {expected}")


def _words() -> dict[str, tuple[str, ...]]:
    return {
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
        "scaling": SCALINGS,
        "device": DEVICES,
        "precision": PRECISIONS,
    }


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
