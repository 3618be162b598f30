"""What other tools count of torch networks, held to what these tools printed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import striate
from striate.modules.build import outline

TOOLS = ("torchinfo", "fvcore", "ptflops", "thop")


class Applied(nn.Module):
    """A function of an image."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Shared(nn.Module):
    """One filter at two places of a network, each used once."""

    def __init__(self) -> None:
        super().__init__()
        one = nn.Conv2d(4, 4, 3, padding=1)
        self.first, self.second = nn.Sequential(one, nn.ReLU()), nn.Sequential(one)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Own(nn.Conv2d):
    """A class derived from torch's."""


def timm_attention() -> nn.Module:
    from timm.layers.attention import Attention

    return Attention(8, num_heads=2, qkv_bias=True)


IMAGE, ROW = (4, 6, 6), (5, 8)
PRINTED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    "Conv1d": (lambda: nn.Conv1d(5, 6, 3), ROW, (576, 540, 576, 540)),
    "Conv2d, a class of its own": (lambda: nn.Sequential(Own(4, 6, 3)), IMAGE, (222, 3_456, 0, 0)),
    "ConvTranspose2d of groups": (
        lambda: nn.ConvTranspose2d(4, 8, 2, stride=2, groups=2),
        IMAGE,
        (10_368, 2_304, 3_456, 9_216),
    ),
    "one filter at two places": (Shared, IMAGE, (10_656, 10_368, 21_600, 41_472)),
    "Linear": (lambda: nn.Linear(8, 3), ROW, (27, 120, 135, 120)),
    "LayerNorm": (lambda: nn.LayerNorm(8), ROW, (16, 200, 40, 160)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), IMAGE, (8, 720, 288, 0)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(4), IMAGE, (0, 576, 144, 288)),
    "BatchNorm2d, plain": (lambda: nn.BatchNorm2d(4, affine=False), IMAGE, (0, 144, 144, 288)),
    "batch_norm of this batch": (
        lambda: Applied(lambda x: F.batch_norm(x, None, None, training=True)),
        IMAGE,
        (0, 576, 0, 0),
    ),
    "LeakyReLU, ELU": (lambda: nn.Sequential(nn.LeakyReLU(), nn.ELU()), IMAGE, (0, 0, 432, 0)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2), IMAGE, (0, 576, 1_152, 576)),
    "LSTM": (lambda: nn.LSTM(8, 4, batch_first=True), ROW, (1_120, 0, 1_320, 1_280)),
    "GRU": (lambda: nn.GRU(8, 4, 2, bidirectional=True), ROW, (3_360, 0, 3_920, 3_920)),
    "MultiheadAttention": (Heads, ROW, (0, 1_280, 1_930, 0)),
    "Attention of timm": (lambda: nn.Sequential(timm_attention()), ROW, (288, 1_280, 490, 1_280)),
    "F.relu": (lambda: Applied(lambda x: F.relu(x)), IMAGE, (0, 0, 144, 0)),
    "torch.relu": (lambda: Applied(torch.relu), IMAGE, (0, 0, 0, 0)),
    "F.softmax": (lambda: Applied(lambda x: F.softmax(x, 1)), IMAGE, (0, 0, 144, 0)),
    "F.adaptive_avg_pool2d": (
        lambda: Applied(lambda x: F.adaptive_avg_pool2d(x, 1)),
        IMAGE,
        (0, 144, 144, 0),
    ),
    "F.interpolate": (
        lambda: Applied(lambda x: F.interpolate(x, (9, 9), mode="bilinear")),
        IMAGE,
        (0, 1_296, 324, 0),
    ),
    "F.grid_sample": (
        lambda: Applied(lambda x: F.grid_sample(x, torch.zeros(1, 3, 3, 2), align_corners=False)),
        IMAGE,
        (0, 144, 0, 0),
    ),
    "a mean": (lambda: Applied(lambda x: x.mean((2, 3))), IMAGE, (0, 0, 0, 0)),
    "@": (lambda: Applied(lambda x: x @ x.transpose(1, 2)), ROW, (0, 200, 0, 0)),
    "torch.matmul": (
        lambda: Applied(lambda x: torch.matmul(x, x.transpose(1, 2))),
        ROW,
        (0, 200, 200, 0),
    ),
    "torch.bmm": (
        lambda: Applied(lambda x: torch.bmm(x, x.transpose(1, 2))),
        ROW,
        (0, 200, 200, 0),
    ),
    "einsum": (lambda: Applied(lambda x: torch.einsum("nlc,nmc->nlm", x, x)), ROW, (0, 200, 0, 0)),
    "fused attention": (
        lambda: Applied(lambda x: F.scaled_dot_product_attention(*[x[:, None]] * 3)),
        ROW,
        (0, 0, 0, 0),
    ),
}


def tally(
    model: nn.Module | str, shape: tuple[int, ...] | None, convention: str
) -> tuple[int, int]:
    """What is counted, and what the tool is said to print."""
    found = striate.size(model, input=shape, convention=convention).tally
    assert found is not None
    return found.counted, found.printed


