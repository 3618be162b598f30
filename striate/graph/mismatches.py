"""What is said of layers that cannot stand where they do."""

from __future__ import annotations

from striate.graph.nodes import Node
from striate.layers import FullyConnected, Layer, MismatchError, Shape, product, show

MAX_VALUES = 2**40


def too_many(shape: Shape) -> str:
    """Of a volume of more than `MAX_VALUES` values."""
    return (
        f"a volume of {show(shape)} holds {product(shape):,} values, more than the "
        f"{MAX_VALUES:,} that a network here may have in one place. Start from a smaller image "
        "or use fewer channels"
    )


def flattened(fc: Node, image: Shape, needs: str) -> str:
    """Of a fully connected layer that takes the image before a layer that needs a volume."""
    return (
        f"this fc meets the image itself and would flatten its {show(image)} values, but {needs} "
        f"still needs rows and columns. Write conv1-{fc.output[0]} for a fully connected layer at "
        "every pixel, or move the fc after the last layer that needs a volume"
    )


def refuse_ambiguous(layer: Layer, shapes: tuple[Shape, ...], *, in_branch: bool) -> None:
    """In a branch an fc could mean one matrix for all pixels or the same one at every pixel."""
    if in_branch and isinstance(layer, FullyConnected) and shapes[0][1:] not in ((), (1, 1)):
        raise MismatchError(
            f"fc inside a branch would flatten its {show(shapes[0])} input, where an image may be "
            f"meant. Write flatten -> fc-{layer.out_channels} to flatten it, or "
            f"conv1-{layer.out_channels} for a fully connected layer at every pixel"
        )


def unlike_weights(layer: Layer, first: str, before: Shape, after: Shape) -> str:
    """Of a layer that cannot use the weights of the first, since it takes another input."""
    if isinstance(layer, FullyConnected):
        taken, given = f"{product(before):,} values", f"{product(after):,}"
        fix = "Bring both to one size, for example by gap before the fc"
    elif before[0] != after[0]:
        taken, given = f"{before[0]} channels", str(after[0])
        fix = f"Bring them to {before[0]} first, for example by conv1-{before[0]}"
    else:
        taken, given = show(before), show(after)
        fix = "Bring both to one size"
    return f"the weights are those of {first}, which takes {taken}, but here come {given}. {fix}"
