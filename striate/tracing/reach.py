"""What the units of each of torch's operations read."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from striate.layers import Shape, Window
from striate.layers.pooling import AdaptiveAvgPool
from striate.tracing.fields import (
    Sight,
    UnknownReachError,
    behind,
    everything,
    reduced,
    reshaped,
    slid,
    together,
)
from striate.tracing.record import Operation

Rule = Callable[[Operation, list[Sight], Shape], Sight]


def seen(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """What the units of an operation's results see; `sources` are those of the tensors it reads.

    Raises UnknownReachError for one that is not known.
    """
    rank = _first(operation.result).dim()
    if all(source.whole for source in sources):
        return everything(sources, image, rank)
    name = operation.name.rstrip("_")
    if torch.Tag.pointwise in operation.function.tags or name in _UNIT_BY_UNIT:
        if any(source.whole for source in sources):
            return everything([each for each in sources if each.whole], image, rank)
        return together(sources, rank, image)
    if name not in _RULES:
        raise UnknownReachError
    return _RULES[name](operation, sources, image)


def _first(value: Any) -> Tensor:
    tensor = value if isinstance(value, Tensor) else value[0]
    assert isinstance(tensor, Tensor)
    return tensor


def _pair(value: Any) -> tuple[int, int]:
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    return (numbers[0], numbers[-1])


def _convolution(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    _, weight, _, stride, padding, dilation, transposed, *_ = operation.arguments
    if weight.dim() != 4:
        return _at_one_place(sources)
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    (s, t), (p, q), (d, e) = (_pair(each) for each in (stride, padding, dilation))
    if transposed:
        window = Window(
            kernel_size=kernel,
            stride=(Fraction(1, s), Fraction(1, t)),
            before=(Fraction((kernel[0] - 1) * d - p, s), Fraction((kernel[1] - 1) * e - q, t)),
            dilation=(Fraction(d, s), Fraction(e, t)),
        )
    else:
        window = Window(kernel, (s, t), (p, q), (d, e))
    return slid(sources[0], window, operation.result, image)


def _at_one_place(sources: list[Sight]) -> Sight:
    """Of tensors that have one unit along both axes, whose places are told by nothing."""
    if any(source.lengths != (1, 1) for source in sources):
        raise UnknownReachError
    return sources[0]


def _pool(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    _, kernel, *rest = operation.arguments
    stride = rest[0] if rest and rest[0] else kernel
    padding = rest[1] if len(rest) > 1 else 0
    dilated = operation.name.startswith("max") and len(rest) > 2
    dilation = rest[2] if dilated else 1
    window = Window(_pair(kernel), _pair(stride), _pair(padding), _pair(dilation))
    return slid(sources[0], window, _first(operation.result), image)


def _adaptive(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    result = _first(operation.result)
    cells = (int(result.shape[2]), int(result.shape[3]))
    window = AdaptiveAvgPool(cells).window(((1, *sources[0].lengths),), (1, *cells))
    return slid(sources[0], window, result, image)


def _nearest(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Row `i` takes row `floor(i · in / out)`, or that nearest to its own place."""
    result = _first(operation.result)
    (h, w), (m, n) = sources[0].lengths, (int(result.shape[2]), int(result.shape[3]))
    window = Window(
        kernel_size=(m, n),
        stride=(Fraction(h, m), Fraction(w, n)),
        before=(Fraction(m - 1, m), Fraction(n - 1, n)),
        dilation=(Fraction(1, m), Fraction(1, n)),
    )
    return slid(sources[0], window, result, image)


