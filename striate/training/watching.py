"""Who is told what happens in a training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor

from striate.training.clock import Moment, Row
from striate.training.state import State


def _nothing(*told: object) -> None:
    """A watcher that does not care."""


@dataclass(frozen=True)
class Watcher:
    """Who is told what happens: at each step, and at each look at the validation pictures."""

    step: Callable[[Moment], None] = _nothing
    row: Callable[[Row, dict[str, Tensor] | None], None] = _nothing
    """With the weights, as state_dict in float32, when they are the best so far."""
    save: Callable[[State], None] = _nothing
    """With all that the training needs to go on, now and then and when it is interrupted."""
    notice: Callable[[str], None] = _nothing
    """With what is to be said and recorded."""
    whole: Callable[[], AbstractContextManager[None]] = nullcontext
    """Gives what steps and saving happen in, so that nothing interrupts them."""
    wanted: Callable[[], bool] = bool
    """Whether this process was asked to end, where several end together."""
