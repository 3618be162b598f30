"""What every kind of layer declares, in one place: words, settings, shape, costs, window, module.

A kind is a frozen dataclass derived from `Layer`. Its fields are its settings in the field's
terms; its class attributes say how it is written. The notation, its help and its suggestions, the
graph, the ledger, the drawing and the torch module all read a kind from here and from nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from torch import nn

Pair = tuple[int, int]
"""One number for each spatial axis: height, width."""

Shape = tuple[int, ...]
"""A volume `(C, H, W)` or, after flattening, a vector `(N,)`; the batch axis N is left out."""

Steps = tuple[int | Fraction, int | Fraction]
"""Steps along both axes in units of a layer's input; below one where it enlarges."""

SettingType = Literal["int", "pair", "float", "bool", "padding", "text"]
Role = Literal[
    "conv", "pool", "norm", "activation", "linear", "merge", "resize", "shape", "regularise"
]
Value = int | float | bool | str | Pair

PADDING_WORDS = ("same", "valid", "full")


class MismatchError(Exception):
    """A volume that a layer cannot take: what was found, what was expected, and what fits."""


class SizeError(MismatchError):
    """A mismatch of heights or widths: an image of another size may not have it."""


@dataclass(frozen=True)
class Setting:
    """One setting of a kind, as a text may give it.

    `letter` is the compact form's prefix (`d` in `d2`). A setting without a `default` is required;
    `default` is also what the printer leaves out.
    """

    name: str
    type: SettingType
    help: str
    default: Value | None = None
    required: bool = False
    letter: str = ""
    minimum: float = 1
    maximum: float = 2**31


@dataclass(frozen=True)
class Window:
    """The part of its input that one output unit reads, along both axes.

    Unit `i` reads those of the positions `i*stride - before + j*dilation`, `0 <= j < kernel_size`,
    that are whole numbers. A layer that enlarges its input has fractions here, one that does not
    has whole numbers only. `whole` says that every unit reads all.
    """

    kernel_size: Pair = (1, 1)
    stride: Steps = (1, 1)
    before: Steps = (0, 0)
    dilation: Steps = (1, 1)
    whole: bool = False


POINT = Window()
WHOLE = Window(whole=True)


@dataclass(frozen=True)
class Layer:
    """Base of all kinds. Shapes come in as one tuple for each input of the layer."""

    words: ClassVar[tuple[str, ...]] = ()
    """How a text may name the kind; the first is the one that is printed back."""
    role: ClassVar[Role] = "shape"
    number: ClassVar[str] = ""
    """The setting that a number glued to the word gives: `conv3`."""
    dash: ClassVar[str] = ""
    """The setting after the dash: `-64`."""
    slash: ClassVar[str] = ""
    """The setting after the slash: `/2`."""
    settings: ClassVar[tuple[Setting, ...]] = ()
    flags: ClassVar[dict[str, tuple[str, Value]]] = {}
    """Bare words that set a setting: `valid`, `nobias`."""
    example: ClassVar[str] = ""
    summary: ClassVar[str] = ""

    @property
    def kind(self) -> str:
        """The kind's name in tables and JSON."""
        return self.words[0]

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        """The output's shape. Raises MismatchError when the inputs do not fit."""
        return inputs[0]

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        """Shapes of the learned parameters, by the name that torch gives them."""
        return {}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """Products of a weight with a value, for one image; zeros of the padding included.

        Each comes back in the gradient of the weights and in that of the input (docs/macs.md).
        """
        return 0

    def fans(self, inputs: tuple[Shape, ...]) -> tuple[float, float] | None:
        """How many values a unit of the output reads, and how many a unit of the input feeds.

        First weights are drawn by them. None for a layer without weights to be drawn at random.
        """
        return None

    def window(self, inputs: tuple[Shape, ...], output: Shape) -> Window:
        """What one output unit reads."""
        return POINT

    def remainder(self, inputs: tuple[Shape, ...]) -> Pair:
        """Rows and columns of the padded input that a stride leaves over at the end."""
        return (0, 0)

    def lost(self, inputs: tuple[Shape, ...]) -> Pair:
        """Those of the `remainder` that are real rows and columns, not padding."""
        return (0, 0)

    def keeps_turns(self, inputs: tuple[Shape, ...]) -> bool:
        """Whether all that a quarter turn or mirroring of its input does is the same to its output.

        Channels may be told apart by their values, not by their places.
        """
        return self.role in ("activation", "regularise", "merge")

    def module(self, inputs: tuple[Shape, ...]) -> nn.Module:
        """An ordinary torch layer that computes this one."""
        raise NotImplementedError


def volume(word: str, inputs: tuple[Shape, ...]) -> tuple[int, int, int]:
    """The one input as `(C, H, W)`. Raises MismatchError when it is a flat vector."""
    (shape,) = inputs
    if len(shape) != 3:
        raise MismatchError(
            f"{word} needs a volume of C×H×W, but its input is a vector of {shape[0]:,} values: "
            "it was flattened before. Move this layer before the first fc or flatten, "
            "or use a 1×1 convolution (conv1) in place of that fc"
        )
    return shape[0], shape[1], shape[2]


def show(shape: Shape) -> str:
    """A shape as people write it: `64×112×112`."""
    return "×".join(str(n) for n in shape)


def product(shape: Shape) -> int:
    """The number of values in a shape."""
    count = 1
    for n in shape:
        count *= n
    return count
