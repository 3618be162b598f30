"""Every kind of layer against the torch layer that it says computes it."""

from __future__ import annotations

import re
import warnings
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from striate.layers import KINDS, WORDS, Add, Concat, Layer, MismatchError, Shape, product
from striate.layers.convolution import Conv, DepthwiseConv, PointwiseConv, TransposedConv
from striate.layers.linear import FullyConnected
from striate.layers.normalisation import LocalResponseNorm
from striate.layers.pooling import AdaptiveAvgPool, AvgPool, MaxPool
from striate.layers.windows import effective, pads

SIZES = st.integers(1, 12)
PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
PADDINGS = st.one_of(
    st.sampled_from(["same", "valid", "full"]), st.integers(0, 3), st.tuples(SIZES, SIZES)
)
VOLUMES = st.tuples(st.sampled_from([1, 2, 4, 6]), SIZES, SIZES)


@st.composite
def windowed(draw: st.DrawFn) -> Layer:
    kernel, stride, padding = draw(PAIRS), draw(PAIRS), draw(PADDINGS)
    dilation, groups, bias = draw(PAIRS), draw(st.sampled_from([1, 1, 2])), draw(st.booleans())
    kind = draw(st.sampled_from([Conv, DepthwiseConv, TransposedConv, MaxPool, AvgPool]))
    if kind is Conv:
        return Conv(kernel, draw(st.sampled_from([2, 4])), stride, padding, dilation, groups, bias)
    if kind is DepthwiseConv:
        return DepthwiseConv(kernel, 0, stride, padding, dilation, 1, bias)
    if kind is TransposedConv:
        return TransposedConv(kernel, 4, stride, padding, (0, 0), dilation, groups, bias)
    assume(padding != "full")
    return kind(kernel, stride, padding, draw(st.booleans()))


def fitting(layer: Layer, volume: Shape) -> Shape:
    try:
        return layer.output((volume,))
    except MismatchError:
        assume(False)
        raise


@settings(max_examples=300, deadline=None)
@given(windowed(), VOLUMES)
def test_shape_parameters_and_macs_are_those_of_torch(layer: Layer, volume: Shape) -> None:
    output = fitting(layer, volume)
    module = layer.module((volume,))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        found = module(torch.zeros(1, *volume))
    assert tuple(found.shape[1:]) == output
    held = {name: tuple(weight.shape) for name, weight in module.named_parameters()}
    assert held == layer.weights((volume,))
    assert 2 * layer.macs((volume,), output) == counter.get_total_flops()


@settings(max_examples=150, deadline=None)
@given(windowed(), VOLUMES)
def test_a_unit_reads_its_window_and_nothing_else(layer: Layer, volume: Shape) -> None:
    """The gradient of output 0 and of the last output has its support inside the window."""
    assume(not isinstance(layer, TransposedConv))
    output = fitting(layer, volume)
    window = layer.window((volume,), output)
    averaging = (
        AvgPool(layer.kernel_size, layer.stride, layer.padding, layer.ceil)
        if isinstance(layer, MaxPool)
        else layer
    )
    module = averaging.module((volume,)).double()
    for weight in module.parameters():
        torch.nn.init.ones_(weight)
    image = torch.ones(1, *volume, dtype=torch.float64, requires_grad=True)
    result = module(image)
    for unit in ((0, 0), (output[1] - 1, output[2] - 1)):
        (gradient,) = torch.autograd.grad(result[0, 0, *unit], image, retain_graph=True)
        for axis in (0, 1):
            support = gradient[0].abs().sum((0, 2 - axis)).nonzero().flatten().tolist()
            first = unit[axis] * window.stride[axis] - window.before[axis]
            read = {int(first + j * window.dilation[axis]) for j in range(window.kernel_size[axis])}
            assert set(support) <= read
            if gradient.any():
                assert set(support) == {i for i in read if 0 <= i < volume[1 + axis]}


@given(st.integers(1, 9), st.integers(1, 5))
def test_the_extent_of_a_dilated_kernel_is_that_of_the_notes(kernel: int, dilation: int) -> None:
    assert effective(kernel, dilation) == kernel + (kernel - 1) * (dilation - 1)


