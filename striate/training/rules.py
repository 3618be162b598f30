"""Rules by which weights step along their gradients: SGD, RMSProp, AdamW, LAMB.

Each takes a group of weights with its peak rate and its decay, changes the float32 masters in
`step(share)` at a share of that rate, and tells in `memory()` all that it keeps from step to step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from striate.training.settings import Settings


@dataclass
class Weight:
    """One weight of the network, and the float32 tensor that the optimizer keeps for it."""

    name: str
    live: nn.Parameter
    master: Tensor


class Rule(Protocol):
    """What every rule does."""

    def __init__(
        self, weights: list[Weight], settings: Settings, lr: float, decay: float
    ) -> None: ...

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name: the tensors themselves."""


class SGD:
    """Stochastic gradient descent with momentum, Nesterov's (Sutskever et al. 2013) or plain.

    The decay is added to the gradient.
    """

    def __init__(self, weights: list[Weight], settings: Settings, lr: float, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, lr, decay
        self.momentum, self.nesterov = settings.momentum, settings.nesterov
        moving = weights if self.momentum else []  # the kernel takes none without momentum
        self._buffers = [torch.zeros_like(weight.master) for weight in moving]
        self._masters = [_flat(weight.master) for weight in weights]
        self._flat_buffers = [_flat(each) for each in self._buffers]

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        return _named(self.weights if self._buffers else [], {"momentum": self._buffers})

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        torch._fused_sgd_(
            self._masters,
            [_flat(each) for each in _gradients(self.weights)],
            self._flat_buffers,
            weight_decay=self.decay,
            momentum=self.momentum,
            lr=share * self.lr,
            dampening=0.0,
            nesterov=self.nesterov and self.momentum > 0,
            maximize=False,
            is_first_step=False,
        )


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017), in torch's fused kernel.

    The kernel is called as it is: making a `torch.optim` optimizer imports torch's compiler, which
    takes more than a second.
    """

    BETAS = (0.9, 0.98)
    EPS = 1e-8

    def __init__(self, weights: list[Weight], settings: Settings, lr: float, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, lr, decay
        self._means = [torch.zeros_like(weight.master) for weight in weights]
        self._squares = [torch.zeros_like(weight.master) for weight in weights]
        self._steps = [torch.zeros((), device=weight.master.device) for weight in weights]
        self._masters, self._flat_means, self._flat_squares = (
            [_flat(each) for each in kept]
            for kept in ([weight.master for weight in weights], self._means, self._squares)
        )

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        kept = {"mean": self._means, "square": self._squares, "steps": self._steps}
        return _named(self.weights, kept)

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        torch._foreach_add_(self._steps, 1)
        torch._fused_adamw_(
            self._masters,
            [_flat(each) for each in _gradients(self.weights)],
            self._flat_means,
            self._flat_squares,
            [],
            self._steps,
            lr=share * self.lr,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            weight_decay=self.decay,
            eps=self.EPS,
            amsgrad=False,
            maximize=False,
        )


class RMSProp:
    """RMSProp as TensorFlow has it, which the recipes of Inception and MobileNet were made with.

    `square = smoothing·square + (1 − smoothing)·g²`, from 1 on; `momentum·move + rate·g/√(square +
    eps)` is the next move. (torch adds eps behind the root, begins with 0 and multiplies the whole
    move with the rate: at an eps of 1 that is another optimizer.) The decay is added to the
    gradient.
    """

    def __init__(self, weights: list[Weight], settings: Settings, lr: float, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, lr, decay
        self.momentum, self.smoothing = settings.momentum, settings.smoothing
        self.eps = settings.eps
        self._squares = [torch.ones_like(weight.master) for weight in weights]
        self._moves = [torch.zeros_like(weight.master) for weight in weights]

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        return _named(self.weights, {"square": self._squares, "move": self._moves})

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        masters, gradients = [weight.master for weight in self.weights], _gradients(self.weights)
        if self.decay:
            torch._foreach_add_(gradients, masters, alpha=self.decay)
        torch._foreach_mul_(self._squares, self.smoothing)
        torch._foreach_addcmul_(self._squares, gradients, gradients, 1 - self.smoothing)
        roots = torch._foreach_sqrt(torch._foreach_add(self._squares, self.eps))
        torch._foreach_mul_(self._moves, self.momentum)
        torch._foreach_addcdiv_(self._moves, gradients, roots, share * self.lr)
        torch._foreach_sub_(masters, self._moves)


class LAMB:
    """Adam's step, as long as its layer's weights are: for large batches.

    You et al. 2019, arXiv 1904.00962, algorithm 2, with φ the identity; of weights or a step
    without length the step stays as it is.
    """

    BETAS = (0.9, 0.999)
    EPS = 1e-6

    def __init__(self, weights: list[Weight], settings: Settings, lr: float, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, lr, decay
        self._means = [torch.zeros_like(weight.master) for weight in weights]
        self._squares = [torch.zeros_like(weight.master) for weight in weights]
        self._steps = torch.zeros((), dtype=torch.int64)

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        kept = _named(self.weights, {"mean": self._means, "square": self._squares})
        return kept | {f"lamb.{self.weights[0].name}": self._steps}

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        self._steps += 1
        first, second = (1 - beta ** int(self._steps) for beta in self.BETAS)
        masters, gradients = [weight.master for weight in self.weights], _gradients(self.weights)
        torch._foreach_lerp_(self._means, gradients, 1 - self.BETAS[0])
        torch._foreach_mul_(self._squares, self.BETAS[1])
        torch._foreach_addcmul_(self._squares, gradients, gradients, 1 - self.BETAS[1])
        roots = torch._foreach_sqrt(torch._foreach_div(self._squares, second))
        torch._foreach_add_(roots, self.EPS)
        steps = torch._foreach_div(torch._foreach_div(self._means, first), roots)
        if self.decay:
            torch._foreach_add_(steps, masters, alpha=self.decay)
        for master, step in zip(masters, steps, strict=True):
            length, stride = master.norm(), step.norm()
            trust = torch.where((length > 0) & (stride > 0), length / stride, 1.0)
            master.sub_(step.mul_(trust), alpha=share * self.lr)


RULES: Mapping[str, type[Rule]] = {
    "muon": AdamW,
    "sgd": SGD,
    "rmsprop": RMSProp,
    "adamw": AdamW,
    "lamb": LAMB,
}
"""The rule of each optimizer; of Muon that of the weights that it leaves."""


def _named(weights: list[Weight], kept: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    return {
        f"{kind}.{weight.name}": tensor
        for kind, tensors in kept.items()
        for weight, tensor in zip(weights, tensors, strict=True)
    }


def _gradients(weights: list[Weight]) -> list[Tensor]:
    """Gradients in float32, laid out as the masters; zeros where the loss reaches no weight."""
    return [_gradient(weight) for weight in weights]


def _gradient(weight: Weight) -> Tensor:
    found = weight.live.grad
    if found is None:
        return torch.zeros_like(weight.master)
    if found.stride() == weight.master.stride():
        return found.float()
    return torch.empty_like(weight.master).copy_(found)


def _flat(tensor: Tensor) -> Tensor:
    """The same values in the order in which they lie.

    The fused kernels go through memory, and would copy what is not contiguous.
    """
    return tensor.as_strided((tensor.numel(),), (1,))
