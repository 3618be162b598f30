"""Multiply-accumulates of torch's operations, by the convention of docs/ledger.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from striate.layers import product
from striate.tracing.record import Operation


def macs(operation: Operation) -> int:
    """Products of a weight with a value, or of two activations, that are summed into an output.

    Those with zeros of the padding are included; biases, scales and shifts are not.
    """
    count = _COUNTS.get(operation.name)
    return 0 if count is None else count(*operation.arguments)


def is_uncounted(operation: Operation) -> bool:
    """Whether an operation multiplies and sums, or may, and `macs` does not count it."""
    return operation.name in _UNCOUNTED or operation.function.namespace not in _KNOWN


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> int:
    """Each output with the weights that it reads; transposed, each input with those it feeds."""
    filters = product(tuple(weight.shape[1:]))
    if transposed:
        return input.numel() * filters
    size = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(
            input.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True
        )
    ]
    return input.shape[0] * weight.shape[0] * product(tuple(size)) * filters


def _matrices(first: Tensor, second: Tensor, *_: Any) -> int:
    """(…, n, k) times (…, k, m)."""
    return first.numel() * second.shape[-1]


def _matrix_and_vector(first: Tensor, second: Tensor, *_: Any) -> int:
    return first.numel()


def _added(_: Tensor, first: Tensor, second: Tensor, *__: Any) -> int:
    """A product of matrices that something is added to."""
    return _matrices(first, second)


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    """Query with key, then the weights with the values: all of N×heads×positions×channels."""
    pairs = product(tuple(query.shape[:-1])) * key.shape[-2]
    return pairs * (query.shape[-1] + value.shape[-1])


_COUNTS: dict[str, Callable[..., int]] = {
    "convolution": _convolution,
    "mm": _matrices,
    "bmm": _matrices,
    "addmm": _added,
    "baddbmm": _added,
    "mv": _matrix_and_vector,
    "dot": _matrix_and_vector,
    "addmv": lambda _, matrix, vector, **__: matrix.numel(),
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_attention_math": _attention,
}
_KNOWN = ("aten", "prim", "prims")
_UNCOUNTED = frozenset(
    {
        *("_fft_c2c", "_fft_r2c", "_fft_c2r", "_cdist_forward", "_trilinear", "_embedding_bag"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu", "mkldnn_rnn_layer", "_thnn_fused_gru_cell"),
        *("_thnn_fused_lstm_cell", "linalg_matrix_exp", "linalg_inv_ex", "_linalg_svd"),
        *("addbmm", "addr", "ger", "vdot", "_addmm_activation", "_int_mm"),
    }
)
