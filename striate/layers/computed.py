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


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation of N×C×H×W over the channels of each position."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ChannelScale(nn.Module):
    """N×C×H×W or N×C times one learned factor for each channel."""

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.constant_(self.weight, self.start)

    def forward(self, input: Tensor) -> Tensor:
        weight = self.weight.to(input.dtype)
        return input * weight.reshape(-1, *(1,) * (input.dim() - 2))

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, start={self.start:g}"


class GroupConv2d(nn.Conv2d):
    """A convolution with each stored filter in all its turns; `out_channels` counts the filters."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        bias: bool,
        order: int,
        turns: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 1, bias)
        self.order = order
        self.turns = turns
        """From O stored filters O×C×k×k to (O·order)×C×k×k, the turns of one side by side."""

    def forward(self, input: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.repeat_interleave(self.order)
        return self._conv_forward(input, self.turns(self.weight), bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, order={self.order}"


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
