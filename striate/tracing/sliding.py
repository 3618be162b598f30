"""What the units of torch's sliding operations read: filters, pools, resampling, patches."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from striate.layers import Pair, Shape, Window
from striate.layers.pooling import AdaptiveAvgPool
from striate.tracing.fields import AXES, Sight, UnknownReachError, behind, slid
from striate.tracing.record import Operation, first


def pair(value: Any) -> Pair:
    """A number for both axes, or one for each."""
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    return (numbers[0], numbers[-1])


def convolution(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    _, weight, _, stride, padding, dilation, transposed, *_ = operation.arguments
    point = set(weight.shape[2:]) == {1} and set(stride) == {1} and not any(padding)
    if weight.dim() == 3 and (point or not sources[0].layout[-1]):
        return sources[0]
    along = sources[0]
    if weight.dim() == 5 and along.layout == ("", "", "h", "w", "") and weight.shape[4] == 1:
        flat = along.laid(along.layout[:4])  # over rows and columns, of each channel apart
    elif weight.dim() == 4:
        flat = along
    else:
        return _at_one_place(sources)
    kernel = (int(weight.shape[2]), int(weight.shape[3]))
    (s, t), (p, q), (d, e) = (pair(each[:2]) for each in (stride, padding, dilation))
    if transposed:
        window = _spread(kernel, (s, t), (p, q), (d, e))
    else:
        window = Window(kernel, (s, t), (p, q), (d, e))
    found = slid(flat, window, operation.arguments[0], operation.result, image)
    return found.laid(found.layout + along.layout[4:]) if flat is not along else found


def _spread(kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Window:
    """What an output of a transposed convolution reads of its input."""
    before = [
        Fraction((size - 1) * apart - around, step)
        for size, step, around, apart in zip(kernel, stride, padding, dilation, strict=True)
    ]
    return Window(
        kernel_size=kernel,
        stride=(Fraction(1, stride[0]), Fraction(1, stride[1])),
        before=(before[0], before[1]),
        dilation=(Fraction(dilation[0], stride[0]), Fraction(dilation[1], stride[1])),
    )


def _at_one_place(sources: list[Sight]) -> Sight:
    """Of tensors that have one unit along both axes, whose places are told by nothing."""
    if any(source.lengths != (1, 1) for source in sources):
        raise UnknownReachError
    return sources[0]


def pool(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    _, kernel, *rest = operation.arguments
    stride = rest[0] if rest and rest[0] else kernel
    padding = rest[1] if len(rest) > 1 else 0
    dilated = operation.name.startswith("max") and len(rest) > 2
    dilation = rest[2] if dilated else 1
    window = Window(pair(kernel), pair(stride), pair(padding), pair(dilation))
    return slid(sources[0], window, operation.arguments[0], first(operation.result), image)


def adaptive(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    result = first(operation.result)
    cells = (int(result.shape[2]), int(result.shape[3]))
    window = AdaptiveAvgPool(cells).window(((1, *sources[0].lengths),), (1, *cells))
    return slid(sources[0], window, operation.arguments[0], result, image)


def nearest(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Row `i` takes row `floor(i · in / out)`, or that nearest to its own place."""
    result = first(operation.result)
    (h, w), (m, n) = sources[0].lengths, (int(result.shape[2]), int(result.shape[3]))
    window = Window(
        kernel_size=(m, n),
        stride=(Fraction(h, m), Fraction(w, n)),
        before=(Fraction(m - 1, m), Fraction(n - 1, n)),
        dilation=(Fraction(1, m), Fraction(1, n)),
    )
    return slid(sources[0], window, operation.arguments[0], result, image)


def bilinear(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Row `i` takes the rows less than one from its own place in the input."""
    return _resampled(operation, sources[0], 1, image)


def bicubic(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Row `i` takes the rows less than two from its own place in the input."""
    return _resampled(operation, sources[0], 2, image)


def _resampled(operation: Operation, source: Sight, reach: int, image: Shape) -> Sight:
    """The place of row `i` is `(i + 1/2) · in / out − 1/2`, or `i · (in − 1) / (out − 1)`.

    The second is that of aligned corners. Rows lie at whole numbers; those less than `reach` away
    are found among all multiples of the places' common fraction.
    """
    result = first(operation.result)
    corners = bool(operation.arguments[2])
    stride, before, apart, count = [], [], [], []
    for before_it, after in zip(source.lengths, result.shape[2:], strict=True):
        if corners:
            step = Fraction(before_it - 1, max(1, after - 1))
            place, parts = Fraction(0), max(1, after - 1)
        else:
            step = Fraction(before_it, after)
            place, parts = step / 2 - Fraction(1, 2), 2 * after
        stride.append(step)
        apart.append(Fraction(1, parts))
        before.append(reach - Fraction(1, parts) - place)
        count.append(2 * reach * parts - 1)
    window = Window(
        kernel_size=(count[0], count[1]),
        stride=(stride[0], stride[1]),
        before=(before[0], before[1]),
        dilation=(apart[0], apart[1]),
    )
    return slid(source, window, operation.arguments[0], result, image)


def unshuffle(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    block = pair(operation.arguments[1])
    return slid(sources[0], Window(block, block), operation.arguments[0], operation.result, image)


def patches(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """The values below each place of a window, as N×(C·K)×L (`unfold` of a volume)."""
    _, kernel, dilation, padding, stride = operation.arguments
    (source,) = sources
    if source.layout != ("", "", "h", "w"):
        raise UnknownReachError
    sizes, apart, around, steps = (pair(each) for each in (kernel, dilation, padding, stride))
    window = Window(sizes, steps, around, apart)
    counts = [
        (length + 2 * around[axis] - apart[axis] * (sizes[axis] - 1) - 1) // steps[axis] + 1
        for axis, length in enumerate(source.lengths)
    ]
    return Sight(behind(window, sources, image), (counts[0], counts[1]), ("", "", "hw"))


def folded(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Patches N×(C·K)×L added up where they lie (`fold`): a transposed convolution with ones."""
    _, size, kernel, dilation, padding, stride = operation.arguments
    (source,) = sources
    if source.layout != ("", "", "hw"):
        raise UnknownReachError
    window = _spread(pair(kernel), pair(stride), pair(padding), pair(dilation))
    lengths = (int(size[0]), int(size[1]))
    return Sight(behind(window, sources, image), lengths, ("", "", "h", "w"))


def windows(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Windows along one dimension, whose values become the last one (`Tensor.unfold`)."""
    _, dimension, size, step = operation.arguments
    (source,) = sources
    letters = source.layout[dimension]
    if len(letters) > 1:
        raise UnknownReachError
    if not letters:
        return source.laid((*source.layout, ""))
    window = Window((size, size), (step, step))
    lengths = list(source.lengths)
    lengths[AXES.index(letters)] = first(operation.result).shape[dimension]
    fields = behind(window, sources, image, letters)
    return Sight(fields, (lengths[0], lengths[1]), (*source.layout, ""))
