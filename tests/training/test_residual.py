"""Residual blocks that begin as their shortcuts."""

from __future__ import annotations

import pytest
import torch

from striate.graph import load_graph
from striate.modules import build
from striate.training.residual import last_norms, zero_last_gammas

PLAIN = "(conv3-8 nobias -> bn -> relu -> conv3-8 nobias -> bn + id)"
WIDER = "(conv3-8/2 nobias -> bn -> relu -> conv3-8 nobias -> bn + conv1-8/2 nobias -> bn)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{PLAIN} -> relu", ["bn2"]),
        (f"{WIDER} -> relu", ["bn2"]),
        ("(conv1-8 nobias -> bn + conv3-8 -> relu -> conv3-8 -> bn -> droppath0.1)", ["bn2"]),
        ("(conv3-8 -> relu -> conv3-8 + id)", []),
        ("(conv3-8 -> bn -> relu + id)", []),
        ("(conv3-8 -> bn | id)", []),
        (f"[{PLAIN}]*2", ["bn2", "bn4"]),
    ],
)
def test_the_last_normalisation_of_each_branch(text: str, found: list[str]) -> None:
    names = last_norms(load_graph(f"input 8x8x8 -> {text}"))
    assert [name.rpartition(".")[2] for name in names] == found


def test_every_block_of_resnet18_has_one() -> None:
    assert len(last_norms(load_graph("resnet18"))) == 8
    assert len(last_norms(load_graph("resnet50"))) == 16


def test_a_block_begins_as_its_shortcut() -> None:
    network = build(f"input 8x8x8 -> {PLAIN} -> {PLAIN}", seed=0).train()
    image = torch.randn(4, 8, 8, 8)
    assert not torch.equal(network(image), image)
    zero_last_gammas(network)
    assert torch.equal(network(image), image)
