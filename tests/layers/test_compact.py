"""Layers in few letters."""

from __future__ import annotations

import pytest

from striate.graph import build_graph
from striate.layers.compact import compact
from striate.notation import parse


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("conv3-64/2 nobias", "conv3-64/2"),
        ("conv3x5-64 d2 g4 p1", "conv3x5-64 d2 g4"),
        ("pool2", "pool2"),
        ("pool3/2", "pool3/2"),
        ("minpool3/3", "minpool3"),
        ("p4lift3-8/1", "p4lift3-8"),
        ("shuffle4", "shuffle4"),
        ("upsample2", "upsample2"),
        ("upsample2x3 bilinear", "upsample2x3 bilinear"),
        ("crop2", "crop2"),
        ("crop2 a0x1", "crop2 a0x1"),
        ("droppath.25", "droppath0.25"),
        ("pad0 a1", "pad0 a1"),
        ("slice2-4", "slice2-4"),
        ("gn4", "gn4"),
        ("leakyrelu", "leakyrelu0.01"),
    ],
)
def test_short_forms(text: str, short: str) -> None:
    (node,) = build_graph(parse(f"input 8x32x32 -> {text}"))
    assert compact(node.layer) == short
