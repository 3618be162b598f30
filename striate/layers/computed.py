"""Torch modules for the kinds that torch has no layer for. Imported inside `module()` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.layers.base import Pair, Shape


class Computed(nn.Module):
    """A plain function of a layer's inputs and its weights, as a module.

    `function` is called with the inputs and then the weights, in the order of `weights`. The
    weights are parameters under their names, without values yet; they are used in the precision
    of the first input.
    """

    def __init__(
        self, function: Callable[..., Tensor], weights: Mapping[str, Shape] | None = None
    ) -> None:
        super().__init__()
        self.function = function
        for name, shape in (weights or {}).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape)))

    def forward(self, *inputs: Tensor) -> Tensor:
        weights = (weight.to(inputs[0].dtype) for weight in self.parameters(recurse=False))
        return self.function(*inputs, *weights)

    def extra_repr(self) -> str:
        shapes = (f"{name}={tuple(weight.shape)}" for name, weight in self.named_parameters())
        return ", ".join([str(getattr(self.function, "func", self.function).__name__), *shapes])


class UnevenConv2d(nn.Conv2d):
    """A convolution whose padding before and after an axis differs: an even filter with `same`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair,
        pads: tuple[Pair, Pair],
        dilation: Pair,
        groups: int,
        bias: bool,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, 0, dilation, groups, bias)
        self.pads = pads

    def forward(self, input: Tensor) -> Tensor:
        rows, columns = self.pads
        return super().forward(F.pad(input, (*columns, *rows)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, pads={self.pads}"


class GroupBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of features whose channels stand together, as one channel each."""

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            self.get_buffer("num_batches_tracked").add_(1)
        normalised = F.batch_norm(
            input.unflatten(1, (self.num_features, -1)).flatten(2, 3),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum or 0.0,
            self.eps,
        )
        return normalised.reshape(input.shape)
