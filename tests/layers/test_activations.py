"""Functions of each value, held to the formulas of their papers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from striate import build

FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": lambda x: x * (x > 0),
    "relu6": lambda x: x.clip(0, 6),
    "leakyrelu0.1": lambda x: torch.where(x > 0, x, 0.1 * x),
    "leakyrelu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "elu(alpha=0.5)": lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1)),
    "times0.17": lambda x: 0.17 * x,
    "times{-1}": lambda x: -x,
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x / (1 + (-x).exp()),
    "hardswish": lambda x: x * (x + 3).clip(0, 6) / 6,
    "mish": lambda x: x * (1 + x.exp()).log().tanh(),
    "tanh": lambda x: 1 - 2 / (1 + (2 * x).exp()),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "hardsigmoid": lambda x: (x + 3).clip(0, 6) / 6,
}


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("shape", [(1, 9, 13), (1, 117, 1)])
def test_it_computes_its_formula(text: str, shape: tuple[int, int, int]) -> None:
    image = torch.linspace(-8, 8, 117).double().reshape(1, *shape)
    network = build(f"input {'x'.join(map(str, shape))} -> {text}").double()
    torch.testing.assert_close(network(image), FORMULAS[text](image))


def test_the_mean_of_a_window_without_its_zeros() -> None:
    image = torch.ones(1, 1, 4, 4)
    assert build("input 1x4x4 -> avgpool3/1 p1 nozeros")(image).eq(1).all()
    assert build("input 1x4x4 -> avgpool3/1 p1")(image)[0, 0, 0, 0] == pytest.approx(4 / 9)
