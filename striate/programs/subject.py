"""A torch network that is used as a program: to be built, or trained on other pictures."""

from __future__ import annotations

import copy
import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from striate.errors import UserError
from striate.graph.load import WEIGHTS_OF_RUN, find_program
from striate.graph.performed import graph_of_program
from striate.graph.program import PROGRAM_OF_RUN, Program, Unit
from striate.layers import Shape, show
from striate.modules.published import read_checkpoint
from striate.modules.replay import Replay
from striate.notation.vocabulary import OUTPUT
from striate.programs.recording import Recording, follow
from striate.source import Source
from striate.tracing.finding import Found, check_image, find, locate
from striate.tracing.passes import pass_of


@dataclass(frozen=True)
class Subject:
    """A torch network with memory."""

    found: Found
    own: Shape
    """The image that it is made for, or that the user says."""
    fresh: bool
    """Whether its weights are random, as its library draws them."""

    @property
    def source(self) -> Source:
        """A text in name alone."""
        return Source("", self.found.name)

    def takes(self, input: Shape) -> bool:
        """Whether images of that shape go through it."""
        return pass_of(self.found.model, input, 2, training=True).stopped is None

    def recording(self, input: Shape | None = None, classes: int | None = None) -> Recording:
        """It as a program, for images of that shape, and with a last layer for so many classes.

        That layer is new then, drawn as torch does. Raises UserError as `follow` does, and where
        the layer that gives the classes cannot be told.
        """
        found = replace(self.found, input=input or self.own)
        recording = follow(found)
        program = recording.program
        before = _ends(program)[0].output
        if classes is None or before == (classes,):
            return recording
        model = with_classes(found.model, program, classes)
        changed = follow(replace(found, model=model))
        if _ends(changed.program)[0].output != (classes,):
            raise UserError(
                f"{found.name} gives {show(_ends(changed.program)[0].output)} values rather than "
                f"{classes}: what follows its last layer with weights changes their number"
            )
        return replace(changed, before=before)

    def weights(self) -> dict[str, Tensor]:
        """Its parameters and buffers, sharing its memory."""
        model = self.found.model
        return {
            name: tensor.detach()
            for kind in (model.named_parameters, model.named_buffers)
            for name, tensor in kind(remove_duplicate=False)
        }


def subject(
    what: str | Path | Source | nn.Module, *, input: Shape | None = None, seed: int | None = 0
) -> Subject:
    """A torch network, a run that holds a program, or the program itself, with its weights.

    Networks of libraries are made with the weights that these draw from `seed`. Raises UserError
    as `locate` does, and for a run without weights.
    """
    if (program := find_program(what)) is not None:
        model = loaded(program, _folder_of(what, program))
        return Subject(Found(model, model.graph.name, model.graph.input), model.graph.input, False)
    found = locate(what, weights=True)
    fresh = any(each.is_meta for each in found.model.parameters())
    if fresh:
        assert isinstance(what, str)
        with torch.random.fork_rng(devices=()) if seed is not None else nullcontext():
            if seed is not None:
                torch.manual_seed(seed)
            found = find(what, real=True)
    return Subject(found, check_image(found, input), fresh)


def replayed(recording: Recording) -> Replay:
    """A followed network as a module of its own, with a copy of its weights on the CPU."""
    network = Replay(graph_of_program(recording.program.to_source()))
    network.load_state_dict(recording.state_dict())
    return network


def loaded(program: Source, folder: Path) -> Replay:
    """A program of a run as a module with the run's weights."""
    network = Replay(graph_of_program(program))
    weights = read_checkpoint(folder / WEIGHTS_OF_RUN)
    own = network.state_dict()
    wrong = [name for name in own if name not in weights or weights[name].shape != own[name].shape]
    if wrong:
        raise UserError(
            f"{folder / WEIGHTS_OF_RUN}: there are no weights for {wrong[0]} as {PROGRAM_OF_RUN} "
            "has it. One of the two files is another run's"
        )
    network.load_state_dict({name: weights[name] for name in own})
    return network


def _folder_of(what: object, program: Source) -> Path:
    """The folder of a run that holds a program."""
    path = Path(what if isinstance(what, str | Path) else program.name)
    return path.parent if path.name == PROGRAM_OF_RUN else path


def with_classes(model: nn.Module, program: Program, classes: int) -> nn.Module:
    """A copy of a network whose last layer gives another number of classes.

    So do the layers of side outputs that gave as many. Raises UserError where the last layer with
    weights gives another number of values than the network.
    """
    before = _ends(program)[0].output
    paths = [_head(program, end, before) for end in _ends(program) if end.output == before]
    changed = copy.deepcopy(model)
    for path in dict.fromkeys(paths):
        _widen(changed.get_submodule(path), classes)
    return changed


def _ends(program: Program) -> list[Unit]:
    """The layers that give the outputs, the main one first."""
    layers = {unit.name: unit for unit in program.layers}
    names = dict.fromkeys((program.ends[OUTPUT], *program.ends.values()))
    return [layers[name] for name in names]


def _head(program: Program, end: Unit, output: Shape) -> str:
    """The module of the layer whose number of outputs is what an end gives."""
    layers = {unit.name: unit for unit in program.layers}
    at: Unit | None = end
    while at is not None:
        weights = dict(at.weights)
        if len(output) == 1 and weights.get("weight", (0,))[0] == output[0] and at.macs:
            return at.name
        at = None if weights or len(at.inputs) != 1 else layers.get(at.inputs[0])
    raise UserError(
        f"{program.name} does not end in a layer that gives the classes ({show(output)} values), "
        "so their number cannot be set. Give the network itself another last layer"
    )


def _widen(layer: nn.Module, classes: int) -> None:
    """Give a layer so many outputs, with new weights, uniform within ±sqrt(1/fan_in)."""
    weight = layer.get_parameter("weight")
    bound = 1 / math.sqrt(max(1, weight[0].numel()))
    for name, old in list(layer.named_parameters(recurse=False)):
        new = torch.empty((classes, *old.shape[1:]), dtype=old.dtype, device=old.device)
        setattr(layer, name, nn.Parameter(new.uniform_(-bound, bound)))
    for name in ("out_features", "out_channels"):
        if hasattr(layer, name):
            setattr(layer, name, classes)
