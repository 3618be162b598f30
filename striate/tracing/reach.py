"""What the units of each of torch's operations read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from striate.layers import Shape
from striate.tracing import mixing, moving, sliding
from striate.tracing.fields import Sight, UnknownReachError, everything, together
from striate.tracing.record import Operation, first

Rule = Callable[[Operation, list[Sight], Shape], Sight]
"""The operation, what the tensors that it reads see, in their order, and the image C×H×W."""

OperandRule = Callable[[Operation, list[Sight | None], Shape], Sight]
"""The same with None for operands of weights alone."""


def seen(operation: Operation, sources: Mapping[int, Sight], image: Shape) -> Sight:
    """What the units of an operation's results see; `sources` are those of the tensors it reads.

    They are told by the tensors' `id`. Raises UnknownReachError for an operation that is not known.
    """
    found = list(sources.values())
    rank = first(operation.result).dim()
    if all(source.whole for source in found):
        return everything(found, image, rank)
    name = operation.name.rstrip("_")
    if torch.Tag.pointwise in operation.function.tags or name in _UNIT_BY_UNIT:
        if any(source.whole for source in found):
            return everything([each for each in found if each.whole], image, rank)
        return together(found, rank, image)
    if name in _OPERANDS:
        rule, begin, count = _OPERANDS[name]
        operands = operation.arguments[begin : begin + count]
        return rule(operation, [sources.get(id(each)) for each in operands], image)
    if name not in _RULES:
        raise UnknownReachError
    return _RULES[name](operation, found, image)


_UNIT_BY_UNIT = frozenset(
    {
        *("clone", "detach", "alias", "_to_copy", "lift_fresh", "native_dropout", "bernoulli"),
        *("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
        *("_batch_norm_with_update", "_batch_norm_no_update", "batch_norm_update_stats"),
        *("native_layer_norm", "native_group_norm", "copy", "hardtanh", "hardswish", "relu"),
        *("hardsigmoid", "leaky_relu", "elu", "mish", "silu", "gelu", "_prelu_kernel", "glu"),
        *("softplus", "rrelu_with_noise", "contiguous", "celu", "threshold", "log_sigmoid_forward"),
        *("_fused_rms_norm", "where", "masked_fill", "channel_shuffle"),
    }
)
_OPERANDS: dict[str, tuple[OperandRule, int, int]] = {
    **dict.fromkeys(("mm", "bmm"), (mixing.product, 0, 2)),
    **dict.fromkeys(("addmm", "baddbmm"), (mixing.product, 1, 2)),
    "_scaled_dot_product_flash_attention_for_cpu": (mixing.attention, 0, 3),
}
"""Rules of operations on matrices, with the place and the number of their operands."""

_RULES: dict[str, Rule] = {
    "convolution": sliding.convolution,
    **dict.fromkeys(("max_pool2d_with_indices", "avg_pool2d"), sliding.pool),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), sliding.adaptive),
    **dict.fromkeys(
        ("upsample_nearest2d", "_upsample_nearest_exact2d", "pixel_shuffle"), sliding.nearest
    ),
    "upsample_bilinear2d": sliding.bilinear,
    "upsample_bicubic2d": sliding.bicubic,
    "pixel_unshuffle": sliding.unshuffle,
    "im2col": sliding.patches,
    "col2im": sliding.folded,
    "unfold": sliding.windows,
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "var", "std", "var_mean", "linalg_vector_norm", "max"),
        mixing.reduction,
    ),
    **dict.fromkeys(("_softmax", "_safe_softmax"), mixing.softmax),
    "mkldnn_rnn_layer": mixing.recurrent,
    **dict.fromkeys(
        ("view", "_unsafe_view", "unsqueeze", "squeeze", "_reshape_alias"), moving.reshape
    ),
    "permute": moving.permute,
    **dict.fromkeys(("transpose", "t"), moving.transpose),
    "expand": moving.expand,
    "slice": moving.cut,
    **dict.fromkeys(("split", "split_with_sizes", "unbind", "select"), moving.pieces),
    "cat": moving.cat,
    "stack": moving.stack,
    "roll": moving.roll,
    **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), moving.pad),
}
