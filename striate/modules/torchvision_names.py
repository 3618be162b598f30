"""The names that torchvision gives the weighted layers of its networks, in order of execution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

Names = Iterator[tuple[str, str]]
"""Each layer's name and its kind: conv, bn, fc, or fc1x1 for an fc kept as a convolution of 1×1.

An average pool, which has no weights and so no name, is told where it sets two networks apart.
"""

_VGG = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
RESNETS = {
    "resnet18": (2, (2, 2, 2, 2)),
    "resnet34": (2, (3, 4, 6, 3)),
    "resnet50": (3, (3, 4, 6, 3)),
    "resnet101": (3, (3, 4, 23, 3)),
    "resnet152": (3, (3, 8, 36, 3)),
}
"""Convolutions in a block, two in a basic one and three in a bottleneck; blocks in each stage."""

_INCEPTIONS = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
_TAPPED = {"4a": "aux1", "4d": "aux2"}
_INVERTED_RESIDUALS = 17
_SQUARE = ("1x1", "5x5_1", "5x5_2", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3", "_pool")
_FACTORED = (
    "1x1",
    *(f"7x7_{i}" for i in (1, 2, 3)),
    *(f"7x7dbl_{i}" for i in range(1, 6)),
    "_pool",
)
_WIDE = (
    *("1x1", "3x3_1", "3x3_2a", "3x3_2b"),
    *("3x3dbl_1", "3x3dbl_2", "3x3dbl_3a", "3x3dbl_3b", "_pool"),
)
_MIXED = {
    **dict.fromkeys(("5b", "5c", "5d"), _SQUARE),
    "6a": ("3x3", "3x3dbl_1", "3x3dbl_2", "3x3dbl_3"),
    **dict.fromkeys(("6b", "6c", "6d", "6e"), _FACTORED),
    "7a": ("3x3_1", "3x3_2", *(f"7x7x3_{i}" for i in (1, 2, 3, 4))),
    **dict.fromkeys(("7b", "7c"), _WIDE),
}
"""Branches of each mixed part of Inception-v3."""


def _alexnet() -> Names:
    yield from ((f"features.{i}", "conv") for i in (0, 3, 6, 8, 10))
    yield from ((f"classifier.{i}", "fc") for i in (1, 4, 6))


def _vgg(stages: tuple[int, ...], norm: bool) -> Names:
    """Layers are counted with their activations and, at the end of a stage, the pool."""
    index = 0
    for convolutions in stages:
        for _ in range(convolutions):
            yield f"features.{index}", "conv"
            if norm:
                yield f"features.{index + 1}", "bn"
            index += 3 if norm else 2
        index += 1
    yield from ((f"classifier.{i}", "fc") for i in (0, 3, 6))


def _resnet(convolutions: int, stages: tuple[int, ...]) -> Names:
    yield from (("conv1", "conv"), ("bn1", "bn"))
    for stage, blocks in enumerate(stages, start=1):
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            for i in range(1, convolutions + 1):
                yield from ((f"{prefix}.conv{i}", "conv"), (f"{prefix}.bn{i}", "bn"))
            if block == 0 and (stage > 1 or convolutions == 3):
                yield from ((f"{prefix}.downsample.0", "conv"), (f"{prefix}.downsample.1", "bn"))
    yield "fc", "fc"


def _mobilenet_v2() -> Names:
    yield from (("features.0.0", "conv"), ("features.0.1", "bn"))
    for block in range(1, _INVERTED_RESIDUALS + 1):
        prefix = f"features.{block}.conv"
        stages = ("0",) if block == 1 else ("0", "1")  # the first block does not expand
        for stage in stages:
            yield from ((f"{prefix}.{stage}.0", "conv"), (f"{prefix}.{stage}.1", "bn"))
        yield from ((f"{prefix}.{len(stages)}", "conv"), (f"{prefix}.{len(stages) + 1}", "bn"))
    last = f"features.{_INVERTED_RESIDUALS + 1}"
    yield from ((f"{last}.0", "conv"), (f"{last}.1", "bn"))
    yield "classifier.1", "fc"


def _googlenet() -> Names:
    branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
    for prefix in ("conv1", "conv2", "conv3"):
        yield from _convolved(prefix)
    for part in _INCEPTIONS:
        for branch in branches:
            yield from _convolved(f"inception{part}.{branch}")
        if part in _TAPPED:
            tap = _TAPPED[part]
            yield from _convolved(f"{tap}.conv")
            yield from ((f"{tap}.fc1", "fc"), (f"{tap}.fc2", "fc"))
    yield "fc", "fc"


def _convolved(prefix: str) -> Names:
    """A convolution and its normalisation."""
    yield from ((f"{prefix}.conv", "conv"), (f"{prefix}.bn", "bn"))


def _inception_v3() -> Names:
    for part in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1"):
        yield from _convolved(part)
    yield from _convolved("Conv2d_4a_3x3")
    for part, branches in _MIXED.items():
        for branch in branches:
            yield from _convolved(f"Mixed_{part}.branch{branch}")
        if part == "6e":
            yield from (*_convolved("AuxLogits.conv0"), *_convolved("AuxLogits.conv1"))
            yield "AuxLogits.fc", "fc"
    yield "fc", "fc"


TORCHVISION: dict[str, Callable[[], Names]] = {
    "alexnet": _alexnet,
    **{name: partial(_vgg, stages, False) for name, stages in _VGG.items()},
    **{f"{name}_bn": partial(_vgg, stages, True) for name, stages in _VGG.items()},
    **{name: partial(_resnet, *shape) for name, shape in RESNETS.items()},
    "mobilenet_v2": _mobilenet_v2,
    "googlenet": _googlenet,
    "googlenet_aux": _googlenet,
    "inception_v3": _inception_v3,
}
"""The networks that torchvision has, by the names of the zoo.

Auxiliary classifiers are among the names, whether the network of the zoo has them or not."""
