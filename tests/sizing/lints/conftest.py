"""What a text is told, and what torch says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from striate.graph import build_graph, load_graph
from striate.notation import parse
from striate.sizing.lints import Lint, lint

Told = Callable[..., list[Lint]]
Reach = Callable[..., Tensor]


@pytest.fixture
def told() -> Told:
    """The lints of one rule for a text or a network of the zoo."""

    def call(what: str, rule: str, **options: int) -> list[Lint]:
        return [each for each in lint(load_graph(what), **options) if each.rule == rule]

    return call


@pytest.fixture
def reach() -> Reach:
    """Which pixels have a gradient when units of the last layer are summed: by default one unit.

    Every layer runs as torch runs it, with positive weights and maxima replaced by means.
    """

    def call(text: str, unit: tuple[int, int] | None = None) -> Tensor:
        graph = build_graph(parse(text))
        image = torch.zeros(1, *graph.input, dtype=torch.float64, requires_grad=True)
        values = [image]
        for node in graph:
            inputs = [values[i + 1] for i in node.inputs]
            if node.kind == "concat":
                values.append(torch.cat(inputs, 1))
            elif node.kind == "add":
                values.append(sum(inputs[1:], inputs[0]))
            else:
                module = node.layer.module(graph.shapes_into(node)).double()
                if isinstance(module, torch.nn.MaxPool2d):
                    module = torch.nn.AvgPool2d(module.kernel_size, module.stride, module.padding)
                with torch.no_grad():
                    for parameter in module.parameters():
                        parameter.fill_(1.0)
                values.append(inputs[0] if node.layer.role == "activation" else module(*inputs))
        output = values[-1]
        chosen = output if unit is None else output[..., unit[0], unit[1]]
        chosen.sum().backward()
        assert image.grad is not None
        return image.grad[0, 0] != 0

    return call
