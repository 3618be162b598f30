"""The kinds of layers. A new kind is one class in one of these modules and one entry in `KINDS`."""

from striate.layers.base import (
    PADDING_WORDS,
    POINT,
    WHOLE,
    Layer,
    MismatchError,
    Pair,
    Setting,
    Shape,
    SizeError,
    Value,
    Window,
    product,
    show,
)
from striate.layers.convolution import Conv, DepthwiseConv, PointwiseConv, TransposedConv
from striate.layers.cropping import Crop
from striate.layers.depth_pooling import DepthPool
from striate.layers.group_convolution import P4Conv, P4Lift, P4mConv, P4mLift
from striate.layers.group_norm import P4BatchNorm, P4mBatchNorm
from striate.layers.group_pooling import P4mPool, P4Pool
from striate.layers.l2_pooling import L2Pool
from striate.layers.linear import FullyConnected
from striate.layers.local import LocalConv
from striate.layers.merging import Add, Concat, Multiply
from striate.layers.min_pooling import MinPool
from striate.layers.normalisation import BatchNorm, GroupNorm, LayerNorm, LocalResponseNorm
from striate.layers.padding import Pad
from striate.layers.pointwise import (
    ELU,
    GELU,
    Dropout,
    Flatten,
    HardSigmoid,
    HardSwish,
    Identity,
    LeakyReLU,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from striate.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
)
from striate.layers.scaling import Scale, Times
from striate.layers.shuffling import Shuffle
from striate.layers.slicing import Slice
from striate.layers.stochastic_depth import DropPath
from striate.layers.unpooling import Unpool
from striate.layers.upsampling import Upsample
from striate.layers.weighted_pooling import WeightedPool
from striate.layers.widening import Widen

KINDS: tuple[type[Layer], ...] = (
    Conv,
    DepthwiseConv,
    PointwiseConv,
    TransposedConv,
    LocalConv,
    P4Lift,
    P4Conv,
    P4Pool,
    P4BatchNorm,
    P4mLift,
    P4mConv,
    P4mPool,
    P4mBatchNorm,
    MaxPool,
    AvgPool,
    L2Pool,
    MinPool,
    WeightedPool,
    DepthPool,
    GlobalAvgPool,
    GlobalMaxPool,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Upsample,
    Crop,
    Pad,
    Slice,
    Shuffle,
    Widen,
    BatchNorm,
    LayerNorm,
    GroupNorm,
    LocalResponseNorm,
    Scale,
    Times,
    ReLU,
    ReLU6,
    LeakyReLU,
    ELU,
    GELU,
    SiLU,
    HardSwish,
    Mish,
    Tanh,
    Sigmoid,
    HardSigmoid,
    Softmax,
    Dropout,
    DropPath,
    Flatten,
    FullyConnected,
    Identity,
)
"""Every kind that a text can name, in the order in which help lists them."""

WORDS: dict[str, type[Layer]] = {word: kind for kind in KINDS for word in kind.words}
"""Every word of the notation that names a layer."""

__all__ = [
    "KINDS",
    "PADDING_WORDS",
    "POINT",
    "WHOLE",
    "WORDS",
    "Add",
    "Concat",
    "Dropout",
    "FullyConnected",
    "Layer",
    "MaxPool",
    "MismatchError",
    "Multiply",
    "Pair",
    "Setting",
    "Shape",
    "SizeError",
    "Unpool",
    "Value",
    "Window",
    "product",
    "show",
]
