"""What the units of torch's operations that move values see: views, slices, pieces, padding."""

from __future__ import annotations

from typing import Any

from striate.layers import Shape, Window
from striate.tracing.fields import (
    AXES,
    Sight,
    UnknownReachError,
    behind,
    everything,
    together,
)
from striate.tracing.record import Operation, first
from striate.tracing.reshaping import reshaped


def reshape(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    before, after = operation.arguments[0].shape, first(operation.result).shape
    return reshaped(sources[0], before, after, image)


def permute(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    layout = sources[0].layout
    return sources[0].laid(tuple(layout[each] for each in operation.arguments[1]))


def transpose(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    layout = list(sources[0].layout)
    first, second = operation.arguments[1:] or (0, 1)
    layout[first], layout[second] = layout[second], layout[first]
    return sources[0].laid(tuple(layout))


def expand(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    return together(sources, first(operation.result).dim(), image)


def cut(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    given = operation.arguments
    defaults: tuple[Any, ...] = (None, 0, 0, None, 1)
    tensor, dimension, start, _, step = (*given, *defaults[len(given) :])
    letters = source.layout[dimension]
    if not letters or first(operation.result).shape == tensor.shape:
        return source
    size = tensor.shape[dimension]
    if len(letters) > 1:
        return _tokens(source, dimension, size, first(operation.result).shape[dimension])
    begin = min(max(start + size if (start or 0) < 0 else start or 0, 0), size)
    window = Window(stride=(step, step), before=(-begin, -begin))
    lengths = list(source.lengths)
    lengths[AXES.index(letters)] = first(operation.result).shape[dimension]
    fields = behind(window, [source], image, letters)
    return Sight(fields, (lengths[0], lengths[1]), source.layout)


def _tokens(source: Sight, dimension: int, before: int, after: int) -> Sight:
    """Of positions that tokens of weights were put beside: the positions, or those tokens."""
    positions = source.lengths[0] * source.lengths[1]
    if after == positions:
        return source
    if after <= before - positions:
        layout = list(source.layout)
        layout[dimension] = ""
        return source.laid(tuple(layout))
    raise UnknownReachError


def pieces(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Pieces along a dimension of channels, or single ones of it."""
    (source,) = sources
    arguments = operation.arguments
    single = operation.name in ("unbind", "select")
    place = 1 if single else 2
    dimension = arguments[place] if len(arguments) > place else 0
    layout = list(source.layout)
    if layout[dimension]:
        raise UnknownReachError
    if single:
        del layout[dimension]
    return source.laid(tuple(layout))


def cat(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    rank = first(operation.result).dim()
    if any(source.whole for source in sources):
        return everything([each for each in sources if each.whole], image, rank)
    dimension = operation.arguments[1] if len(operation.arguments) > 1 else 0
    found = together(sources, len(sources[0].layout), image)
    apart = [source for source in sources if source.layout[dimension]]
    if found.layout[dimension] and (len(apart) > 1 or found.layout[dimension] != "hw"):
        raise UnknownReachError
    return found  # tokens of weights beside the positions have none of their own


def pad(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    pads, lengths = operation.arguments[1], list(source.lengths)
    before = [0, 0]
    for place, letters in enumerate(reversed(source.layout)):
        added = pads[2 * place : 2 * place + 2]
        if not any(added) or letters in ("", "hw"):
            continue  # places for tokens beside the positions have no units of their own
        if len(letters) > 1:
            raise UnknownReachError
        axis = AXES.index(letters)
        before[axis] = added[0]
        lengths[axis] = int(first(operation.result).shape[-1 - place])
    fields = behind(Window(before=(before[0], before[1])), sources, image)
    return Sight(fields, (lengths[0], lengths[1]), source.layout)


def stack(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Tensors beside each other along a dimension of their own."""
    found = together(sources, max(len(source.layout) for source in sources), image)
    arguments, layout = operation.arguments, list(found.layout)
    place = arguments[1] if len(arguments) > 1 else 0
    layout.insert(place % (len(layout) + 1), "")
    return found.laid(tuple(layout))


def roll(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """Units moved along their axes; those that come in from the other end are left aside."""
    (source,) = sources
    _, shifts, *dimensions = operation.arguments
    if not dimensions:
        raise UnknownReachError  # moved along all dimensions as one
    moved = [0, 0]
    for shift, dimension in zip(shifts, dimensions[0], strict=True):
        letters = source.layout[dimension]
        if len(letters) > 1:
            raise UnknownReachError
        if letters:
            axis = AXES.index(letters)
            moved[axis] = (shift + source.lengths[axis] // 2) % source.lengths[axis]
            moved[axis] -= source.lengths[axis] // 2
    fields = behind(Window(before=(moved[0], moved[1])), sources, image)
    return Sight(fields, source.lengths, source.layout)