def _bilinear(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Row `i` takes the rows less than one from `(i + 1/2) · in / out − 1/2`."""
    if operation.arguments[2]:
        raise UnknownReachError  # corners aligned
    result = _first(operation.result)
    (h, w), (m, n) = sources[0].lengths, (int(result.shape[2]), int(result.shape[3]))
    window = Window(
        kernel_size=(4 * m - 1, 4 * n - 1),
        stride=(Fraction(h, m), Fraction(w, n)),
        before=(
            Fraction(3, 2) - Fraction(h + 1, 2 * m),
            Fraction(3, 2) - Fraction(w + 1, 2 * n),
        ),
        dilation=(Fraction(1, 2 * m), Fraction(1, 2 * n)),
    )
    return slid(sources[0], window, result, image)


def _reduction(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    place = 2 if operation.name == "linalg_vector_norm" else 1
    arguments = operation.arguments
    given = arguments[place] if len(arguments) > place else None
    dimensions = [given] if isinstance(given, int) else list(given or ())
    kept = _first(operation.result).dim() == len(sources[0].layout)
    return reduced(sources[0], dimensions, kept, image)


def _softmax(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    axes = source.layout[operation.arguments[1]]
    if not axes:
        return source
    raise UnknownReachError


def _product(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """With weights, each row on its own; of two activations, all positions with all."""
    result = _first(operation.result)
    left = next(each for each in operation.arguments if isinstance(each, Tensor) and each.dim() > 1)
    if operation.name in ("addmm", "baddbmm"):
        left = operation.arguments[1]
    if len(sources) > 1 or len(sources[0].layout) != left.dim():
        return everything(sources, image, result.dim())
    if left.dim() == 2 and not sources[0].layout[0]:
        return everything(sources, image, 2)  # a vector for each image
    return reduced(sources[0], [-1], True, image)


def _all_positions(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    return everything(sources, image, _first(operation.result).dim())


def _reshape(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    return reshaped(sources[0], operation.arguments[0].shape, _first(operation.result).shape)


def _permute(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    layout = sources[0].layout
    return sources[0].laid(tuple(layout[each] for each in operation.arguments[1]))


def _transpose(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    layout = list(sources[0].layout)
    first, second = operation.arguments[1:] or (0, 1)
    layout[first], layout[second] = layout[second], layout[first]
    return sources[0].laid(tuple(layout))


def _expand(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    return together(sources, _first(operation.result).dim(), image)


def _slice(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    given = operation.arguments
    defaults: tuple[Any, ...] = (None, 0, 0, None, 1)
    tensor, dimension, start, _, step = (*given, *defaults[len(given) :])
    letters = source.layout[dimension]
    if not letters or _first(operation.result).shape == tensor.shape:
        return source
    if len(letters) > 1:
        raise UnknownReachError
    size = tensor.shape[dimension]
    first = min(max(start + size if (start or 0) < 0 else start or 0, 0), size)
    window = Window(stride=(step, step), before=(-first, -first))
    lengths = list(source.lengths)
    lengths["hw".index(letters)] = _first(operation.result).shape[dimension]
    fields = behind(window, [source], image, letters)
    return Sight(fields, (lengths[0], lengths[1]), source.layout)


def _pieces(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Pieces along a dimension of channels, or single ones of it."""
    (source,) = sources
    arguments = operation.arguments
    single = operation.name in ("unbind", "select")
    place = 1 if single else 2
    dimension = arguments[place] if len(arguments) > place else 0
    if source.layout[dimension]:
        raise UnknownReachError
    layout = list(source.layout)
    if single:
        del layout[dimension]
    return source.laid(tuple(layout))


def _cat(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    rank = _first(operation.result).dim()
    if any(source.whole for source in sources):
        return everything([each for each in sources if each.whole], image, rank)
    dimension = operation.arguments[1] if len(operation.arguments) > 1 else 0
    found = together(sources, len(sources[0].layout), image)
    if found.layout[dimension] and (len(sources) > 1 or found.layout[dimension] != "hw"):
        raise UnknownReachError
    return found  # a token of weights beside the positions has none of its own


def _pad(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    pads = [*operation.arguments[1], 0, 0, 0, 0]
    if not any(pads):
        return source
    if source.layout[-2:] != ("h", "w"):
        raise UnknownReachError
    result = _first(operation.result)
    window = Window(before=(pads[2], pads[0]))
    lengths = (int(result.shape[-2]), int(result.shape[-1]))
    return Sight(behind(window, sources, image), lengths, source.layout)


def _unshuffle(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    pair = _pair(operation.arguments[1])
    return slid(sources[0], Window(pair, pair), operation.result, image)


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
_RULES: dict[str, Rule] = {
    "convolution": _convolution,
    **dict.fromkeys(("max_pool2d_with_indices", "avg_pool2d"), _pool),
    **dict.fromkeys(("_adaptive_avg_pool2d", "adaptive_max_pool2d"), _adaptive),
    **dict.fromkeys(("upsample_nearest2d", "_upsample_nearest_exact2d", "pixel_shuffle"), _nearest),
    "upsample_bilinear2d": _bilinear,
    "pixel_unshuffle": _unshuffle,
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "var", "std", "var_mean", "linalg_vector_norm", "max"),
        _reduction,
    ),
    "_softmax": _softmax,
    **dict.fromkeys(("mm", "addmm", "bmm", "baddbmm"), _product),
    "_scaled_dot_product_flash_attention_for_cpu": _all_positions,
    **dict.fromkeys(("view", "_unsafe_view", "unsqueeze", "squeeze", "_reshape_alias"), _reshape),
    "permute": _permute,
    **dict.fromkeys(("transpose", "t"), _transpose),
    "expand": _expand,
    "slice": _slice,
    **dict.fromkeys(("split", "split_with_sizes", "unbind", "select"), _pieces),
    "cat": _cat,
    **dict.fromkeys(("constant_pad_nd", "reflection_pad2d", "replication_pad2d"), _pad),
}
