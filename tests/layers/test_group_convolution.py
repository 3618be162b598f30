"""Convolutions over turns and mirrorings: the definition, costs, and equivariance on images."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from striate import build
from striate.layers import MismatchError
from striate.layers.group_convolution import P4Conv, P4Lift, P4mConv, P4mLift
from striate.layers.groups import combine, inverse, turned

KINDS = [P4Lift, P4Conv, P4mLift, P4mConv]


def digits(count: int = 3) -> Tensor:
    """Handwritten digits, 8×8."""
    return torch.from_numpy(load_digits().images[:count])[:, None] / 16


def photograph(side: int) -> Tensor:
    """A landscape in colour that no turn or mirroring leaves as it is: sky, sun, hills, grain."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    sky = np.stack([0.4 + 0.4 * rows, 0.6 + 0.2 * rows, 1 - 0.3 * rows])
    sun = (rows - 0.25) ** 2 + (columns - 0.7) ** 2 < 0.02
    hills = rows > 0.6 + 0.15 * np.sin(7 * columns) - 0.1 * columns
    picture = np.where(sun, np.array([1, 0.9, 0.3])[:, None, None], sky)
    picture = np.where(hills, np.array([0.2, 0.5, 0.15])[:, None, None] * (1.3 - rows), picture)
    grain = np.random.default_rng(0).normal(scale=0.05, size=picture.shape)
    return torch.from_numpy(picture + grain)[None]


def features_turned(volume: Tensor, element: int, order: int) -> Tensor:
    """What the features of a turned image must be: turned, and each moved on to its new element."""
    before = volume.unflatten(1, (-1, order))
    after = [before[:, :, combine(inverse(element), channel)] for channel in range(order)]
    return turned(torch.stack(after, 2), element).flatten(1, 2)


def drawn(layer: P4Lift, volume: tuple[int, ...]) -> torch.nn.Module:
    module = layer.module((volume,)).double()
    for weight in module.parameters():
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(1))
    return module


