"""Each operation computes what ONNX's own reference evaluator does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import striate
from striate.onnx_files.network import ALWAYS_KNOWN
from striate.onnx_files.operations import OPERATIONS

Arrays = dict[str, np.ndarray[Any, Any]]
IMAGE = (2, 4, 7, 6)


def given(*shape: int, least: float = -1.0) -> np.ndarray[Any, Any]:
    found = np.random.default_rng(sum(shape)).uniform(least, 1.0, shape)
    return found.astype(np.float32)


def whole(*numbers: int) -> np.ndarray[Any, Any]:
    return np.array(numbers, dtype=np.int64)


def model(
    nodes: list[onnx.NodeProto], weights: Arrays, image: tuple[int, ...] = IMAGE, opset: int = 18
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in nodes[-1].output],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def compare(path: Path, made: onnx.ModelProto, image: np.ndarray[Any, Any]) -> None:
    onnx.save(made, str(path))
    expected = ReferenceEvaluator(made).run(None, {"image": image})
    with torch.no_grad():
        found = striate.load_onnx(path)(torch.from_numpy(image))
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert tuple(ours.shape) == theirs.shape
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=2e-5, atol=2e-5)


K = {"kernel_shape": [3, 2]}
SLICE = {"s": whole(1, -4), "e": whole(9, -1), "a": whole(2, 3), "st": whole(2, 1)}
CASES: list[tuple[str, str, dict[str, Any], Arrays]] = [
    ("plain", "Conv", {}, {"w": given(5, 4, 3, 2), "b": given(5)}),
    ("strided", "Conv", {"strides": [2, 1], "pads": [1, 1, 1, 1]}, {"w": given(5, 4, 3, 3)}),
    ("uneven pads", "Conv", {"pads": [0, 1, 2, 0]}, {"w": given(5, 4, 3, 3)}),
    ("dilated", "Conv", {"dilations": [2, 2]}, {"w": given(5, 4, 3, 2)}),
    ("grouped", "Conv", {"group": 2}, {"w": given(6, 2, 3, 3), "b": given(6)}),
    ("same upper", "Conv", {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, {"w": given(5, 4, 3, 3)}),
    ("same lower", "Conv", {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"w": given(5, 4, 2, 2)}),
    ("plain", "ConvTranspose", {}, {"w": given(4, 3, 3, 3), "b": given(3)}),
    (
        "strided",
        "ConvTranspose",
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"w": given(4, 3, 3, 3)},
    ),
    ("uneven", "ConvTranspose", {"pads": [0, 1, 1, 2]}, {"w": given(4, 3, 3, 4)}),
    ("plain", "MaxPool", K, {}),
    ("padded", "MaxPool", {**K, "strides": [2, 2], "pads": [1, 0, 1, 1]}, {}),
    ("ceil", "MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, {}),
    ("plain", "AveragePool", K, {}),
    ("padded", "AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, {}),
    (
        "padding counts",
        "AveragePool",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        {},
    ),
    ("plain", "GlobalAveragePool", {}, {}),
    ("plain", "GlobalMaxPool", {}, {}),
    (
        "plain",
        "BatchNormalization",
        {"epsilon": 1e-3},
        {"s": given(4), "b": given(4), "m": given(4), "v": given(4, least=0.2)},
    ),
    ("plain", "InstanceNormalization", {}, {"s": given(4), "b": given(4)}),
    ("last", "LayerNormalization", {}, {"s": given(6), "b": given(6)}),
    ("two axes", "LayerNormalization", {"axis": -2}, {"s": given(7, 6)}),
    ("one axis", "Squeeze", {}, {"axes": whole(0)}),
    *((op, op, {}, {"w": given(4, 1, 1)}) for op in ("Equal", "Greater", "GreaterOrEqual")),
    *((op, op, {}, {"w": given(4, 1, 1)}) for op in ("Less", "LessOrEqual")),
    ("whole", "Cast", {"to": 7}, {}),
    ("places", "ScatterND", {}, {"p": np.array([[1, 0], [0, 3]]), "new": given(2, 7, 6)}),
    ("in evaluation", "Dropout", {}, {"ratio": np.float32(0.5)}),
    ("scalar", "PRelu", {}, {"slope": given(1)}),
    ("channels", "PRelu", {}, {"slope": given(4, 1, 1)}),
    ("six", "Clip", {}, {"low": np.float32(0.0), "high": np.float32(0.5)}),
    ("inner", "Clip", {}, {"low": np.float32(-0.3), "high": np.float32(0.5)}),
    ("given", "HardSigmoid", {"alpha": 0.3, "beta": 0.4}, {}),
    ("sixth", "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, {}),
    ("given", "LeakyRelu", {"alpha": 0.2}, {}),
    ("given", "Elu", {"alpha": 0.7}, {}),
    ("given", "Celu", {"alpha": 0.7}, {}),
    ("channels", "Softmax", {"axis": 1}, {}),
    ("channels", "LogSoftmax", {"axis": 1}, {}),
    *((rule, rule, {"keepdims": 0}, {"axes": whole(2, 3)}) for rule in ("ReduceMean", "ReduceMax")),
    *((rule, rule, {}, {"axes": whole(-1)}) for rule in ("ReduceMin", "ReduceL1", "ReduceL2")),
    ("all", "ReduceSum", {}, {}),
    ("plain", "ReduceSumSquare", {}, {"axes": whole(1)}),
    ("plain", "ReduceLogSumExp", {}, {"axes": whole(1)}),
    *((op, op, {}, {"w": given(4, 1, 1)}) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    ("square", "Pow", {}, {"p": np.float32(2.0)}),
    ("plain", "MatMul", {}, {"w": given(6, 5)}),
    ("rest kept", "Reshape", {}, {"to": whole(0, 2, -1)}),
    ("plain", "Flatten", {}, {}),
    ("two", "Flatten", {"axis": 2}, {}),
    ("plain", "Transpose", {"perm": [0, 2, 3, 1]}, {}),
    ("no order", "Transpose", {}, {}),
    ("plain", "Unsqueeze", {}, {"axes": whole(0, -1)}),
    ("stepped", "Slice", {}, SLICE),
    ("one", "Gather", {"axis": 1}, {"places": np.array(2)}),
    ("several", "Gather", {"axis": 2}, {"places": np.array([[0, 5], [3, 3]])}),
    ("plain", "Expand", {}, {"to": whole(3, 1, 1, 1, 1)}),
    ("plain", "Tile", {}, {"by": whole(1, 2, 1, 2)}),
    ("zeros", "Pad", {}, {"pads": whole(0, 0, 1, 2, 0, 1, 0, 3)}),
    ("reflected", "Pad", {"mode": "reflect"}, {"pads": whole(0, 0, 1, 2, 0, 0, 2, 1)}),
    ("edges", "Pad", {"mode": "edge"}, {"pads": whole(0, 0, 1, 2, 0, 0, 2, 1)}),
    ("values", "Pad", {}, {"pads": whole(0, 0, 0, 2, 0, 0, 0, 0), "v": np.float32(0.5)}),
    ("DCR", "DepthToSpace", {"blocksize": 2}, {}),
    ("CRD", "DepthToSpace", {"blocksize": 2, "mode": "CRD"}, {}),
    ("plain", "ArgMax", {"axis": 1}, {}),
    ("bilinear", "Resize", {"mode": "linear"}, {"": whole(), "sizes": whole(2, 4, 14, 9)}),
    (
        "corners",
        "Resize",
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"": whole(), "sizes": whole(2, 4, 13, 11)},
    ),
    (
        "nearest",
        "Resize",
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"": whole(), "sizes": whole(2, 4, 14, 18)},
    ),
]
PLAIN = (
    *("Relu", "Selu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Erf", "Exp"),
    *("Abs", "Neg", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Identity", "Mish"),
)
CASES += [("plain", name, {}, {}) for name in PLAIN]


@pytest.mark.parametrize(
    ("operation", "settings", "weights"),
    [case[1:] for case in CASES],
    ids=[f"{case[1]}-{case[0]}" for case in CASES],
)
def test_an_operation(
    operation: str, settings: dict[str, Any], weights: Arrays, tmp_path: Path
) -> None:
    names = [*weights]
    if operation == "Resize":
        names = ["", "", "sizes"]  # no region, no scales
    node = helper.make_node(operation, ["image", *names], ["found"], **settings)
    stored = {name: np.asarray(value) for name, value in weights.items() if name}
    image = given(1, *IMAGE[1:]) if operation == "Squeeze" else given(*IMAGE)
    compare(tmp_path / "net.onnx", model([node], stored, image=image.shape), image)


def test_response_normalisation(tmp_path: Path) -> None:
    """The reference evaluator normalises as many channels as the batch has images."""
    settings = {"size": 3, "alpha": 0.01, "beta": 0.6, "bias": 1.5}
    node = helper.make_node("LRN", ["image"], ["found"], **settings)
    compare(tmp_path / "net.onnx", model([node], {}, image=(4, 4, 5, 6)), given(4, 4, 5, 6))


def test_a_grouped_transposed_convolution(tmp_path: Path) -> None:
    """Of each group what it is by itself; the reference evaluator has no groups here."""
    weight, image = given(4, 3, 3, 3), given(*IMAGE)
    node = helper.make_node("ConvTranspose", ["image", "w"], ["found"], group=2, strides=[2, 3])
    onnx.save(model([node], {"w": weight}), str(tmp_path / "net.onnx"))
    with torch.no_grad():
        found = striate.load_onnx(tmp_path / "net.onnx")(torch.from_numpy(image)).numpy()
    half = helper.make_node("ConvTranspose", ["image", "w"], ["found"], strides=[2, 3])
    for part in (0, 1):
        made = model([half], {"w": weight[2 * part :][:2]}, image=(2, 2, 7, 6))
        image_part = np.ascontiguousarray(image[:, 2 * part :][:, :2])
        [expected] = ReferenceEvaluator(made).run(None, {"image": image_part})
        np.testing.assert_allclose(found[:, 3 * part :][:, :3], expected, rtol=1e-5, atol=1e-5)


def test_a_sum_of_three(tmp_path: Path) -> None:
    node = helper.make_node("Sum", ["image", "w", "image"], ["found"])
    compare(tmp_path / "net.onnx", model([node], {"w": given(4, 1, 1)}), given(*IMAGE))


def test_a_mask_turned_over(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Less", ["image", "limit"], ["mask"]),
        helper.make_node("Not", ["mask"], ["found"]),
    ]
    compare(tmp_path / "net.onnx", model(nodes, {"limit": np.float32(0.1)}), given(*IMAGE))


def test_a_filled_tensor(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["ones"], value=numpy_helper.from_array(given(1))
        ),
        helper.make_node("Mul", ["image", "ones"], ["found"]),
    ]
    compare(tmp_path / "net.onnx", model(nodes, {}), given(*IMAGE))


def test_an_older_file_upsamples_from_corners(tmp_path: Path) -> None:
    node = helper.make_node("Upsample", ["image", "scales"], ["found"], mode="nearest")
    made = model([node], {"scales": np.array([1, 1, 2, 3], np.float32)}, opset=9)
    onnx.save(made, str(tmp_path / "net.onnx"))
    image = given(*IMAGE)
    found = striate.load_onnx(tmp_path / "net.onnx")(torch.from_numpy(image))
    assert np.array_equal(found.numpy(), image.repeat(2, axis=2).repeat(3, axis=3))


@pytest.mark.parametrize("operation", ["Sqrt", "Log", "Reciprocal"])
def test_an_operation_on_positive_values(operation: str, tmp_path: Path) -> None:
    node = helper.make_node(operation, ["image"], ["found"])
    compare(tmp_path / "net.onnx", model([node], {}), given(*IMAGE, least=0.1))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str, tmp_path: Path) -> None:
    node = helper.make_node("Gelu", ["image"], ["found"], approximate=approximate)
    compare(tmp_path / "net.onnx", model([node], {}, opset=20), given(*IMAGE))


def test_group_normalisation_by_channels(tmp_path: Path) -> None:
    node = helper.make_node("GroupNormalization", ["image", "s", "b"], ["found"], num_groups=2)
    weights = {"s": given(4), "b": given(4)}
    compare(tmp_path / "net.onnx", model([node], weights, opset=21), given(*IMAGE))


@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_gemm(turned: int, factor: float, tmp_path: Path) -> None:
    weight = given(5, 6) if turned else given(6, 5)
    node = helper.make_node(
        "Gemm", ["image", "w", "b"], ["found"], transB=turned, alpha=factor, beta=2 * factor
    )
    made = model([node], {"w": weight, "b": given(5)}, image=(3, 6))
    compare(tmp_path / "net.onnx", made, given(3, 6))


@pytest.mark.parametrize("opset", [11, 12])
def test_softmax_of_older_files_takes_all_axes_behind(opset: int, tmp_path: Path) -> None:
    node = helper.make_node("Softmax", ["image"], ["found"], axis=1)
    made = model([node], {}, opset=opset)
    onnx.save(made, str(tmp_path / "net.onnx"))
    image = torch.from_numpy(given(*IMAGE))
    expected = image.flatten(1).softmax(1).view(image.shape)
    assert torch.equal(striate.load_onnx(tmp_path / "net.onnx")(image), expected)


def test_parts_and_their_concatenation(tmp_path: Path) -> None:
    split = helper.make_node("Split", ["image", "sizes"], ["one", "other"], axis=1)
    joined = helper.make_node("Concat", ["other", "one"], ["found"], axis=1)
    compare(tmp_path / "net.onnx", model([split, joined], {"sizes": whole(1, 3)}), given(*IMAGE))


def test_the_greatest_values_and_their_places(tmp_path: Path) -> None:
    node = helper.make_node("TopK", ["image", "count"], ["values", "places"], axis=1)
    compare(tmp_path / "net.onnx", model([node], {"count": whole(2)}), given(*IMAGE))


def test_a_choice(tmp_path: Path) -> None:
    larger = helper.make_node("Greater", ["image", "limit"], ["mask"])
    chosen = helper.make_node("Where", ["mask", "image", "limit"], ["found"])
    made = model([larger, chosen], {"limit": np.float32(0.25)})
    compare(tmp_path / "net.onnx", made, given(*IMAGE))


def test_space_to_depth(tmp_path: Path) -> None:
    node = helper.make_node("SpaceToDepth", ["image"], ["found"], blocksize=2)
    compare(tmp_path / "net.onnx", model([node], {}, image=(2, 4, 6, 8)), given(2, 4, 6, 8))


def test_einsum(tmp_path: Path) -> None:
    node = helper.make_node("Einsum", ["image", "w"], ["found"], equation="nchw,oc->nohw")
    compare(tmp_path / "net.onnx", model([node], {"w": given(3, 4)}), given(*IMAGE))


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    """x.view(x.shape[0], -1, x.shape[2] * x.shape[3]), as exporters write it."""
    nodes = [
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Gather", ["shape", "two"], ["rows"]),
        helper.make_node("Gather", ["shape", "three"], ["columns"]),
        helper.make_node("Mul", ["rows", "columns"], ["area"]),
        helper.make_node("Slice", ["shape", "nought", "one"], ["count"]),
        helper.make_node("Unsqueeze", ["area", "nought"], ["last"]),
        helper.make_node("Concat", ["count", "rest", "last"], ["to"], axis=0),
        helper.make_node("Reshape", ["image", "to"], ["found"]),
    ]
    numbers = {"two": np.array(2), "three": np.array(3), "nought": whole(0), "one": whole(1)}
    made = model(nodes, {**numbers, "rest": whole(-1)})
    compare(tmp_path / "net.onnx", made, given(*IMAGE))


def test_every_operation_is_held_to_the_reference() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in (*OPERATIONS, *ALWAYS_KNOWN) if f'"{name}"' not in here] == []
