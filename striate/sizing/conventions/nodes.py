"""What the torch module of a network in the notation would use, without torch."""

from __future__ import annotations

from typing import Any

from striate.graph import Graph, Node
from striate.layers import Shape
from striate.sizing.conventions.tally import Uses
from striate.sizing.conventions.use import Product, Use

MODULES: dict[str, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(("conv", "dwconv", "pwconv"), (("Conv2d",), "conv2d")),
    "tconv": (("ConvTranspose2d",), "conv_transpose2d"),
    "localconv": (("Computed",), "bmm"),
    **dict.fromkeys(
        ("p4lift", "p4conv", "p4mlift", "p4mconv"), (("GroupConv2d", "Conv2d"), "conv2d")
    ),
    "fc": (("Linear",), "linear"),
    "bn": (("BatchNorm2d",), "batch_norm"),
    **dict.fromkeys(("p4bn", "p4mbn"), (("GroupBatchNorm2d", "BatchNorm2d"), "batch_norm")),
    "ln": (("LayerNorm2d", "LayerNorm"), "layer_norm"),
    "gn": (("GroupNorm",), "group_norm"),
    "scale": (("ChannelScale",), "mul"),
    "times": (("Computed",), "mul"),
    "lrn": (("LocalResponseNorm",), "local_response_norm"),
    "relu": (("ReLU",), "relu"),
    "leakyrelu": (("LeakyReLU",), "leaky_relu"),
    "elu": (("ELU",), "elu"),
    "relu6": (("ReLU6",), "hardtanh"),
    "gelu": (("GELU",), "gelu"),
    "silu": (("SiLU",), "silu"),
    "softmax": (("Softmax",), "softmax"),
    "pool": (("MaxPool2d",), "max_pool2d"),
    "avgpool": (("AvgPool2d",), "avg_pool2d"),
    **dict.fromkeys(("gap", "adaptavgpool"), (("AdaptiveAvgPool2d",), "adaptive_avg_pool2d")),
    **dict.fromkeys(("gmp", "adaptmaxpool"), (("AdaptiveMaxPool2d",), "adaptive_max_pool2d")),
    "l2pool": (("Computed",), "avg_pool2d"),
    "minpool": (("Computed",), "max_pool2d"),
    "weightedpool": (("Computed",), "conv2d"),
    "upsample": (("Upsample",), "interpolate"),
}
"""The module of each kind and the function in it, where a tool counts one of them."""
_OWN = ("Computed", "GroupConv2d", "GroupBatchNorm2d", "LayerNorm2d", "ChannelScale")
"""Classes of striate's."""
_ELSEWHERE = {"conv2d": "torch", "conv_transpose2d": "torch", "bmm": "torch", "mul": ""}
"""Functions that are not in torch.nn.functional."""


def uses(graph: Graph, batch: int) -> list[Uses]:
    """What each node uses. Tools run a network in evaluation, and what only taps need is not."""
    needed = {graph.end}
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index in needed:
            needed.update(graph.nodes[index].inputs)
    return [
        _uses(graph, node, batch) if index in needed else Uses() for index, node in enumerate(graph)
    ]


def _uses(graph: Graph, node: Node, batch: int) -> Uses:
    """The module and the function in it that a node becomes; nothing where no tool counts them."""
    if node.kind not in MODULES:
        return Uses()
    names, function = MODULES[node.kind]
    shapes = graph.shapes_into(node)
    image = (batch, *shapes[0])
    if node.kind == "fc" and len(shapes[0]) > 1:
        image = (batch, node.layer.weights(shapes)["weight"][1])
    output = (batch, *node.output)
    macs = batch * node.layer.macs(shapes, node.output)
    weights = node.layer.weights(shapes)
    products = (Product("convolution", macs, bool(weights)),) if macs else ()
    settings = _settings(node)
    if node.kind == "ln" and len(shapes[0]) == 1:
        names = names[1:]
    own = names[0] in _OWN or _is_uneven(node, shapes)
    if names == ("Conv2d",) and own:
        names = ("UnevenConv2d", "Conv2d")
    home = "striate" if own else "torch.nn"
    module = Use(names, (image,), output, weights, products, home, settings=settings)
    place = _ELSEWHERE.get(function, "torch.nn.functional")
    settings = settings | {"affine": "weight" in weights}
    called = Use(
        (function,), (image,), output, {}, products, place, inside=module, settings=settings
    )
    return Uses((module,), (called,))


def _is_uneven(node: Node, shapes: tuple[Shape, ...]) -> bool:
    """Whether a convolution is padded at one side more than at the other, which torch's is not."""
    if node.kind not in ("conv", "dwconv", "pwconv"):
        return False
    axes: Any = node.layer
    return any(axis.before != axis.after for axis in axes.axes(shapes))


def _settings(node: Node) -> dict[str, object]:
    if node.kind == "upsample":
        return {"mode": "bilinear" if getattr(node.layer, "bilinear", False) else "nearest-exact"}
    if node.kind == "softmax":
        return {"dim": 1}
    if node.kind == "lrn":
        return {"size": getattr(node.layer, "size", 0)}
    return {}
