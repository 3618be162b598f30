"""First weights from a run, or from a checkpoint: transfer learning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from striate.errors import UserError
from striate.modules import build
from striate.modules.published import load_published, read_checkpoint
from striate.source import Source
from striate.training.run import RECORD, open_run

if TYPE_CHECKING:
    from striate.networks import Beginning
    from striate.programs import Subject
    from striate.transcribing.steps import Weight


def weights_from(start: str | Path, begun: Beginning) -> dict[str, Tensor]:
    """The weights in a run's folder or a checkpoint's file, under the names of a network's graph.

    A file's names are the graph's own, those of the torch network that the text was read off, or
    those that torchvision and timm give a network of these layers. Weights of another shape are
    given too: it is for the caller to leave out what another number of classes changes. Raises
    UserError for a file or folder that cannot be read, and for the weights of another network.
    """
    path, names = Path(start), begun.names
    if not isinstance(begun.network, Source):
        return _for_followed(path, begun.network)
    network = build(begun.network, seed=0)
    own = network.state_dict()
    if path.is_dir() or (path / RECORD).exists() or not path.suffix:
        found = open_run(path).load_network().state_dict()
        return _checked(path, dict(found), own)
    given = {name.removeprefix("module."): each for name, each in read_checkpoint(path).items()}
    if given.keys() <= own.keys():
        return _checked(path, given, own)
    if names and {weight.name for weight in names.values()} <= given.keys():
        return _renamed(given, names, own)
    before = {name: each.clone() for name, each in own.items()}
    try:
        load_published(network, given)
    except UserError:
        load_published(network, given, skip_last=True)
        return {name: each for name, each in own.items() if not torch.equal(each, before[name])}
    return dict(own)


def _for_followed(path: Path, subject: Subject) -> dict[str, Tensor]:
    """The same for a network that is followed, whose names are its own."""
    tensors = subject.recording().program.tensors
    if path.is_dir() or (path / RECORD).exists() or not path.suffix:
        given: Mapping[str, Tensor] = open_run(path).load_network().state_dict()
    else:
        given = {n.removeprefix("module."): each for n, each in read_checkpoint(path).items()}
    missing = [name for name, each in tensors.items() if each.learned and name not in given]
    if missing:
        raise UserError(
            f"{path}: these are the weights of another network: it has no {missing[0]}, which "
            f"{subject.found.name} has. striate size compares the two"
        )
    return {name: given[name] for name in tensors if name in given}


def _checked(path: Path, given: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    missing = [name for name in own if name not in given and "num_batches" not in name]
    extra = [name for name in given if name not in own]
    if wrong := [*extra, *missing]:
        where = "it has" if extra else "it has no"
        raise UserError(
            f"{path}: these are the weights of another network: {where} {wrong[0]}, which the "
            f"network to train has{' not' if extra else ''}. striate size compares the two"
        )
    return given


def _renamed(
    given: Mapping[str, Tensor], names: Mapping[str, Weight], own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights under a torch network's names under those of its text's graph."""
    found = {}
    for name, weight in names.items():
        tensor = given[weight.name]
        tensor = tensor.t() if weight.transposed else tensor
        same = tensor.numel() == own[name].numel()
        found[name] = tensor.reshape(own[name].shape) if same else tensor
    return found
