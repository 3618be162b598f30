"""What the units of torch's sums, products and attention read."""

from __future__ import annotations

from striate.layers import Shape
from striate.tracing.fields import Sight, UnknownReachError, everything, reduced, together
from striate.tracing.record import Operation, first


def reduction(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    place = 2 if operation.name == "linalg_vector_norm" else 1
    arguments = operation.arguments
    given = arguments[place] if len(arguments) > place else None
    dimensions = [given] if isinstance(given, int) else list(given or ())
    kept = first(operation.result).dim() == len(sources[0].layout)
    return reduced(sources[0], dimensions, kept, image)


def softmax(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    (source,) = sources
    dimension = operation.arguments[1]
    return reduced(source, [dimension], True, image) if source.layout[dimension] else source


def recurrent(operation: Operation, sources: list[Sight], image: Shape) -> Sight:
    """A recurrent layer over T×N×C: a step counts as reading the whole sequence, as the last one
    and those of a layer in both directions do."""
    return reduced(sources[0], [0], True, image)


def product(operation: Operation, operands: list[Sight | None], image: Shape) -> Sight:
    """A matrix product ...×M×K by ...×K×N; None stands for an operand of weights alone.

    Each result reads a row of the left and a column of the right operand.
    """
    left, right = operands
    rank = first(operation.result).dim()
    if rank == 2 and left is not None and right is None and not left.layout[0]:
        return everything([left], image, 2)  # a vector for each image
    found = [reduced(left, [-1], True, image)] if left is not None else []
    found += [reduced(right, [-2], True, image)] if right is not None else []
    try:
        return together(found, rank, image)
    except UnknownReachError:
        return everything(found, image, rank)  # all positions with all


def attention(operation: Operation, operands: list[Sight | None], image: Shape) -> Sight:
    """Queries ...×L×D, keys and values ...×S×D: each query reads all of them in its own batch."""
    queries, *others = operands
    found = [reduced(each, [-2, -1], True, image) for each in others if each is not None]
    if queries is not None:
        found.append(reduced(queries, [-1], True, image))
    return together(found, first(operation.result).dim(), image)
