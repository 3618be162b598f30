"""fvcore's flops: MACs of the operations that it has handles for, and some more."""

from __future__ import annotations

from striate.layers import product
from striate.sizing.conventions.use import Convention, Count, Use, same

_COUNTED = frozenset({"convolution", "mm", "addmm", "bmm", "linear"})
"""Operations whose MACs its handles count."""
_NORMS = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm"})
_RECURRENT = frozenset({"rnn_tanh", "rnn_relu", "gru", "lstm"})
_RESIZED = {"nearest": 1, "bilinear": 4}


def _of_function(use: Use) -> Count:
    """What is counted beside MACs is as in evaluation; 5 and 4 are estimates of the tool itself."""
    values = product(use.inputs[0]) if use.inputs else 0
    affine = bool(use.settings.get("affine"))
    if use.name == "batch_norm" and not use.settings.get("own_statistics"):
        return same(values * (2 if affine else 1))
    if use.name in _NORMS:
        return same(values * (5 if affine else 4))
    if use.name == "adaptive_avg_pool2d":
        return same(values)
    if use.name == "grid_sample" and len(use.output) == 4:
        return same(4 * product(use.output))
    if use.name == "interpolate" and len(use.output) == 4:
        return same(_RESIZED.get(str(use.settings.get("mode")), 0) * product(use.output))
    if use.name in _RECURRENT:
        return Count(use.macs, 0, "has no handle for recurrent layers")
    printed = sum(each.macs for each in use.products if each.operation in _COUNTED)
    missed = {each.operation for each in use.products} - _COUNTED
    return Count(use.macs, printed, f"has no handle for {_told(missed)}")


def _told(operations: set[str]) -> str:
    names = {"fused attention" if "scaled_dot" in name else name for name in operations}
    return " and ".join(sorted(names))


FVCORE = Convention("fvcore", "0.1.5", "flops", of_function=_of_function)