@pytest.mark.parametrize("kernel", range(1, 9))
def test_same_keeps_the_size_for_every_kernel(kernel: int) -> None:
    assert Conv((kernel, kernel), 2).output(((3, 9, 11),)) == (2, 9, 11)
    rows, _ = pads("same", (kernel, kernel), (1, 1), (1, 1))
    assert sum(rows) == kernel - 1
    module = Conv((kernel, kernel), 2).module(((3, 9, 11),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module(torch.zeros(1, 3, 9, 11)).shape == (1, 2, 9, 11)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_an_even_filter_is_padded_as_torch_does() -> None:
    image = torch.randn(2, 3, 9, 11)
    module = Conv((4, 6), 2, dilation=(1, 3)).module(((3, 9, 11),))
    reference = torch.nn.Conv2d(3, 2, (4, 6), padding="same", dilation=(1, 3))
    reference.load_state_dict(module.state_dict())
    torch.testing.assert_close(module(image), reference(image))


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [(k, s) for k in range(1, 7) for s in range(1, 5) if s > 1 or k % 2],
)
def test_a_transposed_convolution_enlarges_by_its_stride(kernel: int, stride: int) -> None:
    layer = TransposedConv((kernel, kernel), 2, (stride, stride))
    assert layer.output(((3, 5, 7),)) == (2, 5 * stride, 7 * stride)
    assert layer.module(((3, 5, 7),))(torch.zeros(1, 3, 5, 7)).shape[2:] == (5 * stride, 7 * stride)


def test_known_sizes_of_the_notes() -> None:
    """CS231n and Dumoulin & Visin (arXiv 1603.07285): the worked examples."""
    assert Conv((5, 5), 64, padding="valid").output(((3, 224, 224),)) == (64, 220, 220)
    assert Conv((5, 5), 64, padding=2).output(((3, 224, 224),)) == (64, 224, 224)
    assert Conv((3, 3), 2, (2, 2), 1).output(((3, 5, 5),)) == (2, 3, 3)
    assert Conv((3, 3), 16, padding="valid").output(((3, 32, 32),)) == (16, 30, 30)
    assert Conv((5, 5), 6, padding="valid").output(((1, 32, 32),)) == (6, 28, 28)
    assert Conv((3, 3), 1, padding="full").output(((1, 5, 5),)) == (1, 7, 7)
    assert Conv((3, 3), 1, (2, 2), 1).remainder(((1, 6, 6),)) == (1, 1)
    assert Conv((3, 3), 1, (2, 2), 1).lost(((1, 6, 6),)) == (0, 0)
    assert MaxPool((2, 2)).lost(((1, 33, 32),)) == (1, 0)


def test_known_weights_of_the_notes() -> None:
    conv = Conv((5, 5), 64, padding="valid")
    weights = conv.weights(((3, 224, 224),))
    assert sum(map(product, weights.values())) == 3 * 5 * 5 * 64 + 64 == 4864
    assert FullyConnected(1).weights(((3, 32, 32),))["weight"] == (1, 3072)
    assert product(Conv((3, 3), 1).weights(((20, 16, 16),))["weight"]) == 180
    assert Conv((5, 5), 16).weights(((8, 9, 9),))["weight"] == (16, 8, 5, 5)


def test_depthwise_separable_costs_the_published_share() -> None:
    """Howard et al. 2017, section 3.1: 1/out_channels + 1/kernel²."""
    shape, k, out = (32, 14, 14), 3, 64
    depthwise, pointwise = DepthwiseConv((k, k)), PointwiseConv(out_channels=out)
    separable = depthwise.macs((shape,), (32, 14, 14)) + pointwise.macs((shape,), (out, 14, 14))
    standard = Conv((k, k), out).macs((shape,), (out, 14, 14))
    assert separable / standard == pytest.approx(1 / out + 1 / k**2)


def test_local_response_normalisation_is_the_papers_formula() -> None:
    """Krizhevsky et al. 2012, section 3.3, with n = 5, k = 2, alpha = 1e-4, beta = 0.75."""
    values = torch.rand(1, 7, 3, 3, dtype=torch.float64) * 50
    module = LocalResponseNorm().module(((7, 3, 3),))
    expected = torch.empty_like(values)
    for i in range(7):
        near = values[:, max(0, i - 2) : min(6, i + 2) + 1].pow(2).sum(1)
        expected[:, i] = values[:, i] / (2 + 1e-4 * near) ** 0.75
    assert torch.allclose(module(values), expected)


def test_an_adaptive_pool_sees_the_whole_input_where_torch_does() -> None:
    for size in range(1, 15):
        for cells in range(1, 9):
            layer = AdaptiveAvgPool((cells, cells))
            window = layer.window(((1, size, size),), (1, cells, cells))
            image = torch.ones(1, 1, size, size, requires_grad=True)
            result = layer.module(((1, size, size),))(image)
            reached = []
            for cell in range(cells):
                (gradient,) = torch.autograd.grad(result[0, 0, cell, 0], image, retain_graph=True)
                reached.append(int((gradient[0, 0].sum(1) > 0).sum()))
            assert window.whole == all(reach == size for reach in reached)


def test_merges_add_channels_or_keep_the_shape() -> None:
    assert Concat().output(((64, 28, 28), (128, 28, 28), (32, 28, 28))) == (224, 28, 28)
    assert Add().output(((64, 28, 28), (64, 28, 28))) == (64, 28, 28)


MISFITS = [
    (
        Conv((7, 7), 8, padding="valid"),
        ((3, 5, 9),),
        "conv's filter of 7×7 is larger than its padded input of 5×9. Pad it with p1x0, use a "
        "smaller filter, or shrink the image less before it",
    ),
    (
        MaxPool((3, 3), (2, 2), 2),
        ((3, 9, 9),),
        "a pool's padding may be at most half of its window of 3, not 2. Use at most p1",
    ),
    (
        Conv((3, 3), 8, groups=3),
        ((4, 9, 9),),
        "groups=3 does not divide the 4 input channels. Choose a common divisor of 4 and 8",
    ),
    (
        DepthwiseConv((3, 3), 10),
        ((4, 9, 9),),
        "a depthwise convolution of 4 channels gives a multiple of 4 channels, not 10. Leave the "
        "number out, or follow it with conv1-10",
    ),
    (
        TransposedConv((4, 4), 8),
        ((4, 9, 9),),
        "a transposed convolution with an even filter of 4 and stride 1 cannot keep its input's "
        "size. Use an odd filter, or give the padding as a number, such as p1",
    ),
    (
        MaxPool((2, 2)),
        ((10,),),
        "pool needs a volume of C×H×W, but its input is a vector of 10 values: it was flattened "
        "before. Move this layer before the first fc or flatten, or use a 1×1 convolution (conv1) "
        "in place of that fc",
    ),
    (
        Concat(),
        ((8, 16, 16), (8, 8, 8)),
        "branches joined along depth must agree in height and width, but they give 8×16×16 and "
        "8×8×8. Give every branch the same stride: the larger one needs /2",
    ),
    (
        Add(),
        ((8, 16, 16), (4, 16, 16)),
        "branches that are added must have one shape, but they give 8×16×16 and 4×16×16. End each "
        "with the same number of channels; a shortcut can be conv1-8 in place of id",
    ),
]


@pytest.mark.parametrize(("layer", "inputs", "message"), MISFITS)
def test_a_misfit_says_what_fits(layer: Layer, inputs: tuple[Shape, ...], message: str) -> None:
    with pytest.raises(MismatchError) as error:
        layer.output(inputs)
    assert str(error.value) == message


def test_every_word_names_one_kind_and_every_setting_a_field() -> None:
    assert len(WORDS) == sum(len(kind.words) for kind in KINDS)
    for kind in KINDS:
        names = {field.name for field in fields(kind)}
        assert {setting.name for setting in kind.settings} <= names
        assert {kind.number, kind.dash, kind.slash} - {""} <= names
        assert {name for name, _ in kind.flags.values()} <= names
        assert kind.example
        assert kind.summary


def test_the_kind_that_contributing_shows_is_the_real_one() -> None:
    root = Path(__file__).parents[2]
    page = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    python = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    files = ("striate/layers/shuffling.py", "tests/layers/test_shuffling.py")
    assert python == [(root / file).read_text(encoding="utf-8") for file in files]
    diffs = "".join(re.findall(r"^```diff\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    added = re.findall(r"^[+ ](.+)$", diffs, re.MULTILINE)
    shown = [root / "striate/layers/__init__.py", root / "docs/notation.md"]
    lines = "\n".join(path.read_text(encoding="utf-8") for path in shown).splitlines()
    assert len(added) == 4
    assert set(added) <= set(lines)
