"""From an ONNX file to its graph: nodes, weights and inputs; nothing of it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from striate.errors import UserError

if TYPE_CHECKING:
    import onnx

SMALL = 4096
"""Constants of at most so many values are read even where weights are not: shapes, axes, limits."""
FLOATS = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")


@dataclass(frozen=True)
class Node:
    """One operation of the graph."""

    operation: str
    name: str
    inputs: tuple[str, ...]
    """The values that it reads; empty for those left out."""
    outputs: tuple[str, ...]
    settings: Mapping[str, Any]
    """Numbers, texts, lists of these, and arrays."""


@dataclass(frozen=True)
class Weight:
    """One tensor that the file holds."""

    shape: tuple[int, ...]
    floating: bool
    value: np.ndarray[Any, Any] | None
    """None for one that was not read."""


@dataclass(frozen=True)
class GraphInput:
    """What the network is given: its shape, with None for a size that the file leaves open."""

    name: str
    shape: tuple[int | None, ...]
    floating: bool


@dataclass(frozen=True)
class OnnxGraph:
    """The graph of a file."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Weight]
    constants: Mapping[str, np.ndarray[Any, Any]]
    """What the graph itself states."""
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    opset: int


def read(path: Path, *, values: bool = False) -> OnnxGraph:
    """Read a file; with `values` its weights too. Raises UserError with what is wrong with it."""
    try:
        import onnx
        from onnx import inliner
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path} is an ONNX file, and onnx is not installed: "
            "python -m pip install 'striate[onnx]'"
        ) from error
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:
        raise UserError(f"{path} is not an ONNX file, or only the beginning of one") from error
    if not model.graph.node:
        raise UserError(f"{path} is not an ONNX file, or has no operations")
    if model.functions:
        model = inliner.inline_local_functions(model)
    graph = model.graph
    read_tensor = _Tensors(path, values)
    weights = {each.name: read_tensor(each) for each in graph.initializer}
    nodes = [_node(each) for each in graph.node]
    opsets = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    return OnnxGraph(
        nodes=tuple(node for node in nodes if node.operation != "Constant"),
        weights=weights,
        constants={n.outputs[0]: _constant(n) for n in nodes if n.operation == "Constant"},
        inputs=tuple(_input(each) for each in graph.input if each.name not in weights),
        outputs=tuple(each.name for each in graph.output),
        opset=max(opsets, default=1),
    )


def _node(node: onnx.NodeProto) -> Node:
    domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
    settings = {each.name: _setting(each) for each in node.attribute}
    inputs, outputs = tuple(node.input), tuple(node.output)
    return Node(domain + node.op_type, node.name, inputs, outputs, settings)


def _constant(node: Node) -> np.ndarray[Any, Any]:
    for name, value in node.settings.items():
        if name.startswith("value_"):
            return np.array(value, dtype=np.float32 if "float" in name else np.int64)
    value = node.settings.get("value")
    return value if isinstance(value, np.ndarray) else np.array(0)


def _setting(attribute: onnx.AttributeProto) -> Any:
    import onnx

    if attribute.type == onnx.AttributeProto.TENSOR:
        return onnx.numpy_helper.to_array(attribute.t)
    value = onnx.helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def _input(value: onnx.ValueInfoProto) -> GraphInput:
    import onnx

    kind = value.type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    name = onnx.TensorProto.DataType.Name(kind.elem_type)
    return GraphInput(value.name, tuple(size or None for size in sizes), name in FLOATS)


class _Tensors:
    """Reads the tensors of a file: all of them, or small constants alone."""

    def __init__(self, path: Path, values: bool) -> None:
        self.path = path
        self.values = values

    def __call__(self, tensor: onnx.TensorProto) -> Weight:
        import onnx

        shape = tuple(tensor.dims)
        floating = onnx.TensorProto.DataType.Name(tensor.data_type) in FLOATS
        count = int(np.prod(shape, dtype=np.int64))
        outside = tensor.data_location == onnx.TensorProto.EXTERNAL
        if not self.values and (count > SMALL or (floating and outside)):
            return Weight(shape, floating, None)
        try:
            value = onnx.numpy_helper.to_array(tensor, base_dir=str(self.path.parent))
        except Exception as error:
            where = f" in {_location(tensor.external_data)}" if outside else ""
            raise UserError(
                f"{self.path}: the values of {tensor.name!r}{where} are missing or incomplete"
            ) from error
        return Weight(shape, floating, value)


def _location(entries: Sequence[onnx.StringStringEntryProto]) -> str:
    return next((each.value for each in entries if each.key == "location"), "another file")
