"""Axes through views, held to where torch's views really put every value."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from striate.transcribing.layouts import Layout, flat, plain, reshaped, shuffled, whole

SIZES = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=2, max_size=4)


def places(layout: Layout, sizes: tuple[int, ...]) -> Tensor:
    """Of each value of a tensor with this layout, its place in what the layer gives."""
    strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    found = torch.zeros(())
    for axis in layout:
        along = torch.zeros(1)
        for run in axis:
            steps = torch.arange(run.size) * run.stride * strides[run.axis]
            along = (along[:, None] + steps).reshape(-1)
        found = (found[..., None] + along).reshape(*found.shape, -1)
    return found.long()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([2, 3]), SIZES, st.data())
def test_any_chain_of_views(batch: int, sizes: list[int], data: st.DataObject) -> None:
    shape = tuple(sizes[:3]) if len(sizes) > 2 else (sizes[0],)
    tensor = torch.arange(batch * math.prod(shape)).reshape(batch, *shape)
    whole_shape, layout = tuple(tensor.shape), plain(batch, shape)
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            order = data.draw(st.sampled_from(list(permutations(range(tensor.dim())))))
            tensor, layout = tensor.permute(order), tuple(layout[axis] for axis in order)
        else:
            cuts = data.draw(st.lists(st.sampled_from([1, 2, 3, 4]), max_size=3))
            rest, left = divmod(tensor.numel(), math.prod(cuts))
            assume(not left)
            found = reshaped(layout, (*cuts, rest))
            assume(found is not None)
            assert found is not None
            tensor, layout = tensor.reshape(*cuts, rest), found
        assert torch.equal(places(layout, whole_shape), tensor)


def test_a_flattened_volume() -> None:
    assert reshaped(plain(2, (3, 4, 5)), (2, 60)) == flat(2, (3, 4, 5))
    assert flat(2, (7,)) == plain(2, (7,))
    assert flat(2, (3, 1, 1)) == plain(2, (3,))


def test_axes_that_are_cut_across_have_no_layout() -> None:
    assert reshaped(plain(2, (3, 4, 4)), (4, 24)) is None
    assert reshaped(plain(2, (4, 9, 1)), (2, 6, 6)) is None


def test_what_is_put_together_again_is_itself() -> None:
    layout = plain(2, (12, 4, 4))
    apart = reshaped(layout, (2, 3, 4, 16))
    assert apart is not None
    assert reshaped(apart, (2, 12, 4, 4)) == layout


@pytest.mark.parametrize(("channels", "groups"), [(6, 2), (6, 3), (8, 4), (12, 3)])
def test_a_shuffle_is_known_by_its_runs(channels: int, groups: int) -> None:
    runs = reshaped((whole(1, channels),), (groups, channels // groups))
    assert runs is not None
    dealt = reshaped((runs[1], runs[0]), (channels,))
    assert dealt is not None
    assert shuffled(dealt[0], channels) == groups
    image = torch.arange(channels).reshape(1, channels, 1, 1).float()
    found = torch.nn.functional.channel_shuffle(image, groups)
    assert torch.equal(places(((), dealt[0]), (1, channels)), found.reshape(1, channels).long())


def test_other_orders_are_no_shuffle() -> None:
    assert shuffled(whole(1, 6), 6) == 0
    assert shuffled((), 1) == 0
