"""Names for the layers of an ONNX graph, as near to those of the network that was exported."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from striate.onnx_files.reading import Node, OnnxGraph

_ENDINGS = (".weight", ".bias", ".gamma", ".running_mean")


def names(nodes: Sequence[Node], graph: OnnxGraph, ready: Mapping[str, Node]) -> list[str]:
    """One name for each node, by dots; none is the beginning of another one's.

    That of the module whose weights it reads, also where these are made ready first; else the path
    that PyTorch's exporter gives it (`/layer1/layer1.0/relu/Relu`); else its own name, or that of
    its operation.
    """
    wished = [_wished(node, graph, ready) for node in nodes]
    taken = Counter(wished)
    inner = {name[:i] for name in wished for i in range(len(name)) if name[i] == "."}
    apart = [
        f"{name}.{node.operation.lower()}" if name in inner or taken[name] > 1 else name
        for node, name in zip(nodes, wished, strict=True)
    ]
    found: dict[str, None] = {}
    for name in apart:
        tries = (name if count == 1 else f"{name}_{count}" for count in itertools.count(1))
        found[next(each for each in tries if each not in found)] = None
    return list(found)


def _wished(node: Node, graph: OnnxGraph, ready: Mapping[str, Node]) -> str:
    for name in node.inputs:
        while name in ready:
            name = ready[name].inputs[0]
        ending = next((each for each in _ENDINGS if name.endswith(each)), None)
        if name in graph.weights and ending:
            return _clean(name.removesuffix(ending))
    if node.name.startswith("/"):
        return _path(node)
    return _clean(node.name) or node.operation.lower()


def _path(node: Node) -> str:
    """`/layer1/layer1.0/relu/Relu` is `layer1.0.relu`: each part repeats what holds it, or not."""
    *parts, last = node.name.strip("/").split("/")
    found: list[str] = []
    for part in parts:
        if found and part.startswith(f"{found[-1]}."):
            found.pop()
        found.append(part)
    if not re.fullmatch(rf"{node.operation}(_\d+)?", last) or not parts:
        found.append(last)
    elif last != node.operation:  # a second one in the same module
        found.append(last.lower())
    return _clean(".".join(found))


def _clean(name: str) -> str:
    """Parts between dots that can name modules."""
    return ".".join(part for part in re.sub(r"[^\w.]+", "_", name).strip("_").split(".") if part)


def split_path(name: str) -> tuple[Sequence[str], str]:
    """The modules that hold a layer, and its own name in the last of them."""
    *holders, own = name.split(".")
    return holders, own
