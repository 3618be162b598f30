"""Networks that the notation has no words for, small."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised: Qiao et al. 2019, arXiv 1903.10520."""

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return functional.conv2d(input, weight, self.bias, self.stride, self.padding)


class Noisy(nn.Module):
    """Drops whole branches, writes into a part of a tensor, and keeps a constant of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Standardised(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.steps = torch.linspace(0, 1, 6).view(1, 6, 1, 1)
        self.head = nn.Linear(6, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.norm(self.first(image))
        y = self.second(functional.silu(x)) + self.steps
        if self.training:
            y = y / 0.5 * torch.bernoulli(torch.full((len(y), 1, 1, 1), 0.5))
        x = x + y
        x[:, :2].mul_(2)
        x = functional.normalize(x, dim=1)
        scores: Tensor = self.head(x.mean((2, 3)))
        return scores


class Sided(nn.Module):
    """Gives a side output in training, and lets its weights be used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 1)
        self.head, self.side = nn.Linear(8, 10), nn.Linear(8, 10)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = torch.cumsum(self.conv(image), 1).relu()
        x = self.again(self.again(x))
        main = self.head(x.amax((2, 3)))
        return (main, self.side(x.mean((2, 3)))) if self.training else main


NETWORKS: dict[str, type[nn.Module]] = {"noisy": Noisy, "sided": Sided}


@pytest.fixture(params=["attention", *NETWORKS])
def network(request: pytest.FixtureRequest, attention: nn.Module) -> nn.Module:
    """One of them, always with the same weights."""
    torch.manual_seed(0)
    return NETWORKS[request.param]() if request.param in NETWORKS else attention
