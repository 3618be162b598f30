"""Transposed convolutions that write unevenly, against torch with weights of one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from striate.graph import build_graph
from striate.notation import parse

RULE = "checkerboard"


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            "tconv3-16/2",
            "tconv3-16/2 writes a checkerboard: some pixels get 4 of its 9 weights and some get 1, "
            "as its stride of 2 does not divide its filter of 3. Take a filter of 4 or 2, or "
            "upsample2 -> conv3-16",
        ),
        (
            "tconv2-4/3 valid",
            "tconv2-4/3 valid writes a checkerboard: some pixels get 1 of its 4 weights and some "
            "get nothing at all, as its stride of 3 does not divide its filter of 2. Take a filter "
            "of 3, or upsample3 -> conv3-4",
        ),
        (
            "tconv4-4/2 d2",
            "tconv4-4/2 d2 writes a checkerboard: some pixels get 16 of its 16 weights and some "
            "get nothing at all, as its dilation of 2 steps over its stride of 2. Take a filter "
            "that is a multiple of the stride, without dilation",
        ),
    ],
)
def test_messages(told, layer: str, message: str) -> None:
    (lint,) = told(f"input 8x8x8 -> {layer}", RULE)
    assert (lint.level, lint.message, lint.column) == ("warning", message, 16)


def test_a_repetition_is_told_once_with_all_its_layers(told) -> None:
    (lint,) = told("input 8x8x8 -> [tconv3-8/2 -> relu]*2", RULE)
    assert lint.layers == ("tconv1", "tconv2")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kernel=st.integers(1, 6), stride=st.integers(1, 4), dilation=st.integers(1, 3))
def test_it_is_told_where_torch_writes_unevenly(
    told, kernel: int, stride: int, dilation: int
) -> None:
    text = f"input 1x24x24 -> tconv{kernel}-1/{stride} d{dilation} valid nobias"
    graph = build_graph(parse(text))
    module = graph.nodes[0].layer.module(((1, 24, 24),))
    with torch.no_grad():
        module.weight.fill_(1.0)
        margin = 20
        inner = module(torch.ones(1, 1, 24, 24))[0, 0, margin:-margin, margin:-margin]
    assert inner.numel() or stride == 1
    if not inner.numel():
        return
    lints = told(text, RULE)
    assert bool(lints) == (int(inner.min()) != int(inner.max()))
    if lints:
        fewest = int(inner.min()) or "nothing at all"
        assert f"some pixels get {int(inner.max())} of " in lints[0].message
        assert f"and some get {fewest}, as" in lints[0].message
