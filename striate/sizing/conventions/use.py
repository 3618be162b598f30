"""What tools look at when they count: one use of a module or a function of torch, in shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from striate.layers import Shape


@dataclass(frozen=True)
class Product:
    """MACs of one operation of torch. `weighs` says whether a factor is learned weights."""

    operation: str
    macs: int
    weighs: bool = True


@dataclass(frozen=True)
class Use:
    """One call of a module or of a function. Shapes begin with the batch."""

    names: tuple[str, ...]
    """A module's class and those that it derives from, or the name of a function."""
    inputs: tuple[Shape, ...]
    output: Shape
    weights: Mapping[str, Shape] = field(default_factory=dict)
    """A module's own parameters, those of modules below it left out."""
    products: tuple[Product, ...] = ()
    home: str = "torch.nn"
    """Where the class or the function is defined."""
    leaf: bool = True
    """Whether a module has none below it."""
    inside: Use | None = None
    """The innermost module that a function runs in."""
    around: tuple[str, ...] = ()
    """The classes of all modules that it runs in, with the place of their definition."""
    places: int = 1
    """At how many places of the network a module stands."""
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class or the function itself."""
        return self.names[0]

    @property
    def macs(self) -> int:
        """By the convention of docs/macs.md."""
        return sum(product.macs for product in self.products)

    @property
    def is_torch(self) -> bool:
        """Whether it is torch's own class or function, and not one derived from it."""
        return self.home == "torch" or self.home.startswith("torch.")

    def known(self, names: Mapping[str, object] | frozenset[str]) -> str:
        """The first of its names that is among these; empty if there is none."""
        return next((name for name in self.names if name in names), "")


@dataclass(frozen=True)
class Count:
    """What a convention counts of a use, and what the tool itself prints of it, with the reason."""

    counted: int
    printed: int
    why: str = ""


NOTHING = Count(0, 0)
DERIVED = "passes over classes derived from torch's"
PLACES = "counts a module that stands at several places once more for each"


def same(count: int) -> Count:
    """A count in which the tool is right."""
    return Count(count, count)


Rule = Callable[[Use], Count]


@dataclass(frozen=True)
class Convention:
    """A tool, or a habit of authors, and how it counts what modules and what functions do."""

    name: str
    version: str
    word: str
    """What it calls its number."""
    of_module: Rule = lambda use: NOTHING
    of_function: Rule = lambda use: NOTHING
