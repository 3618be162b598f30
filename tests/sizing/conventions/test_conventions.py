"""What other tools count, held to what they printed of the modules that `striate.build` gives.

Recorded with torch 2.14.1, torchinfo 1.8.0, fvcore 0.1.5.post20221221, ptflops 0.7.5 and thop
0.1.1.post2209072238; `benchmarks/conventions.py` runs them again.
"""

from __future__ import annotations

import json

import pytest

from striate import zoo
from striate.errors import UserError
from striate.layers import KINDS as ALL_KINDS
from striate.sizing import size
from striate.sizing.conventions import CONVENTIONS
from striate.sizing.conventions.nodes import MODULES
from striate.sizing.page import to_html
from striate.zoo.figures import FIGURES

TOOLS = ("torchinfo", "fvcore", "ptflops", "thop")

KINDS = {
    "conv3-8 nobias": (10_368, 10_368, 10_368, 10_368),
    "conv3-8": (10_656, 10_368, 10_656, 10_368),
    "conv2-8": (4_896, 4_608, 0, 0),
    "conv3-8 g2": (5_472, 5_184, 5_472, 5_184),
    "dwconv3": (1_440, 1_296, 1_440, 1_296),
    "tconv2-8/2": (19_584, 4_608, 5_760, 18_432),
    "tconv3-8 nobias": (10_368, 10_368, 10_368, 10_368),
    "localconv3-5": (6_660, 6_480, 6_480, 0),
    "p4lift3-5": (6_660, 25_920, 0, 0),
    "relu": (0, 0, 288, 0),
    "relu6": (0, 0, 144, 0),
    "gelu": (0, 0, 288, 0),
    "silu": (0, 0, 144, 0),
    "tanh": (0, 0, 0, 0),
    "sigmoid": (0, 0, 0, 0),
    "softmax": (0, 0, 144, 396),
    "dropout": (0, 0, 0, 0),
    "fc-10": (1_450, 1_440, 1_450, 1_440),
    "fc-10 nobias": (1_440, 1_440, 1_440, 1_440),
    "bn": (8, 288, 288, 576),
    "lrn5": (0, 0, 720, 0),
    "pool2": (0, 0, 288, 0),
    "avgpool2": (0, 0, 288, 36),
    "adaptavgpool2": (0, 144, 288, 160),
    "adaptmaxpool2": (0, 0, 288, 0),
    "gap": (0, 144, 288, 148),
    "gmp": (0, 0, 288, 0),
    "upsample2": (0, 0, 1_152, 0),
    "upsample2 bilinear": (0, 2_304, 1_152, 6_336),
    "l2pool2": (0, 0, 144, 0),
    "minpool2": (0, 0, 144, 0),
    "weightedpool2": (0, 144, 0, 0),
    "shuffle2": (0, 0, 0, 0),
    "(id + id)": (0, 0, 0, 0),
    "(id | id)": (0, 0, 0, 0),
    "(id * gap)": (0, 144, 288, 148),
    "flatten -> bn": (288, 288, 288, 576),
    "p4lift3-4 -> p4bn": (5_336, 21_888, 0, 0),
    "depthpool2": (0, 0, 0, 0),
    "crop1": (0, 0, 0, 0),
}
"""What the tools print of a layer behind an image of 4×6×6."""

NETWORKS = {
    "lenet5": (423_038, 416_520, 435_646, 418_096),
    "alexnet_2012": (725_066_088, 724_406_816, 729_361_336, 724_406_816),
    "googlenet": (1_498_391_752, 1_504_878_688, 1_517_133_608, 1_511_332_032),
    "googlenet_aux": (1_498_391_752, 1_504_878_688, 1_517_133_608, 1_511_332_032),
    "mobilenet_v2": (300_809_384, 314_193_216, 320_362_728, 327_550_720),
    "unet": (167_456_910_112, 150_428_424_448, 150_867_255_072, 167_322_556_672),
    "p4cnn": (2_918_570, 11_791_200, 163_520, 0),
    "se_resnet50": (4_091_769_368, 4_119_546_880, 4_146_008_568, 4_141_792_000),
    "shufflenet": (137_486_152, 143_505_312, 150_200_104, 149_593_248),
    "resnet18": (1_814_083_944, 1_819_065_856, 1_825_313_768, 1_824_033_792),
    "vgg11_bn": (7_616_530_792, 7_623_967_232, 7_658_538_984, 7_638_844_416),
    "fcn8s": (217_565_808_272, 181_529_034_048, 182_050_464_592, 217_431_570_816),
    "autoencoder": (4_776_944, 1_003_520, 1_032_560, 4_766_720),
    "quick": (16_222_272, 16_262_400, 16_143_616, 16_008_448),
    "inception_v3": (5_713_251_528, 5_731_282_144, 5_759_205_192, 5_751_221_568),
}


