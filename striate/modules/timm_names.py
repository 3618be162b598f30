"""The names that timm gives the weighted layers of its networks, in order of execution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from striate.modules.torchvision_names import RESNETS, Names

_DEEP_STEM = (
    *(("conv1.0", "conv"), ("conv1.1", "bn")),
    *(("conv1.3", "conv"), ("conv1.4", "bn")),
    *(("conv1.6", "conv"), ("bn1", "bn")),
)
_MOBILENET_V1 = (1, 2, 2, 6, 2)
"""Depthwise separable convolutions in each stage."""


def _resnet(convolutions: int, stages: tuple[int, ...], *, averaged: bool) -> Names:
    """ResNet-C, or -D where shortcuts that halve the image average first."""
    yield from _DEEP_STEM
    for stage, blocks in enumerate(stages, start=1):
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            for i in range(1, convolutions + 1):
                yield from ((f"{prefix}.conv{i}", "conv"), (f"{prefix}.bn{i}", "bn"))
            if block == 0 and (stage > 1 or convolutions == 3):
                if averaged and stage > 1:
                    yield "", "avgpool"
                conv, bn = (1, 2) if averaged else (0, 1)
                yield f"{prefix}.downsample.{conv}", "conv"
                yield f"{prefix}.downsample.{bn}", "bn"
    yield "fc", "fc"


def _resnet_v2(convolutions: int, stages: tuple[int, ...]) -> Names:
    """Pre-activation: normalisation before each convolution, and once more at the end.

    timm writes the layer of the scores as a convolution of 1×1.
    """
    yield "stem.conv", "conv"
    for stage, blocks in enumerate(stages):
        for block in range(blocks):
            prefix = f"stages.{stage}.blocks.{block}"
            for i in range(1, convolutions + 1):
                yield from ((f"{prefix}.norm{i}", "bn"), (f"{prefix}.conv{i}", "conv"))
            if block == 0 and (stage > 0 or convolutions == 3):
                yield f"{prefix}.downsample.conv", "conv"
    yield from (("norm", "bn"), ("head.fc", "fc1x1"))


def _se_resnet(stages: tuple[int, ...]) -> Names:
    """Bottlenecks whose output is scaled by a squeeze-and-excite gate of two 1×1 convolutions."""
    yield from (("conv1", "conv"), ("bn1", "bn"))
    for stage, blocks in enumerate(stages, start=1):
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            for i in (1, 2, 3):
                yield from ((f"{prefix}.conv{i}", "conv"), (f"{prefix}.bn{i}", "bn"))
            yield from ((f"{prefix}.se.fc1", "conv"), (f"{prefix}.se.fc2", "conv"))
            if block == 0:
                yield from ((f"{prefix}.downsample.0", "conv"), (f"{prefix}.downsample.1", "bn"))
    yield "fc", "fc"


def _mobilenet_v1() -> Names:
    yield from (("conv_stem", "conv"), ("bn1", "bn"))
    for stage, blocks in enumerate(_MOBILENET_V1):
        for block in range(blocks):
            prefix = f"blocks.{stage}.{block}"
            yield from ((f"{prefix}.conv_dw", "conv"), (f"{prefix}.bn1", "bn"))
            yield from ((f"{prefix}.conv_pw", "conv"), (f"{prefix}.bn2", "bn"))
    yield "classifier", "fc"


TIMM: dict[str, Callable[[], Names]] = {
    **{f"{name}_c": partial(_resnet, *shape, averaged=False) for name, shape in RESNETS.items()},
    **{f"{name}_d": partial(_resnet, *shape, averaged=True) for name, shape in RESNETS.items()},
    **{f"{name}_preact": partial(_resnet_v2, *shape) for name, shape in RESNETS.items()},
    "se_resnet50": partial(_se_resnet, RESNETS["resnet50"][1]),
    "mobilenet_v1": _mobilenet_v1,
}
"""The networks that timm has beside torchvision's, by the names of the zoo."""
