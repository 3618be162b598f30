"""Arithmetic on what is known without an image, such as the shapes that graphs reshape to."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from torch import Tensor

from striate.onnx_files.given import Given, Known

DTYPES: dict[int, Any] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
"""By the number that ONNX gives each type."""


def shape(given: Given) -> Known:
    """A tensor's shape is known, whatever its values are."""
    value = given.values[0]
    assert value is not None
    sizes = [int(size) for size in value.shape]
    return np.array(sizes[given.setting("start", 0) : given.setting("end")], dtype=np.int64)


def filled(given: Given) -> Known:
    value = given.setting("value", np.zeros(1, dtype=np.float32))
    return np.full(given.known(0), value.reshape(-1)[0], dtype=value.dtype)


def _slice(given: Given) -> Known:
    value = _first(given)
    starts, ends = (given.setting_or_known(n, i) for n, i in (("starts", 1), ("ends", 2)))
    axes = given.setting_or_known("axes", 3, list(range(len(starts))))
    steps = given.known(4) if given.has(4) else [1] * len(starts)
    index = [slice(None)] * value.ndim
    for axis, *limits in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(*limits)
    return value[tuple(index)]


def _squeeze(given: Given) -> Known:
    axes = given.setting_or_known("axes", 1)
    return np.squeeze(_first(given), tuple(axes) if axes is not None else None)


def _unsqueeze(given: Given) -> Known:
    return np.expand_dims(_first(given), tuple(given.setting_or_known("axes", 1)))


def _gather(given: Given) -> Known:
    value, places = _numbers(given)
    return np.take(value, places.astype(np.int64), axis=given.setting("axis", 0))


def _concat(given: Given) -> Known:
    return np.concatenate([np.atleast_1d(each) for each in _numbers(given)], given.setting("axis"))


def _cast(given: Given) -> Known:
    return _first(given).astype(DTYPES.get(given.setting("to"), np.float32))


def _div(given: Given) -> Known:
    top, bottom = _numbers(given)
    if top.dtype.kind in "iu":
        return np.trunc(top / bottom).astype(top.dtype)
    return np.asarray(top / bottom)


def _scatter(given: Given) -> Known:
    value, places, updates = _numbers(given)
    found = value.copy()
    found[tuple(np.moveaxis(places, -1, 0))] = updates
    return found


def _reduced(rule: Callable[..., Any]) -> Callable[[Given], Known]:
    def run(given: Given) -> Known:
        axes = given.setting_or_known("axes", 1)
        keep = bool(given.setting("keepdims", 1))
        found = rule(_first(given), axis=tuple(axes) if axes else None, keepdims=keep)
        return np.asarray(found)

    return run


def _folded(rule: Callable[..., Any]) -> Callable[[Given], Known]:
    return lambda given: np.asarray(reduce(rule, _numbers(given)))


def _first(given: Given) -> Known:
    return _numbers(given)[0]


def _numbers(given: Given) -> list[Known]:
    return [each for each in given.values if each is not None and not isinstance(each, Tensor)]


KNOWN: dict[str, Callable[[Given], Known]] = {
    "Add": _folded(np.add),
    "Cast": _cast,
    "Ceil": _folded(np.ceil),
    "Concat": _concat,
    "Div": _div,
    "Equal": _folded(np.equal),
    "Expand": lambda given: np.broadcast_to(_first(given), given.known(1)),
    "Floor": _folded(np.floor),
    "Gather": _gather,
    "Greater": _folded(np.greater),
    "Identity": _first,
    "Less": _folded(np.less),
    "Max": _folded(np.maximum),
    "Min": _folded(np.minimum),
    "Mod": _folded(np.mod),
    "Mul": _folded(np.multiply),
    "Neg": lambda given: -_first(given),
    "Not": lambda given: ~_first(given),
    "Pow": _folded(np.power),
    "Range": lambda given: np.arange(*(each.reshape(-1)[0] for each in _numbers(given))),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "Reshape": lambda given: _first(given).reshape(given.known(1)),
    "ScatterND": _scatter,
    "Slice": _slice,
    "Sqrt": lambda given: np.sqrt(_first(given)),
    "Squeeze": _squeeze,
    "Sub": _folded(np.subtract),
    "Transpose": lambda given: np.transpose(_first(given), given.setting("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": lambda given: np.where(*_numbers(given)),
}
"""Operations on known numbers alone."""
