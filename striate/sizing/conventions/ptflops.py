"""ptflops' MACs: matrices with their biases, normalisation, activations, pooling and resizing."""

from __future__ import annotations

from striate.layers import product
from striate.sizing.conventions.recurrent import recurrent
from striate.sizing.conventions.use import DERIVED, NOTHING, PLACES, Convention, Count, Use, same

_DIMENSIONS = (1, 2, 3)
_MATRICES = frozenset(
    {"Linear"} | {f"Conv{way}{n}d" for way in ("", "Transpose") for n in _DIMENSIONS}
)
_ACTIVATIONS = frozenset({"ReLU", "PReLU", "ELU", "LeakyReLU", "ReLU6", "GELU"})
_POOLS = frozenset(
    f"{way}{kind}Pool{n}d"
    for way in ("", "Adaptive")
    for kind in ("Max", "Avg")
    for n in _DIMENSIONS
)
_NORMS = frozenset(
    {"GroupNorm", "LayerNorm"}
    | {f"{kind}Norm{n}d" for kind in ("Batch", "Instance") for n in _DIMENSIONS}
)
_TIMM = "timm.layers.attention.Attention"
_HEADS = frozenset({"torch.nn.modules.activation.MultiheadAttention", _TIMM})
"""torch's attention, and that of timm's vision transformers."""
_RECURRENT = {"RNN": 1, "GRU": 7, "LSTM": 10}
_MODULES = (
    _MATRICES | _ACTIVATIONS | _POOLS | _NORMS | {"MultiheadAttention", "Upsample", *_RECURRENT}
)
_TWICE = (_ACTIVATIONS - {"ReLU6", "LeakyReLU"}) | _POOLS | {"Upsample"}
"""Modules that call functions which are counted too."""
_FUNCTIONS = frozenset(
    {"relu", "prelu", "elu", "relu6", "gelu", "silu", "softmax"}
    | {
        f"{way}{kind}_pool{n}d"
        for way in ("", "adaptive_")
        for kind in ("max", "avg")
        for n in _DIMENSIONS
    }
)
_PRODUCTS = frozenset({"matmul", "mm", "bmm", "addmm", "baddbmm"})
_FUNCTIONAL = ("torch.nn.functional", "torch._C._nn")


def _of_module(use: Use) -> Count:
    if f"{use.home}.{use.name}" == _TIMM:
        return same(_scores(use))
    name = use.known(_MODULES)
    counted = _counted(use, name)
    if _HEADS & set(use.around):
        return Count(counted, 0, "counts an attention module without the modules below it")
    if name and not use.is_torch:
        return NOTHING if name in _TWICE else Count(counted, 0, DERIVED)
    if name in _TWICE:
        printed = (use.places + 1) * counted
        return Count(counted, printed, "counts activations, pools and resizing twice")
    return Count(counted, use.places * counted, PLACES)


def _counted(use: Use, name: str) -> int:
    values = product(use.inputs[0]) if use.inputs else 0
    outputs = product(use.output)
    if name in _MATRICES:
        return use.macs + (outputs if "bias" in use.weights else 0)
    if name in _RECURRENT:
        return recurrent(use, _RECURRENT)
    if name in _NORMS:
        return values * (2 if "weight" in use.weights and name != "LayerNorm" else 1)
    if name in _ACTIVATIONS or name == "Upsample":
        return outputs
    if name in _POOLS:
        return values
    if name == "MultiheadAttention" and len(use.inputs) > 2:
        return _heads(use)
    return 0


def _heads(use: Use) -> int:
    """Scaling, projections with biases, two products and the softmax between them."""
    batch_first = bool(use.settings.get("batch_first"))
    batch = use.inputs[0][0 if batch_first else 1]
    lengths = [shape[1 if batch_first else 0] for shape in use.inputs[:3]]
    queries, keys, _ = lengths
    width, of_values = use.inputs[0][2], use.inputs[2][2]
    heads = _number(use, "num_heads")
    projected = sum(n * shape[2] ** 2 for n, shape in zip(lengths, use.inputs[:3], strict=True))
    biases = sum(lengths) * width if "in_proj_bias" in use.weights else 0
    scores = queries * keys * (width + heads + of_values)
    return batch * (
        queries * width + projected + biases + scores + queries * of_values * (of_values + 1)
    )


def _scores(use: Use) -> int:
    """Scaling, two products and the softmax between them."""
    batch, length, _ = use.inputs[0]
    heads, width = _number(use, "num_heads"), _number(use, "head_dim")
    return batch * heads * (length * width + length * length * (2 * width + 1))


def _number(use: Use, name: str) -> int:
    value = use.settings.get(name)
    return value if isinstance(value, int) else 0


def _of_function(use: Use) -> Count:
    """Functions outside of modules that count for themselves."""
    within = use.inside.known(_MODULES) if use.inside else ""
    if _HEADS & set(use.around):
        return NOTHING
    if use.inside and within and (use.inside.is_torch or within not in _TWICE):
        return NOTHING
    if use.name == "local_response_norm":
        return same(_response(use))
    values = product(use.inputs[0]) if use.inputs else 0
    if use.name in _FUNCTIONS:
        why = "counts functions of torch.nn.functional, and not the same ones elsewhere"
        return Count(values, values if use.home in _FUNCTIONAL else 0, why)
    if use.name in ("interpolate", "upsample"):
        return same(product(use.output))
    if use.name in _PRODUCTS:
        biased = product(use.output) if use.name in ("addmm", "baddbmm") else 0
        counted = use.macs + biased
        is_sign = use.name == "matmul" and use.home != "torch"
        return Count(counted, 0 if is_sign else counted, "counts torch.matmul, and not the sign @")
    return Count(use.macs, 0, "has no rule for functions that convolve, attend or recur")


def _response(use: Use) -> int:
    """Squares, their mean over channels with padding around them, a factor and a sum."""
    batch, channels, *others = use.inputs[0]
    padded = batch * (channels + _number(use, "size") - 1) * product(tuple(others))
    return 3 * product(use.inputs[0]) + padded


PTFLOPS = Convention("ptflops", "0.7.5", "MACs", _of_module, _of_function)