def printed(text: str) -> tuple[int, ...]:
    tallies = (size(text, convention=tool).tally for tool in TOOLS)
    return tuple(tally.printed if tally else -1 for tally in tallies)


def test_every_kind_that_tools_count_has_its_module() -> None:
    counted = {kind.words[0] for kind in ALL_KINDS if kind.role in ("conv", "linear", "norm")}
    assert counted <= set(MODULES)


@pytest.mark.parametrize("text", KINDS)
def test_every_kind_is_printed_as_the_tools_print_it(text: str) -> None:
    assert printed(f"input 4x6x6 -> {text}") == KINDS[text]


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_printed_as_the_tools_print_them(name: str) -> None:
    """Auxiliary classifiers run in training alone, and tools do not see them."""
    assert printed(name) == NETWORKS[name]


@pytest.mark.parametrize(
    ("text", "convention", "counted"),
    [
        # positions of the input, not of the output, and a bias for each output
        ("tconv2-8/2", "torchinfo", 4 * 8 * 4 * 36 + 8 * 144),
        ("tconv2-8/2", "thop", 4 * 8 * 4 * 36),
        # all turns of a filter; a class of Striate's own
        ("p4lift3-5", "torchinfo", 20 * 4 * 9 * 36 + 20 * 36),
        ("p4lift3-5", "ptflops", 20 * 4 * 9 * 36 + 20 * 36),
        ("p4lift3-5", "thop", 20 * 4 * 9 * 36),
        ("conv2-8", "ptflops", 8 * 4 * 4 * 36 + 8 * 36),
        ("conv2-8", "thop", 8 * 4 * 4 * 36),
        # once, though both the module and the function in it are watched
        ("relu", "ptflops", 144),
        ("pool2", "ptflops", 144),
        ("upsample2", "ptflops", 576),
    ],
)
def test_where_a_tool_is_wrong_its_convention_is_counted(
    text: str, convention: str, counted: int
) -> None:
    tally = size(f"input 4x6x6 -> {text}", convention=convention).tally
    assert tally is not None
    assert tally.counted == counted != tally.printed


def test_notes_say_where_a_tool_is_wrong_and_by_how_much() -> None:
    network = "input 4x6x6 -> (tconv2-8/2 | tconv2-8/2) -> conv3-4 nobias -> relu"
    notes = size(network, convention="torchinfo").notes
    assert notes[-1] == (
        "torchinfo 1.8.0 itself multiplies the weights of a transposed convolution with its "
        "output's positions: 27.65 k too many for tconv1, tconv2"
    )
    assert size(network, convention="ptflops").notes[-1] == (
        "ptflops 0.7.5 itself counts activations, pools and resizing twice: 576 too many for relu1"
    )
    assert size("input 4x6x6 -> conv2-8", convention="thop").notes == (
        "thop 0.1.1 itself passes over classes derived from torch's: 4,608 too few for conv1",
    )
    assert size("resnet18", convention="fvcore").notes == size("resnet18").notes


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", ["lenet5", "unet", "googlenet_aux", "mobilenet_v2", "p4cnn"])
def test_rows_sum_to_the_total_for_any_batch(name: str, convention: str) -> None:
    plain, ledger = size(name), size(name, convention=convention)
    assert ledger.tally is not None
    assert sum(row.counted or 0 for row in ledger.rows) == ledger.totals.counted
    assert ledger.totals.counted == ledger.tally.counted
    assert [row.macs for row in ledger.rows] == [row.macs for row in plain.rows]
    assert all(row.counted is None for row in plain.rows)
    many = size(name, convention=convention, batch=3).tally
    assert many is not None
    assert (many.counted, many.printed) == (3 * ledger.tally.counted, 3 * ledger.tally.printed)


