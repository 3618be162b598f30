"""Networks in ONNX files as torch modules. Nothing in a file is run but its graph of operations."""

from striate.onnx_files.network import OnnxNetwork, load_onnx
from striate.onnx_files.reading import read

__all__ = ["OnnxNetwork", "load_onnx", "read"]
