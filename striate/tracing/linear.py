"""A network whose gradient reaches every pixel that its units read, and no other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from striate.errors import UserError

_LARGEST_POOLED = ("max_pool2d", "_max_pool2d", "max_pool2d_with_indices")
_STRAIGHTENED = frozenset(
    {
        *("relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "silu", "gelu", "sigmoid"),
        *("tanh", "elu", "celu", "selu", "leaky_relu", "rrelu", "mish", "softplus", "clamp"),
        *("clip", "clamp_min", "clamp_max", "batch_norm", "layer_norm", "group_norm"),
        *("instance_norm", "rms_norm", "logsigmoid", "hardshrink", "threshold"),
    }
)
"""Functions that give what they take."""


def positive(model: nn.Module) -> nn.Module:
    """A copy in float64 and in evaluation mode, whose weights are positive averages.

    Filters sum to 1 and biases are 0, so that positive images give positive volumes of their size:
    activations pass all gradients on, and no two cancel.
    """
    network = copy.deepcopy(model).to("cpu", torch.float64).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                values = 0.5 + torch.rand(weight.shape, generator=generator, dtype=weight.dtype)
                weight.copy_(values / values.flatten(1).sum(1).view(-1, *[1] * (weight.dim() - 1)))
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
    return network


class Linear(TorchFunctionMode):
    """Runs largest values as means, and activations and normalisation as the identity."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = getattr(func, "__name__", "")
        given = dict(kwargs or {})
        if "unpool" in name or given.get("return_indices"):
            raise UserError(
                "where max-unpooling puts a value depends on the pictures, so that gradients do "
                "not tell what its units may read"
            )
        if name in _LARGEST_POOLED:
            return _mean_pool(*args, **given)
        if name.rstrip("_") in _STRAIGHTENED:
            return args[0] if args else given["input"]
        if name in ("adaptive_max_pool2d", "adaptive_max_pool2d_with_indices"):
            return functional.adaptive_avg_pool2d(*args[:2])
        if name == "amax":
            return _mean(args[0], *args[1:], **given)
        return func(*args, **given)


def _mean(tensor: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The mean in place of the largest value."""
    return tensor.mean(dim, keepdim) if dim != () else tensor.mean()


def _mean_pool(
    image: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """The sum over the window of a pool, as a convolution of each channel with ones."""
    kernel, step, around, apart = (
        (each, each) if isinstance(each, int) else tuple(each)
        for each in (kernel_size, stride or kernel_size, padding, dilation)
    )
    channels = image.shape[1]
    ones = torch.ones(channels, 1, *kernel, dtype=image.dtype) / (kernel[0] * kernel[1])
    height, width = image.shape[2:]
    extra = [0, 0]
    if ceil_mode:
        for axis, size in enumerate((height, width)):
            room = size + 2 * around[axis] - apart[axis] * (kernel[axis] - 1) - 1
            count = room // step[axis] + 1
            if room % step[axis] and count * step[axis] < size + around[axis]:
                extra[axis] = step[axis] - room % step[axis]
    padded = functional.pad(
        image, (around[1], around[1] + extra[1], around[0], around[0] + extra[0])
    )
    return functional.conv2d(padded, ones, None, step, 0, apart, channels)
