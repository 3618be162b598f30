"""Cases, and what counts as equal."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from striate.equalities import Case, Pair, case_of
from striate.equalities.case import compare
from striate.errors import NotationError, ShapeError, UserError
from striate.layers.convolution import Conv, DepthwiseConv


def pair_of(left: list[float], right: list[float]) -> Pair:
    sides = (torch.tensor(side, dtype=torch.float64) for side in (left, right))
    return Pair("output", "one", next(sides), "other", next(sides), (0.0, 0.0))


def test_a_case_is_a_convolution_in_whole_numbers() -> None:
    case = case_of("conv3x1-4/2 p1 g2", (6, 8, 7), seed=3)
    assert isinstance(case.layer, Conv)
    assert case.shape == (6, 8, 7) and case.groups == 2
    assert tuple(case.weight.shape) == (4, 3, 3, 1) and tuple(case.bias.shape) == (4,)
    assert case.output_shape == tuple(case.by_torch().shape) == (4, 4, 5)
    for tensor in (case.image, case.weight, case.bias):
        assert tensor.dtype == torch.float64 and torch.equal(tensor, tensor.round())


def test_a_seed_gives_the_same_numbers_always() -> None:
    one, again, other = (case_of("conv3-2", (1, 5, 5), seed) for seed in (1, 1, 2))
    assert torch.equal(one.image, again.image) and torch.equal(one.weight, again.weight)
    assert not torch.equal(one.image, other.image)


def test_torch_takes_the_layer_s_own_module() -> None:
    """Padding that differs before and after, dilation and groups."""
    case = case_of("conv2x4-4 d2x1 g2", (2, 9, 9), seed=5)
    layer = case.layer.module((case.shape,)).double()
    layer.load_state_dict({"weight": case.weight, "bias": case.bias})
    assert torch.equal(layer(case.image[None])[0], case.by_torch())


def test_without_bias_there_is_none_to_add() -> None:
    assert not case_of("conv3-2 nobias", (1, 5, 5)).bias.any()


def test_a_depthwise_convolution_is_one_too() -> None:
    case = case_of("dwconv3", (4, 5, 5))
    assert isinstance(case.layer, DepthwiseConv) and case.groups == 4


@pytest.mark.parametrize("layer", ["pool2", "tconv2-3/2", "conv3-2 -> relu", "fc-10"])
def test_anything_else_is_refused(layer: str) -> None:
    with pytest.raises(UserError) as caught:
        case_of(layer, (1, 6, 6))
    assert str(caught.value) == (
        f"an equality is shown on one convolution, such as 'conv3-4/2 p1', not on {layer!r}"
    )


def test_mistakes_of_the_notation_are_underlined() -> None:
    with pytest.raises(NotationError, match=r"\^\^\^\^"):
        case_of("cnov3-2", (1, 6, 6))
    with pytest.raises(ShapeError, match="larger than its padded input"):
        case_of("conv9-2 valid", (1, 6, 6))


def test_tensors_that_do_not_fit() -> None:
    case = case_of("conv3-2", (3, 5, 5))
    with pytest.raises(UserError) as caught:
        replace(case, weight=case.weight[:, :2])
    assert str(caught.value) == (
        "the weight of conv over an image of 3×5×5 is 2×3×3×3, not 2×2×3×3"
    )
    with pytest.raises(UserError, match=r"^the bias of conv over an image of 3×5×5 is 2, not 1$"):
        replace(case, bias=case.bias[:1])
    with pytest.raises(UserError, match="larger than its padded input"):
        Case(replace(case.layer, padding="valid"), case.image[:, :2], case.weight, case.bias)


@pytest.mark.parametrize(
    ("left", "right", "difference", "equal"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, True),
        ([1.0, 2.0], [1.0, 2.0 + 1e-14], 1e-14, True),
        ([1.0, 2.0], [1.0, 2.0 + 1e-10], 1e-10, False),
        ([1e9, 0.0], [1e9, 1e-5], 1e-5, True),
        ([1.0, 2.0], [2.0], float("inf"), False),
        ([], [], 0.0, True),
    ],
)
def test_equal_but_for_rounding(left, right, difference: float, equal: bool) -> None:
    pair = pair_of(left, right)
    assert pair.difference == pytest.approx(difference, rel=0.2)
    assert pair.equal is equal


def test_what_is_not_a_number_is_not_equal() -> None:
    assert not pair_of([float("nan")], [float("nan")]).equal


def test_both_sides_are_computed_and_timed() -> None:
    numbers = torch.arange(3.0)
    pair = compare("sum", "left", lambda: numbers + 1, "right", lambda: numbers - 1)
    assert pair.difference == 2 and not pair.equal
    assert all(0 < seconds < 1 for seconds in pair.seconds)
