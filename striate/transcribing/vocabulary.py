"""Which operation of torch is which step."""

from __future__ import annotations

from collections.abc import Mapping

from striate.transcribing import filters, moving, pointwise, pooling
from striate.transcribing.reading import SAME_ORDER, Handler

_COPIES = ("detach", "alias", "clone", "_to_copy", "contiguous", "lift_fresh")

OPERATIONS: Mapping[str, Handler] = {
    **dict.fromkeys(_COPIES, moving.same),
    **dict.fromkeys((each for each in SAME_ORDER if each not in _COPIES), moving.reshape),
    **dict.fromkeys(("permute", "transpose", "t"), moving.permute),
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), moving.shuffle),
    "expand": moving.expand,
    "as_strided_": moving.restride,
    **dict.fromkeys(("empty_like", "new_empty", "zeros_like", "ones_like"), moving.constant),
    "cat": moving.cat,
    **dict.fromkeys(("split", "split_with_sizes"), moving.split),
    "slice": moving.slice_,
    "narrow": moving.narrow,
    "constant_pad_nd": moving.pad,
    "convolution": filters.convolution,
    "addmm": filters.addmm,
    "mm": filters.mm,
    "native_batch_norm": filters.batch_norm,
    "_native_batch_norm_legit": filters.batch_norm,
    "native_layer_norm": filters.layer_norm,
    "native_group_norm": filters.group_norm,
    "max_pool2d_with_indices": pooling.max_pool,
    "avg_pool2d": pooling.avg_pool,
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), pooling.adaptive),
    **dict.fromkeys(("mean", "amax"), pooling.over_axes),
    **dict.fromkeys(
        ("upsample_nearest2d", "_upsample_nearest_exact2d", "upsample_bilinear2d"),
        pooling.upsample,
    ),
    **dict.fromkeys(
        (
            f"{name}{ending}"
            for name in (*pointwise.PLAIN, *("leaky_relu", "elu", "hardtanh", "clamp", "clamp_min"))
            for ending in ("", "_")
        ),
        pointwise.activation,
    ),
    "gelu": pointwise.activation,
    "_softmax": pointwise.softmax,
    "native_dropout": pointwise.dropout,
    **dict.fromkeys(("add", "add_", "sub", "sub_"), pointwise.add),
    **dict.fromkeys(("div", "div_"), pointwise.divide),
    **dict.fromkeys(("mul", "mul_"), pointwise.multiply),
}

FUNCTIONS: Mapping[str, Handler] = {"local_response_norm": filters.local_response_norm}
"""Functions of torch that come to several operations and are one step."""
