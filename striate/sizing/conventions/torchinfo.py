"""torchinfo's mult-adds: parameters times positions, of modules alone."""

from __future__ import annotations

from striate.layers import product
from striate.sizing.conventions.use import NOTHING, Convention, Count, Use, same


def _of_module(use: Use) -> Count:
    """Filters and biases once for each position, all other parameters once for each image."""
    if not use.leaf:
        return NOTHING
    is_convolution = "Conv" in use.name
    positions = use.output[:1] + use.output[2:] if is_convolution else use.output[:1]
    plain = ("weight", "bias")
    printed = sum(product(positions + s) for name, s in use.weights.items() if name in plain)
    printed += sum(
        product(use.output[:2] + shape)
        for name, shape in use.weights.items()
        if name not in plain and ("weight" in name or "bias" in name)
    )
    if not (use.macs and "weight" in use.weights):
        return same(printed)
    bias = product(use.output) if "bias" in use.weights else 0
    return Count(use.macs + bias, printed, _why(use, is_convolution=is_convolution))


def _why(use: Use, *, is_convolution: bool) -> str:
    if not is_convolution:
        return "takes the weights of a linear layer once for each image, not for each position"
    if use.known(_TRANSPOSED):
        return "multiplies the weights of a transposed convolution with its output's positions"
    return "takes each stored filter of a group convolution once, not in all its turns"


_TRANSPOSED = frozenset({f"ConvTranspose{n}d" for n in (1, 2, 3)})

TORCHINFO = Convention("torchinfo", "1.8.0", "mult-adds", of_module=_of_module)