@pytest.mark.parametrize("name", zoo.names())
def test_papers_count_what_is_counted_here_but_for_fixed_filters_and_taps(name: str) -> None:
    """Without attention the two conventions are one."""
    ledger = size(name, convention="papers")
    assert ledger.tally is not None
    assert ledger.tally.counted == ledger.tally.printed
    unlike = [row.name for row in ledger.rows if row.counted != row.macs]
    assert all("aux" in name for name in unlike)


@pytest.mark.parametrize(
    "figure",
    [f for f in FIGURES if f.quantity == "macs" and not f.why],
    ids=lambda f: f"{f.network} {f.said}",
)
def test_published_figures_follow_the_convention_of_papers(figure) -> None:
    """ "FLOPs" and "GFLOPS" of He 2015, Zhang 2017 and torchvision are multiply-adds too."""
    tally = size(figure.network, convention="papers").tally
    assert tally is not None
    assert figure.agrees(tally.counted)


def test_json_and_csv_say_what_was_counted() -> None:
    ledger = size("input 4x6x6 -> tconv2-8/2 -> relu", convention="torchinfo")
    data = json.loads(ledger.to_json())
    assert data["convention"] == {
        "name": "torchinfo",
        "version": "1.8.0",
        "word": "mult-adds",
        "counted": 5760,
        "printed": 19584,
    }
    assert [layer["counted"] for layer in data["layers"]] == [5760, 0]
    assert data["totals"]["counted"] == 5760
    assert data["notes"][-1]["rule"] == "convention"
    assert ledger.to_csv().splitlines()[1].endswith(",5760")
    plain = json.loads(size("lenet5").to_json())
    assert (plain["convention"], plain["totals"]["counted"]) == (None, None)


def test_the_table_has_a_column_for_it() -> None:
    network = "input 4x6x6 -> tconv2-8/2 -> relu"
    lines = size(network, convention="torchinfo").table(80).splitlines()
    assert lines[2:8] == [
        "layer              output params     MACs    torchinfo       bytes    jump sees",
        "───────────────────────────────────────────────────────────────────────────────",
        "tconv1 tconv2-8/2 8×12×12    136 ██ 4,608 ██     5,760 ██ 4.608 kB ██  0.5    1",
        "relu1  relu       8×12×12      –        –            –    4.608 kB ██  0.5    1",
        "───────────────────────────────────────────────────────────────────────────────",
        "total                        136    4,608        5,760    9.216 kB",
    ]
    assert "torchinfo 1.8.0: 5,760 mult-adds; the tool itself prints 19.58 k" in lines


@pytest.mark.parametrize("name", ["lenet5", "resnet152", "inception_v3", "googlenet_aux"])
@pytest.mark.parametrize("width", [80, 100])
def test_the_table_keeps_to_its_width(name: str, width: int) -> None:
    ledger = size(name, batch=1024, convention="torchinfo")
    for backward in (False, True):
        lines = ledger.table(width, backward=backward).splitlines()
        assert max(map(len, lines)) <= width
        assert {"layer", "params", "MACs", "torchinfo", "bytes"} <= set(lines[2].split())


def test_what_is_pasted_and_the_page_say_it_too() -> None:
    ledger = size("lenet5", convention="ptflops")
    line = "ptflops 0.7.5: 429.3 k MACs; the tool itself prints 435.6 k"
    markdown = ledger.to_markdown(backward=True)
    assert markdown.endswith(f"\n\n{line}\n")
    assert markdown.splitlines()[2].startswith(
        "| layer |  | output | params | MACs | ptflops | backward |"
    )
    assert f"<p>{line}</p>" in to_html(ledger)
    assert ">ptflops</th>" in to_html(ledger)


def test_an_unknown_convention_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        size("lenet5", convention="Torchinfos")
    assert str(caught.value) == "there is no convention 'Torchinfos'. Did you mean 'torchinfo'?"
    with pytest.raises(UserError) as caught:
        size("lenet5", convention="xyz")
    assert str(caught.value) == (
        "there is no convention 'xyz'. There are torchinfo, fvcore, ptflops, thop, papers"
    )
