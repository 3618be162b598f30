"""Receptive fields checked against the support of the gradient in a real backward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from striate.errors import UserError
from striate.layers import Pair, Shape
from striate.sizing.ledger import Ledger, Row
from striate.sizing.verification import Checked, Unit, Verification
from striate.tracing.linear import Linear, positive

MOST = 24
"""Layers that are checked, at most, if none are named."""

Progress = Callable[[int, int], None]


def verify(
    model: nn.Module,
    ledger: Ledger,
    layers: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check what a ledger says that the units of a network's layers see.

    A copy is run forwards once, with positive weights and no branch by value, on a positive image;
    for three units of each layer (the first, the middle and the last one) the gradient with respect
    to the image is taken: the rows and columns where it is not 0 are those that the unit reads.
    Without `layers` up to 24 are checked, evenly spread, those where the field grows. Raises
    UserError for a name that is none of its modules, and for a network that cannot be run so.
    """
    network = positive(model)
    chosen = _chosen(network, ledger, layers)
    found: dict[str, Tensor] = {}
    for row in chosen:
        network.get_submodule(row.name).register_forward_hook(_keep(found, row.name))
    image = torch.rand((1, *ledger.input), dtype=torch.float64).add_(0.5).requires_grad_()
    with warnings.catch_warnings(), Linear():
        warnings.simplefilter("ignore")
        try:
            network(image)
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"{ledger.name} cannot be run to be checked: {error}") from error
    reached = [row for row in chosen if row.name in found]
    enlarged = _enlarged(ledger.rows)
    checked = []
    for done, row in enumerate(reached):
        exact = row.name not in enlarged
        checked.append(_check(row, found[row.name], image, ledger.input, exact=exact))
        if progress:
            progress(done + 1, len(reached))
    return Verification(ledger.name, ledger.input, tuple(checked))


def _keep(found: dict[str, Tensor], name: str) -> Callable[[Any, Any, Any], None]:
    def hook(module: nn.Module, given: Any, result: Any) -> None:
        value = result[0] if isinstance(result, tuple) else result
        if isinstance(value, Tensor) and name not in found:
            found[name] = value * 1.0  # apart from what is written in place afterwards

    return hook


def _chosen(network: nn.Module, ledger: Ledger, names: Sequence[str] | None) -> list[Row]:
    """The layers to check: modules with a volume whose field is known."""
    modules = dict(network.named_modules())
    rows = [
        row
        for row in ledger.rows
        if row.name in modules and len(row.output) in (1, 3) and not row.unknown_field
    ]
    if names is not None:
        known = {row.name: row for row in rows}
        for name in names:
            if name not in known:
                raise UserError(
                    f"{ledger.name} has no layer {name!r} whose field can be checked. There are "
                    f"{', '.join(list(known)[:6])}, …"
                )
        return [known[name] for name in names]
    grown, seen = [], set()
    for row in rows:
        field = (row.receptive_field, row.start, row.jump, row.whole_input)
        if field not in seen:
            seen.add(field)
            grown.append(row)
    if len(grown) <= MOST:
        return grown
    return [grown[round(i * (len(grown) - 1) / (MOST - 1))] for i in range(MOST)]


def _enlarged(rows: Sequence[Row]) -> set[str]:
    """The layers behind one that enlarges, whose units see fields of unlike sizes."""
    largest: dict[str, tuple[Fraction, Fraction]] = {}
    found = set()
    for row in rows:
        before = [largest.get(name, (Fraction(0), Fraction(0))) for name in row.inputs]
        most = [max((each[axis] for each in before), default=Fraction(0)) for axis in (0, 1)]
        own = [Fraction(jump) for jump in row.jump]
        if not row.whole_input and any(now < then for now, then in zip(own, most, strict=True)):
            found.add(row.name)
        largest[row.name] = (max(own[0], most[0]), max(own[1], most[1]))
    return found


def _check(row: Row, value: Tensor, image: Tensor, shape: Shape, *, exact: bool) -> Checked:
    if value.dim() == 4:
        height, width = value.shape[2:]
        places = sorted({(0, 0), (height // 2, width // 2), (height - 1, width - 1)})
    else:
        places = [(0, 0)]
    units = tuple(_unit(row, value, image, shape, place, exact=exact) for place in places)
    return Checked(row.name, row.output, row.receptive_field, row.whole_input, units)


def _unit(
    row: Row, value: Tensor, image: Tensor, shape: Shape, place: Pair, *, exact: bool
) -> Unit:
    unit = value[0, :, place[0], place[1]].sum() if value.dim() == 4 else value[0].sum()
    (gradient,) = torch.autograd.grad(unit, image, retain_graph=True)
    reached = gradient[0].ne(0).any(0)
    rows, columns = (_ends(reached.any(1 - axis)) for axis in (0, 1))
    told = [_told(row, axis, place[axis], shape[1 + axis]) for axis in (0, 1)]
    return Unit(place, told[0], told[1], rows, columns, exact, row.receptive_field)


def _ends(read: Tensor) -> Pair:
    """The first and the last place that is read; (0, −1) where none is."""
    places = read.nonzero()
    return (int(places[0]), int(places[-1])) if len(places) else (0, -1)


def _told(row: Row, axis: int, place: int, size: int) -> Pair:
    """The rows (or columns) of the image that a unit is said to see, of those that there are."""
    if row.whole_input:
        return 0, size - 1
    first = row.start[axis] + place * Fraction(row.jump[axis])
    last = first + row.receptive_field[axis] - 1
    return max(0, math.floor(first)), min(size - 1, math.ceil(last))
