"""A layer of a torch network that the notation has no words for: its sizes, as they were seen."""

from __future__ import annotations

from dataclasses import dataclass

from striate.layers.base import Layer, Role, Shape


@dataclass(frozen=True)
class Traced(Layer):
    """What a network's operations came to in one place. It has no word, and no shape rule."""

    word: str
    """The kind in a table: `conv` where it is one of the notation's, else the module's class."""
    label: str
    """The layer as papers write it, for pictures: `conv3-64/2`."""
    work: Role
    shape: Shape
    products: int
    """Multiply-accumulates for one image."""
    learned: tuple[tuple[str, Shape], ...] = ()
    """The weights that it is the first to use, by their names in the module that has them."""

    @property
    def kind(self) -> str:
        return self.word

    @property
    def role(self) -> Role:  # type: ignore[override]
        """What it is for."""
        return self.work

    def output(self, inputs: tuple[Shape, ...]) -> Shape:
        return self.shape

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, tuple[int, ...]]:
        return dict(self.learned)

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        return self.products
