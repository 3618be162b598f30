"""The sizes of a torch network's volumes as formulas of the image's, from passes of several sizes.

A torch network has no shape rules to read: what is seen of it are shapes. How fast rows grow with
the image says a formula's factor and divisor, and each pass narrows the offsets that are left, so
that a few passes settle all layers at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from torch import nn

from striate.errors import UserError
from striate.layers import Shape, show
from striate.sizing.constraints import Constraint, search, together
from striate.sizing.formulas import Formula, Step, constant
from striate.sizing.symbolic import Symbol, SymbolicRow, SymbolicSizes, Unsaid, Volume
from striate.tracing.finding import Found, check_image
from striate.tracing.layers import layers
from striate.tracing.ledger import reason
from striate.tracing.passes import pass_of

_LONGEST = 4096
_MOST_PASSES = 40
"""Passes that offsets are narrowed by at most; those that are open then take the simplest."""
_USUAL_PASSES = 20

Progress = Callable[[int, int], None]
"""Told how many passes were made, and of how many."""


def trace_symbolic(
    found: Found, *, input: Shape | None = None, progress: Progress | None = None
) -> SymbolicSizes:
    """The output of every layer of a torch network for an image of any H×W, and what fits.

    Height and width are changed together, by the same number of pixels. Raises UserError as
    `striate.size` does.
    """
    image = check_image(found, input)
    if len(image) != 3:
        raise UserError(
            f"{found.name} takes {show(image)}, and formulas are of the height and width of images "
            "C×H×W"
        )
    sights = _Sights(found.model, image, progress)
    if sights.at(0) is None:
        raise UserError(f"{found.name} does not run on images of its own size: {sights.stopped}")
    far = _far(sights, image)
    step = 0
    if sights.at(far) is not None:
        step = next(n for n in _divisors(far) if sights.at(n) is not None)
    fits = _fits(sights, far, step)
    outputs = {name: _output(name, shape, fits) for name, shape in sights.shapes(0).items()}
    rows = tuple(SymbolicRow(name, sights.notations[name], each) for name, each in outputs.items())

    def attempt(own: int) -> Callable[[int], bool | None]:
        def tried(size: int) -> bool | None:
            more = size - own
            seen = sights.at(more)
            if seen is None:
                return None
            height, width = image[1] + more, image[2] + more
            return all(
                symbol.at(height, width) == _plain(seen[name], symbol)
                for name, symbol in outputs.items()
                if isinstance(symbol, Symbol) and name in seen
            )

        return tried

    if step:
        rules = together(*(search(own, step, (own % step,), attempt(own)) for own in image[1:]))
    else:
        rules = _alone(sights, far, image)
    if progress is not None:
        progress(sights.passes, sights.passes)
    return SymbolicSizes(found.name, image[0], rows, rules)


def _alone(sights: _Sights, far: int, image: Shape) -> tuple[Constraint, ...]:
    """The constraints of a network that larger images do not fit, as far as was seen."""
    tried = {more: sights.at(more) is not None for more in (-1, 0, 1, far)}
    axes = {"H and W": image[1]} if image[1] == image[2] else {"H": image[1], "W": image[2]}
    found = []
    for axis, own in axes.items():
        fits, fails = (
            tuple(own + more for more, fit in tried.items() if fit is wanted and own + more > 0)
            for wanted in (True, False)
        )
        one = f"{axis} must be {own}, as far as was tried"
        message = one if fits == (own,) else f"{axis}: no rule was found, only what was tried"
        found.append(Constraint(axis, message, fits, fails))
    return tuple(found)


class _Sights:
    """Passes on images that are larger by some pixels, each made once."""

    def __init__(self, model: nn.Module, image: Shape, progress: Progress | None) -> None:
        self.model, self.image, self.progress = model, image, progress
        self.stopped = ""
        self.notations: dict[str, str] = {}
        self.jumps: dict[str, tuple[Fraction, Fraction] | None] = {}
        self._seen: dict[int, dict[str, Shape] | None] = {}

    def at(self, more: int) -> Mapping[str, Shape] | None:
        """The shapes of all layers by name; None where such an image does not fit."""
        if more not in self._seen:
            self._seen[more] = self._look(more)
            if self.progress is not None:
                self.progress(len(self._seen), max(_USUAL_PASSES, len(self._seen) + 1))
        return self._seen[more]

    def shapes(self, more: int) -> Mapping[str, Shape]:
        """The same of one that fits."""
        found = self.at(more)
        assert found is not None
        return found

    @property
    def passes(self) -> int:
        """How many were made."""
        return len(self._seen)

    @property
    def fitting(self) -> dict[int, Mapping[str, Shape]]:
        """All that fit so far."""
        return {more: seen for more, seen in self._seen.items() if seen is not None}

    def _look(self, more: int) -> dict[str, Shape] | None:
        channels, height, width = self.image
        if min(height, width) + more < 1:
            return None
        record = pass_of(self.model, (channels, height + more, width + more), 2, training=True)
        if record.stopped is not None:
            self.stopped = self.stopped or reason(record)
            return None
        known = [layer for layer in layers(record) if layer.operations]
        for layer in known:
            self.notations.setdefault(layer.name, layer.notation)
            if not more:
                fields = layer.sight.fields if layer.sight else None
                self.jumps[layer.name] = fields and (
                    Fraction(fields[0].jump),
                    Fraction(fields[1].jump),
                )
        return {layer.name: layer.shape_of_one(2) for layer in known}


def _far(sights: _Sights, image: Shape) -> int:
    """So many pixels that every layer grows by a whole number."""
    jumps = [jump for pair in sights.jumps.values() if pair for jump in pair if jump]
    for shape in sights.shapes(0).values():  # of layers whose fields are not known
        if len(shape) == 3 and shape[1]:
            jumps.append(Fraction(round(image[1] / shape[1]) or 1))
    found = lcm(*(jump.numerator for jump in jumps)) if jumps else 1
    return found if found <= _LONGEST else max(jump.numerator for jump in jumps)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


@dataclass
class _Fit:
    """A number of a layer's shape as `(factor·n + offset)//divisor`; offsets from `low` to `high`
    are possible, none if it is no such formula."""

    own: int
    """n for the network's own image."""
    factor: int
    divisor: int
    low: int
    high: int

    def see(self, more: int, value: int) -> None:
        """Narrow it by a value that was seen."""
        least = self.divisor * value - self.factor * (self.own + more)
        self.low, self.high = max(self.low, least), min(self.high, least + self.divisor - 1)

    def split(self, more: int) -> int:
        """How many offsets a pass leaves at most; all where it tells nothing."""
        whole = self.high - self.low + 1
        first = -(self.factor * (self.own + more) + self.low) % self.divisor
        return max(first, whole - first) if 0 < first < whole else whole

    @property
    def formula(self) -> Formula | None:
        """The one with the offset next to 0; None where nothing is possible."""
        if self.low > self.high:
            return None
        offset = min(max(0, self.low), self.high)
        return Formula().then(Step(self.factor, offset, self.divisor))


