"""The operations of ONNX that are read, each with what computes it in torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from striate.onnx_files import moving, sliding, values
from striate.onnx_files.given import Given

Rule = Callable[[Given], Tensor | tuple[Tensor, ...]]

OPERATIONS: dict[str, Rule] = {
    "Conv": sliding.convolution,
    "ConvTranspose": sliding.transposed,
    "MaxPool": sliding.max_pool,
    "AveragePool": sliding.mean_pool,
    "GlobalAveragePool": sliding.global_mean,
    "GlobalMaxPool": sliding.global_max,
    "Resize": sliding.resize,
    "Upsample": sliding.resize,
    "Gemm": values.gemm,
    "MatMul": values.folded(torch.matmul),
    "Einsum": lambda given: torch.einsum(
        given.setting("equation"), *(given.tensor(i) for i in range(len(given.values)))
    ),
    "BatchNormalization": values.batch_norm,
    "InstanceNormalization": values.instance_norm,
    "LayerNormalization": values.layer_norm,
    "GroupNormalization": values.group_norm,
    "LRN": values.response_norm,
    "Dropout": lambda given: functional.dropout(
        given.tensor(0), given.setting("ratio", 0.5), given.training
    ),
    "Relu": values.pointwise(functional.relu),
    "LeakyRelu": lambda given: functional.leaky_relu(given.tensor(0), given.setting("alpha", 0.01)),
    "PRelu": values.prelu,
    "Elu": lambda given: functional.elu(given.tensor(0), given.setting("alpha", 1.0)),
    "Celu": lambda given: functional.celu(given.tensor(0), given.setting("alpha", 1.0)),
    "Selu": values.pointwise(functional.selu),
    "Gelu": lambda given: functional.gelu(
        given.tensor(0), approximate=given.setting("approximate", "none")
    ),
    "Sigmoid": values.pointwise(torch.sigmoid),
    "HardSigmoid": values.hard_sigmoid,
    "HardSwish": values.pointwise(functional.hardswish),
    "Mish": values.pointwise(functional.mish),
    "Tanh": values.pointwise(torch.tanh),
    "Softplus": values.pointwise(functional.softplus),
    "Softsign": values.pointwise(functional.softsign),
    "Erf": values.pointwise(torch.erf),
    "Clip": values.clip,
    "Softmax": values.softmax,
    "LogSoftmax": values.log_softmax,
    "Add": values.folded(lambda one, other: one + other),
    "Sum": values.folded(lambda one, other: one + other),
    "Sub": values.folded(lambda one, other: one - other),
    "Mul": values.folded(lambda one, other: one * other),
    "Div": values.folded(lambda one, other: one / other),
    "Pow": values.power,
    "Max": values.extreme(torch.maximum),
    "Min": values.extreme(torch.minimum),
    "Sqrt": values.pointwise(torch.sqrt),
    "Exp": values.pointwise(torch.exp),
    "Log": values.pointwise(torch.log),
    "Abs": values.pointwise(torch.abs),
    "Neg": values.pointwise(torch.neg),
    "Reciprocal": values.pointwise(torch.reciprocal),
    "Floor": values.pointwise(torch.floor),
    "Ceil": values.pointwise(torch.ceil),
    "Round": values.pointwise(torch.round),
    "Sign": values.pointwise(torch.sign),
    "Sin": values.pointwise(torch.sin),
    "Cos": values.pointwise(torch.cos),
    "Not": values.pointwise(torch.logical_not),
    "Equal": values.folded(lambda one, other: one == other),
    "Greater": values.folded(lambda one, other: one > other),
    "GreaterOrEqual": values.folded(lambda one, other: one >= other),
    "Less": values.folded(lambda one, other: one < other),
    "LessOrEqual": values.folded(lambda one, other: one <= other),
    "Where": lambda given: torch.where(*(given.tensor(place) for place in range(3))),
    "ReduceMean": values.reduced("mean"),
    "ReduceSum": values.reduced("sum"),
    "ReduceMax": values.reduced("max"),
    "ReduceMin": values.reduced("min"),
    "ReduceL1": values.reduced("l1"),
    "ReduceL2": values.reduced("l2"),
    "ReduceSumSquare": values.reduced("sum of squares"),
    "ReduceLogSumExp": values.reduced("log of sum"),
    "ArgMax": moving.arg_max,
    "TopK": moving.top_k,
    "Identity": lambda given: given.tensor(0),
    "Cast": moving.cast,
    "Reshape": moving.reshape,
    "Flatten": moving.flatten,
    "Squeeze": moving.squeeze,
    "Unsqueeze": moving.unsqueeze,
    "Transpose": moving.transpose,
    "Concat": moving.concat,
    "Split": moving.split,
    "Slice": moving.cut,
    "Gather": moving.gather,
    "ScatterND": moving.scatter,
    "Expand": moving.expand,
    "Tile": moving.tile,
    "Pad": moving.pad,
    "DepthToSpace": moving.depth_to_space,
    "SpaceToDepth": moving.space_to_depth,
}
"""Operations on tensors; those on known numbers alone are in `known`."""
