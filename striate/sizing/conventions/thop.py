"""thop's MACs: modules of torch's own classes, biases left out, normalisation counted."""

from __future__ import annotations

from striate.layers import product
from striate.sizing.conventions.recurrent import recurrent
from striate.sizing.conventions.use import DERIVED, PLACES, Convention, Count, Use, same

_DIMENSIONS = (1, 2, 3)
_TRANSPOSED = frozenset({f"ConvTranspose{n}d" for n in _DIMENSIONS})
_MATRICES = frozenset({"Linear", *(f"Conv{n}d" for n in _DIMENSIONS)}) | _TRANSPOSED
_NORMS = frozenset(
    {"LayerNorm", "SyncBatchNorm"}
    | {f"{kind}Norm{n}d" for kind in ("Batch", "Instance") for n in _DIMENSIONS}
)
_AVERAGES = frozenset(f"AvgPool{n}d" for n in _DIMENSIONS)
_ADAPTIVE = frozenset(f"AdaptiveAvgPool{n}d" for n in _DIMENSIONS)
_RESIZED = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}
_UPSAMPLING = frozenset({"Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"})
_RECURRENT = {"RNN": 1, "GRU": 7, "LSTM": 8}
_KNOWN = _MATRICES | _NORMS | _AVERAGES | _ADAPTIVE | _UPSAMPLING | {"Softmax", *_RECURRENT}


def _of_module(use: Use) -> Count:
    name = use.known(_KNOWN)
    counted = _counted(use, name)
    if name and not use.is_torch:
        return Count(counted, 0, DERIVED)
    if use.places > 1:
        return Count(counted, use.places**2 * counted, PLACES)
    if name in _TRANSPOSED:
        groups = use.output[1] // use.weights["weight"][1]
        taps = product(use.weights["weight"][2:]) * (use.inputs[0][1] // groups)
        why = "multiplies the weights of a transposed convolution with its output's positions"
        return Count(counted, product(use.output) * taps, why)
    return same(counted)


def _counted(use: Use, name: str) -> int:
    values = product(use.inputs[0]) if use.inputs else 0
    outputs = product(use.output)
    if name in _MATRICES:
        return use.macs
    if name in _RECURRENT:
        return recurrent(use, _RECURRENT)
    if name in _NORMS:
        return values * (4 if "weight" in use.weights else 2)
    if name in _AVERAGES:
        return outputs
    if name in _ADAPTIVE:
        window = product(use.inputs[0][2:]) / product(use.output[2:])
        return int((window + 1) * outputs)
    if name in _UPSAMPLING:
        return _RESIZED.get(str(use.settings.get("mode")), 0) * outputs
    if name == "Softmax":
        axis = use.settings.get("dim")
        features = use.inputs[0][axis] if isinstance(axis, int) else 1
        return values // features * (3 * features - 1)
    return 0


THOP = Convention("thop", "0.1.1", "MACs", of_module=_of_module)