@pytest.mark.parametrize("name", PRINTED)
def test_modules_and_functions_are_printed_as_the_tools_print_them(name: str) -> None:
    make, shape, expected = PRINTED[name]
    assert tuple(tally(make(), shape, tool)[1] for tool in TOOLS) == expected


NETWORKS = {
    "torchvision:resnet50": (4_089_238_376, 4_111_512_576, 4_132_436_968, 4_133_742_592),
    "torchvision:vit_b_32": (173_119_720, 4_367_906_304, 4_418_839_336, 2_951_368_704),
    "torchvision:convnext_tiny": (322_371_592, 4_470_437_376, 4_488_347_368, 4_464_149_760),
    "torchvision:googlenet": (1_498_391_752, 1_504_878_688, 1_513_907_448, 1_511_332_032),
    "timm:efficientnet_b0": (385_825_092, 399_352_864, 392_108_448, 385_878_752),
    "timm:vit_tiny_patch16_224": (34_470_760, 1_079_579_328, 912_887_404, 1_074_851_328),
    "timm:levit_128s": (58_232_752, 307_239_776, 282_872_272, 285_449_216),
    "timm:coat_lite_tiny": (112_718_376, 1_598_306_112, 1_649_274_472, 1_797_588_096),
}
"""What the tools print of one image in evaluation mode."""


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_printed_as_the_tools_print_them(name: str) -> None:
    assert tuple(tally(name, None, tool)[1] for tool in TOOLS) == NETWORKS[name]


@pytest.mark.parametrize(
    "text",
    [
        *("conv3-8", "conv2-8", "dwconv3", "tconv2-8/2", "localconv3-5", "p4lift3-4 -> p4bn"),
        *("relu", "relu6", "gelu", "silu", "tanh", "sigmoid", "softmax", "fc-10", "bn", "lrn5"),
        *("pool2", "avgpool2", "adaptavgpool2", "adaptmaxpool2", "gap", "gmp", "upsample2"),
        *("upsample2 bilinear", "l2pool2", "minpool2", "weightedpool2", "(id + id)"),
        *("(id * gap)", "flatten -> bn", "a: conv1-4 -> again a", "tap t [conv1-2] -> fc-3"),
    ],
)
@pytest.mark.parametrize("convention", [*TOOLS, "papers"])
def test_a_text_and_its_module_are_counted_alike(text: str, convention: str) -> None:
    network = f"input 4x6x6 -> {text}"
    expected = striate.size(network, convention=convention, batch=2)
    found = striate.size(outline(network), input=(4, 6, 6), convention=convention, batch=2)
    assert found.tally == expected.tally
    by_name = {row.name.replace("#", "_"): row.counted for row in found.rows}
    for row in expected.rows:
        assert by_name.get(row.name, 0) == row.counted, row.name


@pytest.mark.parametrize("name", ["googlenet_aux", "mobilenet_v2", "segnet", "shufflenet"])
def test_a_network_of_the_zoo_and_its_module_are_counted_alike(name: str) -> None:
    for convention in (*TOOLS, "papers"):
        found = striate.size(outline(name), convention=convention)
        assert found.tally == striate.size(name, convention=convention).tally


def test_where_tools_are_wrong_their_convention_is_counted() -> None:
    linear, pairs = 8 * 3 * 5, 5 * 5 * 8
    assert tally(nn.Linear(8, 3), ROW, "torchinfo") == (linear + 5 * 3, 8 * 3 + 3)
    assert tally(Shared(), IMAGE, "thop")[0] == 2 * 4 * 4 * 9 * 36
    assert tally(Shared(), IMAGE, "ptflops")[0] == 2 * (4 * 4 * 9 + 4) * 36 + 144
    fused = PRINTED["fused attention"][0]()
    assert tally(fused, ROW, "fvcore") == (2 * pairs, 0)
    assert tally(fused, ROW, "ptflops") == (2 * pairs, 0)
    assert striate.size(fused, input=ROW, convention="fvcore").notes[-1] == (
        "fvcore 0.1.5 itself has no handle for fused attention: 400 too few for "
        "scaled_dot_product_flash_attention_for_cpu"
    )


def test_papers_leave_out_products_of_two_activations() -> None:
    """DeiT's and ViT's figures differ by them; torch's and Striate's MACs hold them."""
    counted, _ = tally(Heads(), ROW, "papers")
    assert counted == 5 * 4 * 8 * 8
    assert striate.size(Heads(), input=ROW).totals.macs == counted + 2 * 5 * 5 * 8
    weighed = Applied(lambda x: torch.einsum("nlc,nmc->nlm", x, x))
    assert tally(weighed, ROW, "papers") == (0, 0)


def test_what_runs_in_training_alone_is_not_counted() -> None:
    ledger = striate.size("torchvision:googlenet", convention="papers")
    auxiliary = [row for row in ledger.rows if row.name.startswith("aux")]
    assert sum(row.macs for row in auxiliary) > 0
    assert sum(row.counted or 0 for row in auxiliary) == 0
    assert ledger.totals.counted == ledger.totals.macs - sum(row.macs for row in auxiliary)