def by_definition(layer: P4Lift, image: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Cohen & Welling 2016, equations 10 and 11, value by value, with matrices for elements.

    `f ⋆ ψ (t, g) = Σ_y Σ_h f_h(y) ψ_{g⁻¹h}(g⁻¹(y − t))`, for odd filters at stride 1.
    """
    turn, mirror = np.array([[0, -1], [1, 0]]), np.diag([1, -1])
    power = np.linalg.matrix_power
    matrices = [power(turn, e % 4) @ (mirror if e >= 4 else np.eye(2, dtype=int)) for e in range(8)]
    order, lifting = layer.order, layer.copies == 1
    reach = layer.kernel_size[0] // 2
    n, _, height, width = image.shape
    read = image.reshape(n, -1, layer.copies, height, width)
    found = torch.zeros(n, layer.out_channels, order, height, width, dtype=image.dtype)
    offsets = [np.array(d) for d in itertools.product(range(-reach, reach + 1), repeat=2)]
    for g, h in itertools.product(range(order), range(layer.copies)):
        back = np.rint(np.linalg.inv(matrices[g])).astype(int)
        (slice_,) = (e for e in range(8) if np.array_equal(matrices[e], back @ matrices[h]))
        psi = weight if lifting else weight[:, slice_::order]
        for t in itertools.product(range(height), range(width)):
            for offset in offsets:
                y = np.array(t) + offset
                if (y >= 0).all() and (y < (height, width)).all():
                    place = back @ offset + reach
                    found[:, :, g, *t] += read[:, :, h, *y] @ psi[:, :, *place].T
    return (found + bias[:, None, None, None]).flatten(1, 2)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.words[0])
def test_it_is_the_group_correlation_of_the_paper(kind: type[P4Lift]) -> None:
    layer = kind((3, 3), 2)
    volume = (2 * layer.copies, 5, 4)
    module = drawn(layer, volume)
    image = torch.randn(1, *volume, dtype=torch.float64)
    expected = by_definition(
        layer, image, module.get_parameter("weight"), module.get_parameter("bias")
    )
    torch.testing.assert_close(module(image), expected)


KERNELS = st.integers(1, 4).map(lambda k: (k, k))
STEPS = st.integers(1, 3).map(lambda s: (s, s))
PADDINGS = st.one_of(st.sampled_from(["same", "valid", "full"]), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    KERNELS,
    STEPS,
    PADDINGS,
    STEPS,
    st.booleans(),
    st.integers(4, 9),
    st.integers(0, 7),
)
def test_whatever_it_accepts_is_equivariant(
    kind: type[P4Lift],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: str | int,
    dilation: tuple[int, int],
    bias: bool,
    side: int,
    element: int,
) -> None:
    layer = kind(kernel, 2, stride, padding, dilation, bias)
    assume(element < layer.order)
    volume = (layer.copies, side, side)
    try:
        output = layer.output((volume,))
    except MismatchError:
        assume(False)
    module = drawn(layer, volume)
    assert {n: tuple(w.shape) for n, w in module.named_parameters()} == layer.weights((volume,))
    image = torch.randn(1, *volume, dtype=torch.float64)
    into = turned(image, element)
    if layer.copies > 1:
        into = features_turned(image, element, layer.order)
    with FlopCounterMode(display=False) as counter:
        found = module(image)
    assert tuple(found.shape[1:]) == output
    assert counter.get_total_flops() == 2 * layer.macs((volume,), output)
    torch.testing.assert_close(module(into), features_turned(found, element, layer.order))


NETWORK = """
input {input}
-> {g}lift3-4 -> {g}bn -> relu -> {g}conv3-4{stride} -> {g}bn -> relu -> {pool}
-> {g}conv3-4 valid d2 -> tanh -> {g}pool -> conv1-3
"""


@pytest.mark.parametrize(("group", "order"), [("p4", 4), ("p4m", 8)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("images", "stride", "pool"),
    [
        (digits(), "", "id"),
        (photograph(32), "", "pool2"),
        (photograph(33), "/2", "pool3/2"),
        (photograph(32), "", "avgpool2 -> l2pool3/1 same"),
    ],
    ids=["digits", "photograph", "strides", "pools"],
)
def test_a_network_turns_with_its_image(
    group: str, order: int, training: bool, images: Tensor, stride: str, pool: str
) -> None:
    size = "x".join(str(n) for n in images.shape[1:])
    text = NETWORK.format(input=size, g=group, stride=stride, pool=pool)
    network = build(text, seed=0).double()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
        network(images)  # running statistics of its own
        network.train(training)
        plain = network(images)
        assert float(plain.std()) > 1e-3
        for element in range(order):
            found = network(turned(images, element))
            torch.testing.assert_close(found, turned(plain, element))


@pytest.mark.parametrize(("group", "order"), [("p4", 4), ("p4m", 8)])
def test_scores_do_not_change_when_the_digit_is_turned(group: str, order: int) -> None:
    text = f"input 1x8x8 -> {group}lift3-8 -> relu -> pool2 -> {group}conv3-8 -> {group}pool -> gap"
    network = build(f"{text} -> fc-10", seed=0).double()
    images = digits(10)
    scores = network(images)
    for element in range(order):
        torch.testing.assert_close(network(turned(images, element)), scores)
    plain = build("input 1x8x8 -> conv3-32 -> relu -> pool2 -> conv3-32 -> gap -> fc-10", seed=0)
    difference = plain.double()(turned(images, 1)) - plain(images)
    assert float(difference.abs().max().detach()) > 0.01


def test_p4_does_not_foresee_mirroring_but_p4m_does() -> None:
    images = photograph(16)
    moved = turned(images, 4)
    for group, same in (("p4", False), ("p4m", True)):
        network = build(f"input 3x16x16 -> {group}lift3-8 -> relu -> {group}pool -> gap", seed=0)
        scores, mirrored = network.double()(images), network(moved)
        assert torch.allclose(scores, mirrored) is same


def test_a_stored_filter_gets_the_gradient_of_all_its_turns() -> None:
    for kind in KINDS:
        layer = kind((3, 3), 1, (2, 2), "valid")
        module = drawn(layer, (layer.copies, 5, 5))
        names, weights = zip(*module.named_parameters(), strict=True)
        image = torch.randn(1, layer.copies, 5, 5, dtype=torch.float64, requires_grad=True)

        def run(
            image: Tensor,
            *weights: Tensor,
            module: torch.nn.Module = module,
            names: tuple[str, ...] = names,
        ) -> Tensor:
            held = dict(zip(names, weights, strict=True))
            return torch.func.functional_call(module, held, (image,))

        assert torch.autograd.gradcheck(run, (image, *weights))


@pytest.mark.parametrize(
    "layer", [P4Lift((3, 3), 2, (2, 2), 1), P4Conv((3, 3), 2, dilation=(2, 2), padding=1)]
)
def test_a_unit_reads_its_window(windows_are_right: Callable[..., None], layer: P4Lift) -> None:
    windows_are_right(layer, (layer.copies, 5, 7))


def test_weights_are_stored_once() -> None:
    lift, conv = P4Lift((3, 3), 16), P4mConv((3, 3), 16)
    assert lift.weights(((3, 9, 9),)) == {"weight": (16, 3, 3, 3), "bias": (16,)}
    assert conv.weights(((32, 9, 9),)) == {"weight": (16, 4 * 8, 3, 3), "bias": (16,)}
    assert lift.macs(((3, 9, 9),), (64, 9, 9)) == 16 * 4 * 3 * 9 * 81
    assert conv.macs(((32, 9, 9),), (128, 9, 9)) == 16 * 8 * 4 * 8 * 9 * 81


def test_first_weights_are_drawn_by_all_that_a_unit_reads() -> None:
    text = "input 3x9x9 -> p4lift5-64 -> relu -> p4conv3-64 -> p4bn -> relu -> p4pool -> gap"
    network = build(text, seed=0)
    for name, fan in (("p4lift1", 3 * 25), ("p4conv1", 64 * 4 * 9)):
        weight = network.get_parameter(f"{name}.weight")
        assert float(weight.detach().std()) == pytest.approx((2 / fan) ** 0.5, rel=0.03)
        assert not network.get_parameter(f"{name}.bias").any()


@pytest.mark.parametrize(
    ("layer", "volume", "message"),
    [
        (
            P4Conv((3, 3), 8),
            (10, 9, 9),
            "p4conv reads 4 channels for each feature, one for each turn, but its input has 10. "
            "Start with p4lift, which makes such channels of an image, and keep them until p4pool",
        ),
        (
            P4mLift((3, 5), 8),
            (3, 9, 9),
            "p4mlift's filter of 3×5 is another one after a quarter turn. Use one number for both "
            "axes: 3 or 5",
        ),
        (
            P4Lift((4, 4), 8),
            (3, 9, 9),
            "p4lift with an even filter of 4 and padding same is padded at one side, and a turned "
            "image at another. Use an odd filter, or give the padding as a number, such as p1",
        ),
        (
            P4Conv((3, 3), 8, (2, 2)),
            (8, 28, 28),
            "p4conv with stride 2 does not come to the end of its 28×28 input: of a turned image "
            "it would read other rows and columns, and find other values. Give it an input of "
            "27×27 or 29×29, or use stride 1 and then pool2",
        ),
        (
            P4Lift((3, 3), 8, (3, 3), "valid"),
            (1, 4, 6),
            "p4lift with stride 3 does not come to the end of its 4×6 input: of a turned image it "
            "would read other rows and columns, and find other values. Give it an input of 3×6 or "
            "6×6",
        ),
    ],
)
def test_what_breaks_it_is_told_with_what_fits(
    layer: P4Lift, volume: tuple[int, ...], message: str
) -> None:
    with pytest.raises(MismatchError) as error:
        layer.output((volume,))
    assert str(error.value) == message


def test_the_stride_that_is_refused_would_indeed_break_it() -> None:
    module = drawn(P4Lift((3, 3), 2, (2, 2), 1), (1, 9, 9))
    image = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    moved = features_turned(module(image), 1, 4)
    assert not torch.allclose(module(turned(image, 1)), moved)
