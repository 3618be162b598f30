"""The steps that change the weights: Muon, AdamW, SGD, on float32 masters of bfloat16 weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from striate.training.settings import Settings

MUON_SHARE = 0.5
"""A filter bank whose orthogonalisation costs more than this share of its work in a step goes to
AdamW: late layers of deep networks have many filters and few places to apply them."""

NEWTON_SCHULZ_STEPS = 3

LARGE_MATRIX = 1 << 17
"""Values from which on a matrix is multiplied in bfloat16; smaller ones gain nothing by it."""


@dataclass
class Weight:
    """One weight of the network, and the float32 tensor that the optimizer keeps for it."""

    name: str
    live: nn.Parameter
    master: Tensor


class Optimizer:
    """Moves the weights of a network along their gradients; `step(share)` takes the rate's share.

    With `muon`, convolution filters step by their orthogonalised momentum (Jordan et al. 2024,
    "Muon: an optimizer for hidden layers"), everything else by AdamW (Loshchilov & Hutter 2017).
    With `sgd`, all weights step by Nesterov momentum (Sutskever et al. 2013).
    """

    def __init__(
        self, network: nn.Module, settings: Settings, macs: Mapping[str, int] | None = None
    ) -> None:
        """`macs` holds those of each convolution, by name, for a batch; without it all are few."""
        self.settings = settings
        self._network = network
        filters = _filters(network, macs) if settings.optimizer == "muon" else set()
        weights = [
            Weight(name, weight, weight.detach().float().clone())
            for name, weight in network.named_parameters()
            if weight.requires_grad
        ]
        self.weights = weights
        self._filters = [weight for weight in weights if weight.live in filters]
        self._momentum = [torch.zeros_like(weight.master) for weight in self._filters]
        self._others = [weight for weight in weights if weight.live not in filters]
        rule = AdamW if settings.optimizer == "muon" else SGD
        decayed = [weight for weight in self._others if weight.master.ndim > 1]
        plain = [weight for weight in self._others if weight.master.ndim <= 1]
        self._rest = (rule(decayed, settings, settings.weight_decay), rule(plain, settings, 0.0))

    @torch.no_grad()
    def step(self, share: float) -> None:
        """Change every weight by its gradient at `share` of the peak rate; forget the gradients."""
        for weight, momentum in zip(self._filters, self._momentum, strict=True):
            self._muon(weight, momentum, share * self.settings.lr)
        for rule in self._rest:
            rule.step(share)
        for weight in self.weights:
            weight.live.copy_(weight.master)
        self.forget()

    def forget(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.live.grad = None

    def state(self) -> dict[str, Tensor]:
        """A copy of the network's state_dict in float32 on the CPU: the masters of its weights."""
        masters = {id(weight.live): weight.master for weight in self.weights}
        live = dict(self._network.named_parameters()) | dict(self._network.named_buffers())
        kept = {name: masters.get(id(tensor), tensor.detach()) for name, tensor in live.items()}
        return {
            name: (tensor.float() if tensor.is_floating_point() else tensor).cpu().clone()
            for name, tensor in kept.items()
        }

    def memory(self) -> dict[str, Tensor]:
        """All that a step changes and the next one reads, by name: the tensors themselves."""
        found = {f"master.{weight.name}": weight.master for weight in self.weights}
        for weight, momentum in zip(self._filters, self._momentum, strict=True):
            found[f"momentum.{weight.name}"] = momentum
        for rule in self._rest:
            found |= rule.memory()
        return found

    def _muon(self, weight: Weight, momentum: Tensor, rate: float) -> None:
        if weight.live.grad is None:
            return
        gradient = weight.live.grad.float()
        momentum.mul_(self.settings.momentum).add_(gradient)
        ahead = gradient.add_(momentum, alpha=self.settings.momentum)
        rows = ahead.flatten(1)
        tall = max(1.0, rows.shape[0] / rows.shape[1]) ** 0.5
        if self.settings.weight_decay:
            weight.master.mul_(1 - rate * self.settings.weight_decay)
        weight.master.add_(orthogonal(rows).view_as(ahead), alpha=-rate * tall)


