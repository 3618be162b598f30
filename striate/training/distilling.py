"""Learning from a trained network's scores: Hinton et al. 2015, arXiv 1503.02531."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from striate.data import Preprocess
from striate.errors import UserError
from striate.layers import show
from striate.training.device import Machine
from striate.training.prepare import to_input, to_scores
from striate.training.run import Run, open_run
from striate.training.settings import Settings

Teacher = Callable[[Tensor], Tensor]
"""From pictures B×H×W×C in 0…255 to scores B×K, in the order of the classes that are learned."""


def teacher_of(
    settings: Settings, classes: Sequence[str], preprocess: Preprocess, machine: Machine
) -> Teacher | None:
    """The run that the settings name, as it scores pictures; None where they name none.

    Raises UserError for what is no run, for other classes and for pictures of another size.
    """
    if not settings.teacher:
        return None
    run = open_run(settings.teacher)
    _check(run, classes, preprocess)
    network = run.load_network().to(machine.device)
    normalise = run.record.normalise
    order = torch.tensor(
        [run.record.classes.index(name) for name in classes], device=machine.device
    )

    @torch.no_grad()
    def score(pictures: Tensor) -> Tensor:
        return to_scores(network.graph, network(to_input(pictures, normalise, torch.float32)))[
            :, order
        ]

    return score


def _check(run: Run, classes: Sequence[str], preprocess: Preprocess) -> None:
    if set(run.record.classes) != set(classes):
        raise UserError(
            f"{run.folder}: this teacher knows other classes than those that are learned. Give a "
            "run on the same classes"
        )
    theirs, ours = (
        (each.channels, each.height, each.width) for each in (run.record.preprocess, preprocess)
    )
    if theirs != ours:
        raise UserError(
            f"{run.folder}: this teacher takes pictures of {show(theirs)}, and here they are "
            f"{show(ours)}. Give --input {'x'.join(map(str, theirs))}"
        )


def distance(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far scores are from a teacher's: T²·KL of their softmaxes at that temperature.

    The square keeps the gradient as long as it is without a temperature (section 2.1).
    """
    ours = functional.log_softmax(scores / temperature, 1)
    theirs = functional.log_softmax(taught / temperature, 1)
    distances = functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return temperature**2 * distances
