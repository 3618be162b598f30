"""Layers that stay as they are while others learn."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from striate.modules import Network


def freeze_body(network: Network, heads: Collection[str]) -> None:
    """Let all but these layers stay as they are."""
    for name, weight in network.named_parameters():
        if name.rpartition(".")[0] not in heads:
            weight.requires_grad_(False)


def learning(network: Network) -> None:
    """In training mode, but for frozen normalisation: that takes the statistics that it has."""
    network.train()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        norm = isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        if norm and own and not any(weight.requires_grad for weight in own):
            module.eval()
