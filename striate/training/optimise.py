"""The steps that change the weights, on float32 masters of bfloat16 weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from striate.graph import Graph
from striate.modules import Replay
from striate.training.rules import RULES, Weight
from striate.training.settings import Settings

MUON_SHARE = 0.5
"""A filter bank whose orthogonalisation costs more than this share of its work in a step goes to
AdamW: late layers of deep networks have many filters and few places to apply them."""

NEWTON_SCHULZ_STEPS = 3

LARGE_MATRIX = 1 << 17
"""Values from which on a matrix is multiplied in bfloat16; smaller ones gain nothing by it."""


class Optimizer:
    """Moves the weights of a network along their gradients; `step(share)` takes the rate's share.

    With `muon`, convolution filters step by their orthogonalised momentum (Jordan et al. 2024,
    "Muon: an optimizer for hidden layers"), everything else by AdamW. With any other, all weights
    step by that rule. Weights of one axis (biases, normalisation) are decayed with `decay_all`
    alone. Gradients together longer than `clip` are shortened to it (Pascanu et al. 2012, arXiv
    1211.5063, algorithm 1). With `ema` a running mean of the weights is kept, which is what is
    tested and saved (Polyak & Juditsky 1992); it follows faster in the first steps, as
    (1 + t)/(10 + t) has it.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: Settings,
        macs: Mapping[str, int] | None = None,
        heads: Collection[str] = (),
    ) -> None:
        """`macs` holds those of each convolution, by name, for a batch; without it all are few.

        Layers that are not among the `heads` learn at `body_rate` of the rates.
        """
        self.settings = settings
        self._network = network
        filters = _filters(network, macs) if settings.optimizer == "muon" else set()
        self.weights = [
            Weight(name, weight, weight.detach().float().clone())
            for name, weight in network.named_parameters()
            if weight.requires_grad
        ]
        self._filters = [weight for weight in self.weights if weight.live in filters]
        self._momentum = [torch.zeros_like(weight.master) for weight in self._filters]
        rule, lr = RULES[settings.optimizer], settings.lr
        if settings.optimizer == "muon":
            lr = settings.adam_lr
        groups: dict[tuple[float, float], list[Weight]] = {}
        for weight in self.weights:
            if weight.live not in filters:
                decays = settings.decay_all or weight.master.ndim > 1
                group = self._share(weight, heads), settings.weight_decay if decays else 0.0
                groups.setdefault(group, []).append(weight)
        self._rest = tuple(
            rule(weights, settings, share * lr, decay) for (share, decay), weights in groups.items()
        )
        self._shares = [self._share(weight, heads) for weight in self._filters]
        self._steps = torch.zeros((), dtype=torch.int64)
        self._averages = {name: each.clone() for name, each in self._now()} if settings.ema else {}

    @torch.no_grad()
    def step(self, share: float) -> None:
        """Change every weight by its gradient at `share` of the peak rate; forget the gradients."""
        if self.settings.clip:
            self._clip(self.settings.clip)
        muons = zip(self._filters, self._momentum, self._shares, strict=True)
        for weight, momentum, own in muons:
            self._muon(weight, momentum, share * own * self.settings.lr)
        for rule in self._rest:
            rule.step(share)
        for weight in self.weights:
            weight.live.copy_(weight.master)
        self.forget()
        if self._averages:
            self._average()

    def gradients(self) -> list[Tensor]:
        """Those that there are."""
        return [weight.live.grad for weight in self.weights if weight.live.grad is not None]

    def forget(self) -> None:
        """Forget the gradients."""
        for weight in self.weights:
            weight.live.grad = None

    def state(self) -> dict[str, Tensor]:
        """A copy of the state_dict to be kept, in float32 on the CPU: masters, or their means."""
        kept = self._averages or dict(self._now())
        everything = dict(self._network.named_parameters()) | dict(self._network.named_buffers())
        return {
            name: (tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().clone()
            for name, tensor in ((name, kept.get(name, live)) for name, live in everything.items())
        }

    @contextmanager
    def shown(self) -> Iterator[None]:
        """What is kept in place of what learns, for a look: the means with `ema`."""
        if not self._averages:
            yield
            return
        buffers = {name: each.clone() for name, each in self._network.named_buffers()}
        live = dict(self._network.named_parameters()) | dict(self._network.named_buffers())
        try:
            with torch.no_grad():
                for name, average in self._averages.items():
                    live[name].copy_(average)
            yield
        finally:
            with torch.no_grad():
                for weight in self.weights:
                    weight.live.copy_(weight.master)
                for name, buffer in buffers.items():
                    live[name].copy_(buffer)

    def memory(self) -> dict[str, Tensor]:
        """All that a step changes and the next one reads, by name: the tensors themselves."""
        found = {f"master.{weight.name}": weight.master for weight in self.weights}
        for weight, momentum in zip(self._filters, self._momentum, strict=True):
            found[f"momentum.{weight.name}"] = momentum
        for rule in self._rest:
            found |= rule.memory()
        found |= {f"average.{name}": each for name, each in self._averages.items()}
        return found | {"steps": self._steps}

    def _share(self, weight: Weight, heads: Collection[str]) -> float:
        """The share of the rates at which a weight learns."""
        layer = weight.name.rpartition(".")[0]
        return self.settings.body_rate if heads and layer not in heads else 1.0

    def _now(self) -> Iterator[tuple[str, Tensor]]:
        """The masters of the weights that learn, and the statistics of normalisation."""
        yield from ((weight.name, weight.master) for weight in self.weights)
        yield from self._network.named_buffers()

    def _average(self) -> None:
        self._steps += 1
        steps = int(self._steps)
        keep = min(self.settings.ema, (1 + steps) / (10 + steps))
        for name, tensor in self._now():
            if tensor.is_floating_point():
                self._averages[name].lerp_(tensor, 1 - keep)
            else:
                self._averages[name].copy_(tensor)

    def _clip(self, longest: float) -> None:
        if gradients := self.gradients():
            norms = torch.stack([each.float().norm() for each in gradients])
            torch._foreach_mul_(gradients, (longest / (norms.norm() + 1e-6)).clamp(max=1.0))

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
        weight
        for name, weight in _banks(network)
        if macs is None or orthogonalisation_macs(weight) <= MUON_SHARE * 3 * macs[name]
    }


def _banks(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The filters of dense convolutions, by the layers' names."""
    if isinstance(network, Replay):
        yield from network.filter_banks()
        return
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.groups == 1:
            yield name, module.get_parameter("weight")


def macs_of(graph: Graph, batch: int) -> dict[str, int]:
    """The multiply-accumulates of a batch's forward pass, by the layer whose weights they use."""
    macs: dict[str, int] = {}
    for node in graph:
        owner = node.weights or node.name
        products = batch * node.layer.macs(graph.shapes_into(node), node.output)
        macs[owner] = macs.get(owner, 0) + products
    return macs
