"""A whole training step without memory or computation: forward, loss, backward, optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from striate.errors import UserError
from striate.layers import Shape
from striate.modules.network import Network
from striate.sizing.memory import KINDS, StepSettings
from striate.tracing.copying import without_memory
from striate.tracing.passes import autocast, pictures
from striate.tracing.record import tensors
from striate.tracing.storages import Storages, Watching

Loss = Callable[[Any], Tensor]
"""From what a network gives to one number."""


@dataclass
class Moment:
    """One operation of a step."""

    phase: str
    operation: str
    place: int
    """Forward: how many operations were before it. Backward: the place of the operation whose
    gradient it computes, or −1 where that is not known."""
    live: tuple[int, ...] = ()


@dataclass
class Step:
    """What was alive at each moment of a step, and what a step needs beside its activations."""

    moments: list[Moment] = field(default_factory=list)
    image: int = 0
    buffers: int = 0
    optimizer: dict[str, int] = field(default_factory=dict)
    """Bytes of the optimizer's state, by the name of the weight."""


def take_step(
    model: nn.Module, image: Shape, batch: int, settings: StepSettings, loss: Loss | None = None
) -> Step:
    """Follow a training step of a copy of a network, its second one: the optimizer has its state.

    Without `loss` it is the cross-entropy of every output against a class for each of its places,
    summed. Raises what the network raises.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    network = without_memory(model, fake, channels_last=settings.channels_last).train()
    with fake:
        images = pictures(batch, image, settings)
        return follow(network, images, settings, loss, fake)


def follow(
    network: nn.Module,
    images: Tensor,
    settings: StepSettings,
    loss: Loss | None = None,
    mode: AbstractContextManager[Any] | None = None,
) -> Step:
    """Follow a step of a network itself, with memory or without, whose weights are moved by it."""
    found, storages = Step(image=images.untyped_storage().nbytes()), Storages()
    _wrap(network, settings.checkpoint)
    weights = {name: p for name, p in network.named_parameters() if p.requires_grad}
    for weight in network.parameters():
        storages.add(weight, "parameters")
    for buffer in network.buffers():
        storages.add(buffer, "parameters")
        found.buffers += buffer.untyped_storage().nbytes()
    storages.add(images, "image")
    rule = Rule(settings.optimizer, list(weights.values()))
    for name, state in zip(weights, rule.states, strict=True):
        found.optimizer[name] = sum(each.nbytes for each in state)
        for each in state:
            storages.add(each, "optimizer")
    teller = _Teller(found)
    own = {each.untyped_storage()._cdata for each in (*network.parameters(), *network.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in own:
            storages.add(tensor, "saved")
        return tensor

    run = network.outputs if isinstance(network, Network) else network
    with ExitStack() as stack:
        if mode is not None:
            stack.enter_context(mode)
        stack.enter_context(Watching(storages, teller))
        saving = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with saving, autocast(settings):
            given = run(images)
            value = loss_of(given, storages) if loss is None else loss(given)
        teller.phase = "backward"
        value.backward()
        for weight in weights.values():
            if weight.grad is not None:
                storages.add(weight.grad, "gradients")
        teller.phase = "optimizer"
        rule.step()
    for moment, live in zip(found.moments, storages.live_at(KINDS), strict=True):
        moment.live = live
    return found


class _Teller:
    """Writes down each operation with the place in the forward pass that it belongs to."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.phase = "forward"
        self.places: dict[int, int] = {}
        self.done = 0

    def __call__(self, operation: str) -> None:
        node = torch._C._current_autograd_node()
        if self.phase == "forward":
            place = self.done
            # An operation's node in the graph of gradients is made before it runs, and numbered;
            # those that follow and have none see the same number.
            self.places.setdefault(torch._C._autograd._get_sequence_nr() - 1, place)
            self.done += 1
        else:
            number = -1 if node is None else node._sequence_nr()
            place = self.places.get(number, -1)
        self.step.moments.append(Moment(self.phase, operation, place))


class Rule:
    """What torch's optimizers do, in the same operations one weight after the other.

    `torch.optim` reads the number of steps as a value, which a step without values has not.
    """

    def __init__(self, name: str, weights: Sequence[Tensor]) -> None:
        self.name = name
        self.weights = weights
        count = {"sgd": 0, "momentum": 1, "adam": 2}[name]
        self.states = [
            [
                *(torch.zeros_like(weight, requires_grad=False) for _ in range(count)),
                *([torch.zeros(())] if name == "adam" else []),
            ]
            for weight in weights
        ]

    @torch.no_grad()
    def step(self) -> None:
        """One step of every weight that has a gradient."""
        for weight, state in zip(self.weights, self.states, strict=True):
            gradient = weight.grad
            if gradient is None:
                continue
            if self.name == "adam":
                mean, square, _ = state
                mean.lerp_(gradient, 0.1)
                square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
                spread = (square.sqrt() / math.sqrt(0.5)).add_(1e-8)
                weight.addcdiv_(mean, spread, value=-1e-3)
                continue
            if self.name == "momentum":
                (momentum,) = state
                gradient = momentum.mul_(0.9).add_(gradient)
            weight.add_(gradient, alpha=-1e-3)


def loss_of(given: Any, storages: Storages | None = None) -> Tensor:
    """The cross-entropy of every output N×K×… against a class for each place; else its mean."""
    parts = []
    for each in tensors(given):
        if not (each.requires_grad and each.is_floating_point()):
            continue
        if each.dim() < 2 or each.shape[1] < 2:
            parts.append(each.float().mean())
            continue
        places = (each.shape[0], *each.shape[2:])
        answers = torch.zeros(places, dtype=torch.long, device=each.device)
        if storages is not None:
            storages.add(answers, "image")
        parts.append(functional.cross_entropy(each, answers))
    if not parts:
        raise UserError("nothing that the network gives depends on weights that learn")
    return sum(parts[1:], parts[0])


def _wrap(network: nn.Module, patterns: Sequence[str]) -> None:
    """Let the modules that match do their forward pass again in the backward pass."""
    chosen: list[str] = []
    for pattern in patterns:
        matching = list(_matching(network, pattern))
        if not matching:
            some = ", ".join(name for name, _ in list(network.named_modules())[1:6])
            raise UserError(
                f"checkpoint: no module is named {pattern}. The network has {some or 'none'}, …"
            )
        chosen += matching
    for name in dict.fromkeys(chosen):
        if any(name.startswith(f"{other}.") for other in chosen):
            continue  # inside one that is done again whole
        module = network.get_submodule(name)
        module.forward = partial(
            checkpoint, module.forward, use_reentrant=False, preserve_rng_state=False
        )


def _matching(network: nn.Module, pattern: str) -> Iterator[str]:
    for name, _ in network.named_modules():
        if name and fnmatch(name, pattern) and name.count(".") == pattern.count("."):
            yield name
