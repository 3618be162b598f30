from __future__ import annotations

import pytest

from striate import zoo
from striate.sizing import size
from striate.sizing.table import big, big_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.00 k"),
        (61_706, "61.71 k"),
        (999_949, "999.9 k"),
        (999_950, "1.000 M"),
        (9_999_499, "9.999 M"),
        (9_999_500, "10.00 M"),
        (138_357_544, "138.4 M"),
        (15_470_264_320, "15.47 G"),
        (10**27, "1000.0 Y"),
    ],
)
def test_counts_in_four_digits(count: int, text: str) -> None:
    assert big(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.000 kB"), (12_845_056, "12.85 MB")],
)
def test_bytes_in_powers_of_ten(count: int, text: str) -> None:
    assert big_bytes(count) == text


def test_a_small_network() -> None:
    text = "input 3x32x16 -> block: [conv3-8/2 -> bn -> relu -> pool2] -> fc-10"
    assert size(text, batch=2).table().splitlines() == [
        "network · input 3×32×16 · batch of 2 · 12.29 kB",
        "",
        "layer                   output  params        MACs        bytes     jump   sees  from",
        "─────────────────────────────────────────────────────────────────────────────────────",
        "block.conv1  conv3-8/2  8×16×8     224 ▏   55.30 k ██  8.192 kB ██     2      3    −1",
        "     .bn1    bn         8×16×8      16           –     8.192 kB ██     2      3    −1",
        "     .relu1  relu       8×16×8       –           –     8.192 kB ██     2      3    −1",
        "     .pool1  pool2       8×8×4       –           –     2.048 kB ▌      4      5    −1",
        "fc1          fc-10          10   2,570 ██    5,120 ▏       80 B           whole",
        "─────────────────────────────────────────────────────────────────────────────────────",
        "total                            2,810     60.42 k     26.70 kB",
        "",
        "2,810 parameters · 60.42 k MACs (120.8 k FLOPs) · 26.70 kB of outputs",
        "backward: 65.54 k MACs",
        "most parameters: fc1 91% · block.conv1 8% · block.bn1 1%",
        "most MACs: block.conv1 92% · fc1 8%",
        "most bytes: block.conv1 31% · block.bn1 31% · block.relu1 31%",
    ]


def test_the_backward_pass_has_a_column_when_asked_for() -> None:
    ledger = size("input 3x8x8 -> conv3-8 -> dwconv3 -> fc-9")
    assert ledger.table(80, backward=True).splitlines()[2:9] == [
        "layer            output params       MACs    backward       bytes    jump  sees",
        "───────────────────────────────────────────────────────────────────────────────",
        "conv1   conv3-8   8×8×8    224 ▏  13.82 k ██  13.82 k ██ 2.048 kB ██    1     3",
        "dwconv1 dwconv3   8×8×8     80      4,608 ▋     9,216 █▍ 2.048 kB ██    1     5",
        "fc1     fc-9          9  4,617 ██   4,608 ▋     9,216 █▍     36 B         whole",
        "───────────────────────────────────────────────────────────────────────────────",
        "total                    4,921    23.04 k     32.26 k    4.132 kB",
    ]


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize(
    ("width", "backward"), [(80, False), (100, False), (100, True), (140, False)]
)
def test_the_table_keeps_to_its_width(name: str, width: int, backward: bool) -> None:
    ledger = size(name, batch=1024)
    lines = ledger.table(width, backward=backward).splitlines()
    assert max(len(line) for line in lines) <= width
    rules = [i for i, line in enumerate(lines) if line.startswith("─")]
    assert rules[1] - rules[0] - 1 == len(ledger.rows)


def test_nothing_is_left_out_at_a_hundred_columns() -> None:
    for name in zoo.names():
        header = size(name).table(100).splitlines()[2].split()
        shown = ["layer", "output", "params", "MACs", "bytes", "jump", "sees"]
        assert header[: len(shown)] == shown, name


def test_long_names_are_cut_in_front() -> None:
    label = "a" * 90
    lines = size(f"input 3x8x8 -> {label}: [conv3-4]").table(80).splitlines()
    assert lines[4].startswith("…aaa")
    assert ".conv1 " in lines[4]
    assert max(map(len, lines)) <= 80


def test_taps_are_told_below_and_shared_weights_in_their_rows() -> None:
    text = (
        f"input 3x16x16 -> a: conv3-3 -> tap early -> {'a' * 60}: again a "
        f"-> tap {'t' * 60} [gap -> fc-10] -> gap -> fc-10"
    )
    lines = size(text).table(80).splitlines()
    (shared,) = (line for line in lines if "shared" in line)
    assert "20.74 k" in shared
    assert lines[-2:] == [
        "tap early: 3×16×16 of a",
        "…" + f"tap {'t' * 60}: 10 of {'t' * 60}.fc1"[-79:],
    ]
    assert max(map(len, lines)) <= 80


def test_the_largest_layers_are_named() -> None:
    assert "most parameters: fc1 74% · fc2 12% · fc3 3%" in size("vgg16").table()
    assert "most MACs: none" in size("input 3x8x8 -> pool2").table()