_Fits = dict[tuple[str, int], _Fit]
"""By layer and place in its shape; numbers that stay the same have none."""


def _fits(sights: _Sights, far: int, step: int) -> _Fits:
    """Formulas of all numbers that grow, narrowed by as many passes as it takes."""
    if not step:
        return {}
    before, after = sights.shapes(0), sights.shapes(far)
    fits: _Fits = {}
    for name, shape in before.items():
        other = after.get(name, ())
        growing = [i for i, n in enumerate(shape) if len(other) == len(shape) and other[i] != n]
        for axis, place in enumerate(growing):
            rate = Fraction(other[place] - shape[place], far)
            own = sights.image[1 + min(axis, 1)]
            fit = _Fit(own, rate.numerator, rate.denominator, -(1 << 30), 1 << 30)
            fits[name, place] = fit
    for more, seen in sights.fitting.items():
        _see(fits, more, seen)
    while sights.passes < _MOST_PASSES:
        telling = _telling(fits, far, step)
        seen_there = None if telling is None else sights.at(telling)
        if telling is None or seen_there is None:
            break
        _see(fits, telling, seen_there)
    return fits


def _see(fits: _Fits, more: int, seen: Mapping[str, Shape]) -> None:
    for (name, place), fit in fits.items():
        shape = seen.get(name, ())
        if place < len(shape):
            fit.see(more, shape[place])


def _telling(fits: _Fits, far: int, step: int) -> int | None:
    """The pass that narrows the widest choice most; None where none narrows any."""
    for fit in sorted(fits.values(), key=lambda fit: fit.low - fit.high):
        if fit.low >= fit.high:
            return None
        best = min(range(step, far, step), key=fit.split, default=0)
        if best and fit.split(best) < fit.high - fit.low + 1:
            return best
    return None


def _output(name: str, shape: Shape, fits: _Fits) -> Symbol | Unsaid:
    """A layer's output in formulas: of a volume, of values in a row, or of C values at T places."""
    formulas = []
    for place, number in enumerate(shape):
        fit = fits.get((name, place))
        formula = constant(number) if fit is None else fit.formula
        if formula is None:
            return Unsaid(len(shape))
        formulas.append(formula)
    fixed = [formula.is_constant for formula in formulas]
    match fixed:
        case [True]:
            return Symbol((Volume(shape[0], (constant(1), constant(1))),), flat=True)
        case [True, _, _]:
            return Symbol((Volume(shape[0], (formulas[1], formulas[2])),))
        case [_, _, True]:
            return Symbol((Volume(shape[2], (formulas[0], formulas[1])),))
        case [True, True]:
            return Symbol((Volume(shape[1], (formulas[0], constant(1))),))
    return Unsaid(len(shape))


def _plain(shape: Shape, symbol: Symbol) -> Shape:
    """A shape that was seen, in the order C×H×W that a symbol has."""
    channels = symbol.volumes[0].channels
    if len(shape) == 3 and shape[0] != channels:
        return shape[2], shape[0], shape[1]
    return (shape[1], shape[0], 1) if len(shape) == 2 else shape
