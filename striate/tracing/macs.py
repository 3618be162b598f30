"""Multiply-accumulates of torch's operations, by the convention of docs/macs.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor

from striate.layers import product
from striate.tracing.record import Operation, Record, tensors

Products = tuple[int, tuple[Any, ...], tuple[Any, ...]]
"""How many products of two factors are summed, and the tensors that either factor is made of."""


def macs(operation: Operation) -> int:
    """Products of a weight with a value, or of two activations, that are summed into an output.

    Those with zeros of the padding are included; biases, scales and shifts are not.
    """
    return sum(count for count, _, _ in _products(operation))


def backward_macs(operation: Operation) -> int:
    """Those of its gradients: each product of the forward pass once for each factor that has one.

    Where y is the sum of a·b, the gradient of a is that of y times b, and the other way round.
    """
    return sum(
        count * sum(any(id(each) in operation.learns for each in factor) for factor in factors)
        for count, *factors in _products(operation)
    )


def is_uncounted(operation: Operation) -> bool:
    """Whether an operation multiplies and sums, or may, and `macs` does not count it."""
    name = operation.function._schema.name
    if name in _PRODUCTS:
        return False
    space, _, word = name.partition("::")
    begins = word.startswith(_UNCOUNTED_BEGINNINGS) and word not in _NORMS
    return space not in _KNOWN or word in _UNCOUNTED or begins


class Reached:
    """The operations whose results the network's output depends on: gradients pass no others."""

    def __init__(self, record: Record) -> None:
        roots = [each.grad_fn for each in tensors(record.result) if each.grad_fn is not None]
        self.everything = record.stopped is not None or not tensors(record.result)
        self.nodes = _behind(roots)

    def __contains__(self, operation: Operation) -> bool:
        """Whether a gradient comes back to what an operation gave."""
        nodes = (each.grad_fn for each in tensors(operation.result))
        return any(node and (self.everything or node in self.nodes) for node in nodes)


def _behind(roots: Iterable[Any]) -> set[Any]:
    """All nodes of torch's graph of gradients from these on."""
    found: set[Any] = set()
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += [after for after, _ in node.next_functions if after is not None]
    return found


def _products(operation: Operation) -> list[Products]:
    count = _PRODUCTS.get(operation.function._schema.name)
    return [] if count is None else count(*operation.arguments, **operation.keywords)


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
) -> list[Products]:
    """Each output with the weights that it reads; transposed, each input with those it feeds."""
    size = tuple(input.shape[2:])
    if not transposed:
        size = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(size, padding, dilation, weight.shape[2:], stride, strict=True)
        )
    return [(input.shape[0] * weight.numel() * product(size), (input,), (weight,))]


def _deformed(
    input: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, *_: Any
) -> list[Products]:
    """A convolution of values between pixels: N×C×H×W, offsets N×(2·groups·k·k)×H'×W'."""
    positions = offset.shape[0] * product(tuple(offset.shape[2:]))
    return [(positions * weight.numel(), (input, offset, mask), (weight,))]


def _matrices(first: Tensor, second: Tensor, **_: Any) -> list[Products]:
    """(…, n, k) times (…, k, m)."""
    return [(first.numel() * second.shape[-1], (first,), (second,))]


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> list[Products]:
    """(…, k) times m×k transposed."""
    return [(input.numel() * weight.shape[0], (input,), (weight,))]


def _with_vector(first: Tensor, vector: Tensor) -> list[Products]:
    """(…, k) times k."""
    return [(first.numel(), (first,), (vector,))]


def _added(_: Tensor, first: Tensor, second: Tensor, **__: Any) -> list[Products]:
    """A product of matrices that something is added to."""
    return _matrices(first, second)


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> list[Products]:
    """Query with key, then the weights with the values: all of N×heads×positions×channels."""
    pairs = product(tuple(query.shape[:-1])) * key.shape[-2]
    return [
        (pairs * query.shape[-1], (query,), (key,)),
        (pairs * value.shape[-1], (query, key), (value,)),
    ]


def _recurrent(input: Tensor, of_input: Tensor, of_state: Tensor, *others: Any) -> list[Products]:
    """One layer over T×N×C: all gates of the input, and of the state, which begins unlearned."""
    steps, batch = input.shape[:2]
    of_step = batch * of_state.numel()
    return [
        (steps * batch * of_input.numel(), (input,), (of_input,)),
        (of_step, others[2:4], (of_state,)),
        ((steps - 1) * of_step, (input, of_input, of_state), (of_state,)),
    ]


_PRODUCTS: dict[str, Callable[..., list[Products]]] = {
    "aten::convolution": _convolution,
    "aten::linear": _linear,
    "aten::mm": _matrices,
    "aten::bmm": _matrices,
    "aten::addmm": _added,
    "aten::_addmm_activation": _added,
    "aten::baddbmm": _added,
    "aten::addbmm": _added,
    "aten::mv": _with_vector,
    "aten::dot": _with_vector,
    "aten::vdot": _with_vector,
    "aten::addmv": lambda _, matrix, vector, **__: _with_vector(matrix, vector),
    "aten::_scaled_dot_product_flash_attention_for_cpu": _attention,
    "aten::_scaled_dot_product_flash_attention": _attention,
    "aten::_scaled_dot_product_efficient_attention": _attention,
    "aten::_scaled_dot_product_cudnn_attention": _attention,
    "aten::_scaled_dot_product_fused_attention_overrideable": _attention,
    "aten::_scaled_dot_product_attention_math": _attention,
    "aten::mkldnn_rnn_layer": _recurrent,
    "torchvision::deform_conv2d": _deformed,
}
_KNOWN = ("aten", "prim", "prims")
_UNCOUNTED = frozenset(
    {
        *("_cdist_forward", "_euclidean_dist", "_trilinear", "_embedding_bag", "conv_tbc"),
        *("lstm", "gru", "rnn_tanh", "rnn_relu", "_cudnn_rnn"),
        *("grid_sampler_2d", "grid_sampler_3d", "grid_sampler_2d_cpu_fallback"),
        *("_native_multi_head_attention", "_transformer_encoder_layer_fwd"),
        *("_flash_attention_forward", "_efficient_attention_forward"),
        *("cholesky", "cholesky_solve", "cholesky_inverse", "triangular_solve", "lu_unpack"),
        *("_int_mm", "_scaled_mm", "_grouped_mm", "_scaled_grouped_mm"),
        *("_sparse_addmm", "_sparse_mm", "_sparse_sparse_matmul"),
    }
)
_UNCOUNTED_BEGINNINGS = ("_fft_", "linalg_", "_linalg_", "_thnn_", "quantized_", "_weight_int")
_NORMS = ("linalg_vector_norm",)
"""What is among these by its name, and normalises."""
