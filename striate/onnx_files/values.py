"""ONNX's arithmetic, activations, normalisation and products in torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from striate.onnx_files.given import Given


def gemm(given: Given) -> Tensor:
    left, right = given.tensor(0), given.tensor(1)
    alpha, beta = given.setting("alpha", 1.0), given.setting("beta", 1.0)
    left = left.t() if given.setting("transA", 0) else left
    added = given.tensor(2) if given.has(2) else None
    if given.setting("transB", 0) and alpha == beta == 1.0 and (added is None or added.dim() == 1):
        return functional.linear(left, right, added)
    found = alpha * (left @ (right.t() if given.setting("transB", 0) else right))
    return found if added is None else found + beta * added


def batch_norm(given: Given) -> Tensor:
    """By the batch's own statistics in training; the file's are left as they are."""
    image, weight, bias, mean, variance = (given.tensor(place) for place in range(5))
    epsilon = given.setting("epsilon", 1e-5)
    if given.training:
        return functional.batch_norm(image, None, None, weight, bias, True, 0.0, epsilon)
    statistics = mean.detach(), variance.detach()
    return functional.batch_norm(image, *statistics, weight, bias, False, 0.0, epsilon)


def instance_norm(given: Given) -> Tensor:
    weight, bias, epsilon = given.tensor(1), given.tensor(2), given.setting("epsilon", 1e-5)
    return functional.instance_norm(given.tensor(0), None, None, weight, bias, True, 0.1, epsilon)


def layer_norm(given: Given) -> Tensor:
    image, axis = given.tensor(0), given.setting("axis", -1)
    shape = image.shape[axis:]
    bias = given.tensor(2) if given.has(2) else None
    epsilon = given.setting("epsilon", 1e-5)
    return functional.layer_norm(image, shape, given.tensor(1), bias, epsilon)


def group_norm(given: Given) -> Tensor:
    image, weight, bias = (given.tensor(place) for place in range(3))
    groups = given.setting("num_groups")
    if len(weight) == groups != image.shape[1]:  # before opset 21: one value for each group
        each = image.shape[1] // groups
        weight, bias = weight.repeat_interleave(each), bias.repeat_interleave(each)
    return functional.group_norm(image, groups, weight, bias, given.setting("epsilon", 1e-5))


def response_norm(given: Given) -> Tensor:
    alpha, beta = given.setting("alpha", 1e-4), given.setting("beta", 0.75)
    k = given.setting("bias", 1.0)
    return functional.local_response_norm(given.tensor(0), given.setting("size"), alpha, beta, k)


def clip(given: Given) -> Tensor:
    low, high = (
        (given.known(place)[0] if given.has(place) else given.setting(name))
        for place, name in ((1, "min"), (2, "max"))
    )
    if low == 0 and high is None:
        return functional.relu(given.tensor(0))
    if low == 0 and high is not None:
        return functional.hardtanh(given.tensor(0), 0.0, float(high))
    return given.tensor(0).clamp(low, high)


def hard_sigmoid(given: Given) -> Tensor:
    alpha, beta = given.setting("alpha", 0.2), given.setting("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-4) and beta == 0.5:
        return functional.hardsigmoid(given.tensor(0))
    return (given.tensor(0) * alpha + beta).clamp(0, 1)


def prelu(given: Given) -> Tensor:
    image, slope = given.tensor(0), given.tensor(1)
    if slope.numel() in (1, image.shape[1]):
        return functional.prelu(image, slope.reshape(-1))
    return torch.where(image >= 0, image, slope * image)


def softmax(given: Given) -> Tensor:
    return _along(given, functional.softmax)


def log_softmax(given: Given) -> Tensor:
    return _along(given, functional.log_softmax)


def _along(given: Given, rule: Callable[..., Tensor]) -> Tensor:
    """Before opset 13 all axes from `axis` on are one."""
    image = given.tensor(0)
    if given.opset >= 13:
        return rule(image, given.setting("axis", -1))
    axis = given.setting("axis", 1)
    if axis in (-1, image.dim() - 1):
        return rule(image, -1)
    return rule(image.flatten(axis), -1).view(image.shape)


def power(given: Given) -> Tensor:
    if given.has(1) and not isinstance(given.values[1], Tensor):
        numbers = given.known(1)
        if len(numbers) == 1:
            return given.tensor(0) ** numbers[0]
    return given.tensor(0) ** given.tensor(1)


def reduced(rule: str) -> Callable[[Given], Tensor]:
    """A sum, mean or maximum over some axes; over all of them where none are named."""

    def run(given: Given) -> Tensor:
        image = given.tensor(0)
        axes = given.setting_or_known("axes", 1)
        if not axes and given.setting("noop_with_empty_axes", 0):
            return image
        axes = list(axes) if axes else list(range(image.dim()))
        return REDUCTIONS[rule](image, axes, bool(given.setting("keepdims", 1)))

    return run


REDUCTIONS: dict[str, Callable[[Tensor, list[int], bool], Tensor]] = {
    "mean": lambda image, axes, keep: image.mean(axes, keep),
    "sum": lambda image, axes, keep: image.sum(axes, keep),
    "max": lambda image, axes, keep: image.amax(axes, keep),
    "min": lambda image, axes, keep: image.amin(axes, keep),
    "l1": lambda image, axes, keep: image.abs().sum(axes, keep),
    "l2": lambda image, axes, keep: torch.linalg.vector_norm(image, 2, axes, keep),
    "sum of squares": lambda image, axes, keep: image.square().sum(axes, keep),
    "log of sum": lambda image, axes, keep: image.logsumexp(axes, keep),
}


def pointwise(rule: Callable[[Tensor], Tensor]) -> Callable[[Given], Tensor]:
    """An operation on each value of one tensor."""
    return lambda given: rule(given.tensor(0))


def folded(rule: Callable[[Any, Any], Any]) -> Callable[[Given], Tensor]:
    """An operation on two tensors or more; single known numbers are taken as they are."""

    def run(given: Given) -> Tensor:
        found: Tensor = reduce(rule, [_operand(given, i) for i in range(len(given.values))])
        return found

    return run


def _operand(given: Given, place: int) -> Any:
    value = given.values[place]
    if not isinstance(value, Tensor) and value is not None and value.size == 1 and value.ndim < 2:
        return value.reshape(-1)[0].item()
    return given.tensor(place)


def extreme(rule: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Given], Tensor]:
    """The larger or the smaller of tensors, value by value."""
    return lambda given: reduce(rule, [given.tensor(i) for i in range(len(given.values))])