class AdamW:
    """Adam with decoupled weight decay, over a group of weights, in torch's fused kernel.

    The kernel is called as it is: making a `torch.optim` optimizer imports torch's compiler, which
    takes more than a second.
    """

    BETAS = (0.9, 0.98)
    EPS = 1e-8

    def __init__(self, weights: list[Weight], settings: Settings, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, settings.adam_lr, decay
        self._means = [torch.zeros_like(weight.master) for weight in weights]
        self._squares = [torch.zeros_like(weight.master) for weight in weights]
        self._steps = [torch.zeros((), device=weight.master.device) for weight in weights]

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        kept = {"mean": self._means, "square": self._squares, "steps": self._steps}
        return {
            f"{kind}.{weight.name}": tensor
            for kind, tensors in kept.items()
            for weight, tensor in zip(self.weights, tensors, strict=True)
        }

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        if not self.weights:
            return
        torch._foreach_add_(self._steps, 1)
        torch._fused_adamw_(
            [weight.master for weight in self.weights],
            _gradients(self.weights),
            self._means,
            self._squares,
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


class SGD:
    """Stochastic gradient descent with Nesterov momentum, over a group of weights."""

    def __init__(self, weights: list[Weight], settings: Settings, decay: float) -> None:
        self.weights, self.lr, self.decay = weights, settings.lr, decay
        self.momentum = settings.momentum
        moving = weights if self.momentum else []  # the kernel takes none without momentum
        self._buffers = [torch.zeros_like(weight.master) for weight in moving]

    def memory(self) -> dict[str, Tensor]:
        """What it keeps from step to step, by name."""
        moving = self.weights if self._buffers else []
        return {
            f"momentum.{weight.name}": buffer
            for weight, buffer in zip(moving, self._buffers, strict=True)
        }

    def step(self, share: float) -> None:
        """One step at `share` of the peak rate."""
        if not self.weights:
            return
        torch._fused_sgd_(
            [weight.master for weight in self.weights],
            _gradients(self.weights),
            self._buffers,
            weight_decay=self.decay,
            momentum=self.momentum,
            lr=share * self.lr,
            dampening=0.0,
            nesterov=self.momentum > 0,
            maximize=False,
            is_first_step=False,
        )


def _gradients(weights: list[Weight]) -> list[Tensor]:
    """Gradients in float32; zeros where the loss does not depend on a weight."""
    return [
        torch.zeros_like(weight.master) if weight.live.grad is None else weight.live.grad.float()
        for weight in weights
    ]


def orthogonal(matrix: Tensor, steps: int = NEWTON_SCHULZ_STEPS) -> Tensor:
    """Nearly the closest matrix with orthonormal rows or columns: singular values go towards 1.

    A quintic Newton–Schulz iteration with the coefficients of Muon's reference, which bring
    singular values near 1 in few steps without converging to it. Each step multiplies by a
    polynomial of the Gram matrix X·Xᵀ, so all steps are done on that small square matrix, and X
    meets their product once. Input and output R×C float32; the products with a large X are taken
    in bfloat16.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    if x.numel() > LARGE_MATRIX:
        x = x.bfloat16()
    gram = (x @ x.T).float()
    squares = gram.trace() + 1e-14
    gram /= squares
    factor = product = _newton_schulz(gram)
    for _ in range(steps - 1):
        gram = factor @ gram @ factor
        factor = _newton_schulz(gram)
        product = factor @ product
    result = ((product * squares.rsqrt()).to(x.dtype) @ x).to(matrix.dtype)
    return result.T if tall else result


def _newton_schulz(gram: Tensor) -> Tensor:
    """What one step multiplies a matrix by, from its Gram matrix."""
    factor = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
    factor.diagonal().add_(3.4445)
    return factor


def orthogonalisation_macs(weight: Tensor) -> int:
    """Products in one `orthogonal` of a filter bank, seen as a matrix."""
    short, long = sorted((weight.shape[0], weight[0].numel()))
    return 2 * short**2 * long + (4 * NEWTON_SCHULZ_STEPS - 3) * short**3


def _filters(network: nn.Module, macs: Mapping[str, int] | None) -> set[nn.Parameter]:
    """The filter banks to which Muon applies: those of dense convolutions, where it is cheap.

    A step takes three times the products of the forward pass: for it and both gradients.
    """
    return {
        module.get_parameter("weight")
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
        and module.groups == 1
        and (macs is None or orthogonalisation_macs(module.weight) <= MUON_SHARE * 3 * macs[name])
    }
