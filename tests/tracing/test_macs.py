"""Multiply-accumulates forwards and backwards, held to closed forms and to torch's own count."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import striate
from striate import zoo
from striate.modules.build import outline

Costs = tuple[int, int]
"""MACs forwards and backwards."""


class Behind(nn.Module):
    """A layer behind something learned, so that its input has a gradient too."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.layer = layer

    def forward(self, image: Tensor) -> Tensor:
        return self.layer(image * self.scale)


def costs(model: nn.Module, shape: tuple[int, ...], batch: int = 2) -> Costs:
    totals = striate.size(model, input=shape, batch=batch).totals
    return totals.macs, totals.backward_macs


def torch_costs(model: nn.Module, shape: tuple[int, ...], batch: int = 2) -> Costs:
    """What FlopCounterMode says of a step with real numbers, two FLOPs for each MAC."""
    images = torch.randn(batch, *shape)
    with FlopCounterMode(display=False) as counter:
        result = model.train()(images)
        forward = counter.get_total_flops()
        result.sum().backward()
    return forward // 2, (counter.get_total_flops() - forward) // 2


class Applied(nn.Module):
    """A function of an image and some parameters."""

    def __init__(self, function: Callable[..., Tensor], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(shape)) for shape in shapes)

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image, *self.weights)


CONVOLUTIONS = {
    "plain": (nn.Conv2d(6, 4, 3, padding=1), 4 * 6 * 9 * 12 * 10),
    "stride": (nn.Conv2d(6, 4, 3, stride=2, padding=1), 4 * 6 * 9 * 6 * 5),
    "dilation": (nn.Conv2d(6, 4, 3, dilation=2), 4 * 6 * 9 * 8 * 6),
    "pointwise": (nn.Conv2d(6, 4, 1), 4 * 6 * 12 * 10),
    "transposed": (nn.ConvTranspose2d(6, 4, 3), 6 * 4 * 9 * 12 * 10),
    "transposed of stride 2": (nn.ConvTranspose2d(6, 4, 2, stride=2), 6 * 4 * 4 * 12 * 10),
    "transposed, cut off": (
        nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1),
        6 * 4 * 16 * 12 * 10,
    ),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions_of_one_group(kind: str) -> None:
    """Each product comes back in both gradients; FlopCounterMode says so too."""
    layer, macs = CONVOLUTIONS[kind]
    expected = 2 * macs, 2 * 2 * macs
    assert costs(Behind(layer), (6, 12, 10)) == torch_costs(Behind(layer), (6, 12, 10)) == expected
    assert costs(layer, (6, 12, 10)) == torch_costs(layer, (6, 12, 10)) == (2 * macs, 2 * macs)


class Blocks(nn.Module):
    """A convolution of groups as it is: one of one group for each block of channels."""

    def __init__(self, like: nn.Conv2d | nn.ConvTranspose2d) -> None:
        super().__init__()
        groups = like.groups
        self.blocks = nn.ModuleList(
            type(like)(
                like.in_channels // groups,
                like.out_channels // groups,
                like.kernel_size,
                stride=like.stride,
                padding=like.padding,
            )
            for _ in range(groups)
        )

    def forward(self, image: Tensor) -> Tensor:
        parts = image.chunk(len(self.blocks), 1)
        return torch.cat([f(x) for f, x in zip(self.blocks, parts, strict=True)], 1)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, groups=8),
        nn.Conv2d(8, 12, 3, padding=1, groups=4),
        nn.Conv2d(8, 6, 3, padding=1, groups=2),
        nn.ConvTranspose2d(8, 12, 2, stride=2, groups=4),
        nn.ConvTranspose2d(8, 8, 2, stride=2, groups=8),
    ],
    ids=lambda layer: f"{type(layer).__name__} {layer.in_channels} {layer.groups}",
)
def test_groups_cost_what_their_blocks_cost(layer: nn.Conv2d) -> None:
    """FlopCounterMode is right forwards, and of the blocks; backwards it ignores the groups.

    Its gradient of the weights is that of a convolution without groups, `groups` times too much.
    """
    blocks = Behind(Blocks(layer))
    forward, backward = costs(Behind(layer), (8, 12, 10))
    assert (forward, backward) == torch_costs(blocks, (8, 12, 10)) == costs(blocks, (8, 12, 10))
    assert backward == 2 * forward
    theirs = torch_costs(Behind(layer), (8, 12, 10))
    assert theirs == (forward, forward + layer.groups * forward)


MATRICES = {
    "linear": (lambda x, w: F.linear(x, w), [(5, 7)], (3, 7), 3 * 7 * 5, 1),
    "linear over more axes": (lambda x, w: F.linear(x, w), [(5, 7)], (2, 3, 7), 6 * 7 * 5, 1),
    "linear with bias": (F.linear, [(5, 7), (5,)], (2, 3, 7), 6 * 7 * 5, 1),
    "a view that is not contiguous": (
        lambda x, w, b: F.linear(x.transpose(1, 2), w, b),
        [(5, 7), (5,)],
        (7, 3),
        3 * 7 * 5,
        1,
    ),
    "matrix and vector": (lambda x, w: x @ w, [(7,)], (3, 7), 3 * 7, 1),
    "a product of the image with itself": (
        lambda x, w: x @ x.transpose(1, 2) * w,
        [()],
        (3, 7),
        3 * 7 * 3,
        0,
    ),
    "einsum": (
        lambda x, w: torch.einsum("nchw,cdw->ndh", x, w),
        [(4, 5, 6)],
        (4, 3, 6),
        4 * 3 * 6 * 5,
        1,
    ),
    "bmm": (lambda x, w: torch.bmm(x, w.expand(2, 7, 5)), [(7, 5)], (3, 7), 3 * 7 * 5, 1),
    "baddbmm": (
        lambda x, w, b: torch.baddbmm(b, x, w.expand(2, 7, 5)),
        [(7, 5), (2, 3, 5)],
        (3, 7),
        3 * 7 * 5,
        1,
    ),
    "addbmm": (
        lambda x, w, b: torch.addbmm(b, x, w.expand(2, 7, 5)),
        [(7, 5), (3, 5)],
        (3, 7),
        3 * 7 * 5,
        1,
    ),
    "tensordot": (lambda x, w: torch.tensordot(x, w, 2), [(3, 7, 5)], (3, 7), 3 * 7 * 5, 1),
    "two products in a row": (
        lambda x, w, v: x @ w @ v,
        [(7, 5), (5, 2)],
        (3, 7),
        3 * 7 * 5 + 3 * 5 * 2,
        None,
    ),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_products_of_matrices(kind: str) -> None:
    """The image has no gradient; `times` is how often a product comes back without it."""
    function, shapes, input, macs, times = MATRICES[kind]
    model = Applied(function, *shapes)
    backward = 3 * 7 * 5 + 2 * 3 * 5 * 2 if times is None else times * macs
    assert costs(model, input) == (2 * macs, 2 * backward)
    assert costs(Behind(model), input) == (2 * macs, 2 * 2 * macs)
    if kind not in ("matrix and vector", "addbmm"):  # FlopCounterMode passes these over
        assert torch_costs(model, input) == (2 * macs, 2 * backward)
        assert torch_costs(Behind(model), input) == (2 * macs, 2 * 2 * macs)


class Attention(nn.Module):
    """Self-attention of positions N×L×C with values of another width, fused or step by step."""

    def __init__(self, *, fused: bool, causal: bool = False) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(8, 8), nn.Linear(8, 8)
        self.value = nn.Linear(8, 8)
        self.fused, self.causal = fused, causal

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            f(x).unflatten(2, (2, -1)).transpose(1, 2) for f in (self.query, self.key, self.value)
        )
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return torch.softmax(q @ k.transpose(2, 3), 3) @ v


@pytest.mark.parametrize("causal", [False, True])
def test_attention_costs_two_products_and_four_backwards(causal: bool) -> None:
    """Fused or not. A mask spares nothing here; what a kernel computes twice counts once."""
    length, channels = 6, 8
    linear, pairs = 3 * length * channels * channels, length * length * channels
    expected = 2 * (linear + 2 * pairs), 2 * (linear + 4 * pairs)
    assert costs(Attention(fused=True, causal=causal), (length, channels)) == expected
    plain = Attention(fused=False)
    assert costs(plain, (length, channels)) == torch_costs(plain, (length, channels)) == expected


def test_attention_to_what_is_not_learned() -> None:
    """Queries are learned, keys and values are the image: one gradient of one product each."""
    model = Applied(
        lambda x, q: F.scaled_dot_product_attention(q.expand(2, 1, 5, 8), x[:, None], x[:, None]),
        (1, 1, 5, 8),
    )
    pairs = 5 * 6 * 8
    # of the first product that of the queries, of the second that of the weights
    assert costs(model, (6, 8)) == (2 * 2 * pairs, 2 * 2 * pairs)


def test_multi_head_attention() -> None:
    class Heads(nn.MultiheadAttention):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x, x, x, need_weights=False)[0]

    model = Heads(8, 2, batch_first=True)
    linear, pairs = 4 * 6 * 8 * 8, 6 * 6 * 8
    backward = linear + 6 * 8 * 8 + 4 * pairs  # the image has no gradient, what attends has
    assert costs(model, (6, 8)) == (2 * (linear + 2 * pairs), 2 * backward)


def test_a_recurrent_layer_is_counted_step_by_step() -> None:
    """Four gates of the input and of the state. Image and first state have no gradients."""
    inputs, state = 2 * 6 * 4 * 4 * 8, 2 * 6 * 4 * 4 * 4
    assert costs(nn.LSTM(8, 4, batch_first=True), (6, 8)) == (
        inputs + state,
        inputs + 2 * state - state // 6,
    )


def test_a_deformed_convolution_costs_what_a_plain_one_costs() -> None:
    from torchvision.ops import DeformConv2d

    class Deformed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offsets = nn.Conv2d(4, 2 * 9, 3, padding=1)
            self.filters = DeformConv2d(4, 6, 3, padding=1)

        def forward(self, image: Tensor) -> Tensor:
            return self.filters(image, self.offsets(image))

    ledger = striate.size(Deformed(), input=(4, 12, 10), batch=2)
    plain, offsets = 6 * 4 * 9 * 120, 18 * 4 * 9 * 120
    assert ledger.totals.macs == 2 * (plain + offsets)
    # the image has no gradient, but the offsets have, by way of the values between pixels
    assert ledger.totals.backward_macs == 2 * (2 * plain + offsets)
    assert not [note for note in ledger.notes if "MACs" in note]


def test_frozen_parameters_have_no_gradient() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3))
    first, second, third = 4 * 3 * 9 * 100, 4 * 4 * 9 * 64, 2 * 4 * 9 * 36
    assert costs(model, (3, 12, 12), 1)[1] == first + 2 * second + 2 * third
    model[0].requires_grad_(False)
    assert costs(model, (3, 12, 12), 1)[1] == second + 2 * third
    model[2].weight.requires_grad_(False)  # the bias is learned, and asks nothing of its input
    assert costs(model, (3, 12, 12), 1)[1] == 2 * third
    model[2].requires_grad_(False)
    model[3].requires_grad_(False)
    assert costs(model, (3, 12, 12), 1) == (first + second + third, 0)
    model[0].weight.requires_grad_(True)
    assert costs(model, (3, 12, 12), 1)[1] == first + second + third
    assert torch_costs(model, (3, 12, 12), 1) == costs(model, (3, 12, 12), 1)


class Branches(nn.Module):
    """A shared filter, a branch that nothing uses, one outside of gradients, one detached."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(4, 4, 3, padding=1)
        self.unused = nn.Conv2d(4, 4, 3, padding=1)
        self.target = nn.Conv2d(4, 4, 3, padding=1)
        self.cut = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.shared(self.shared(image))
        self.unused(x)
        with torch.no_grad():
            target = self.target(x)
        return x + target + self.cut(x.detach())


def test_only_what_a_step_computes_is_counted() -> None:
    one = 4 * 4 * 9 * 64
    rows = striate.size(Branches(), input=(4, 8, 8)).rows
    found = {row.name: row.backward_macs for row in rows if row.macs}
    assert all(row.macs == one for row in rows if row.macs)
    assert found == {
        "shared": one,
        "shared#2": 2 * one,
        "unused": 0,
        "target": 0,
        "cut": one,
    }
    assert torch_costs(Branches(), (4, 8, 8), 1) == (5 * one, sum(found.values()))


def test_what_is_not_counted_is_named() -> None:
    def mixed(x: Tensor, w: Tensor) -> Tensor:
        x = torch.fft.irfft2(torch.fft.rfft2(x) * w)
        grid = torch.zeros(2, 4, 4, 2)
        x = F.grid_sample(x, grid, align_corners=False)
        return torch.cdist(x, x) + torch.linalg.inv(x)

    ledger = striate.size(Applied(mixed, (1,)), input=(3, 8, 8), batch=2)
    notes = ledger.notes
    twice = nn.Sequential(*(Applied(lambda x: torch.cdist(x, x)) for _ in range(2)))
    assert striate.size(twice, input=(3, 8, 8)).notes[-1] == (
        "_cdist_forward in 0.cdist_forward, 1.cdist_forward is not counted in MACs"
    )
    named = [note.split()[0] for note in notes if note.endswith("is not counted in MACs")]
    assert named == [
        *("_fft_r2c", "_fft_c2r", "grid_sampler_2d", "_cdist_forward", "linalg_inv_ex")
    ]


@pytest.mark.parametrize("name", [name for name in zoo.names() if not name.startswith("resnet1")])
def test_a_network_of_the_zoo_costs_what_its_module_costs(name: str) -> None:
    """Row by row, forwards and backwards."""
    expected, found = striate.size(name), striate.size(outline(name))
    by_name = {row.name: (row.macs, row.backward_macs) for row in found.rows}
    for row in expected.rows:
        if row.kind != "id":  # does nothing, and has no operation
            assert by_name[row.name] == (row.macs, row.backward_macs), row.name
    assert found.totals.macs == expected.totals.macs
    assert found.totals.backward_macs == expected.totals.backward_macs


LAYERS = {
    "localconv3-5": 36 * 5 * 4 * 9,
    "localconv3-5/2 valid": 4 * 5 * 4 * 9,
    "p4lift3-5": 36 * 4 * 5 * 4 * 9,
    "p4conv3-5": 36 * 4 * 5 * 4 * 9,
    "p4mlift3-5": 36 * 8 * 5 * 4 * 9,
    "weightedpool3/1 p1": 36 * 4 * 9,
    "dwconv3": 36 * 4 * 9,
    "tconv2-5/2": 36 * 5 * 4 * 4,
    "(id * gap -> conv1-4 -> sigmoid)": 4 * 4,
    "fc-7": 36 * 4 * 7,
    **dict.fromkeys(("(id * id)", "avgpool2", "upsample2 bilinear", "lrn5", "l2pool2", "bn"), 0),
}


@pytest.mark.parametrize("text", LAYERS)
def test_layers_of_the_notation_cost_what_their_modules_cost(text: str) -> None:
    """Behind a scale that is learned: both gradients, but for a mean, which has no weights."""
    network = f"input 4x6x6 -> bn -> {text}"
    ledger, module = striate.size(network, batch=2), outline(network)
    macs = 2 * LAYERS[text]
    backward = macs if text.startswith("weightedpool") else 2 * macs
    assert (ledger.totals.macs, ledger.totals.backward_macs) == (macs, backward)
    assert costs(module, (4, 6, 6)) == (macs, backward)
    first = striate.size(network.replace("bn -> ", "", 1), batch=2)
    if text != "(id * gap -> conv1-4 -> sigmoid)":
        assert first.totals.backward_macs == backward - macs


@pytest.mark.parametrize("name", ["resnet18", "densenet", "vision transformer", "swin"])
def test_torch_counts_networks_without_groups_the_same(name: str) -> None:
    """A step with real numbers; attention step by step, since fused it is counted otherwise."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torchvision import models

    make: dict[str, Callable[[], nn.Module]] = {
        "resnet18": models.resnet18,
        "densenet": lambda: models.DenseNet(8, (2, 2), 16, num_classes=10),
        "vision transformer": lambda: models.VisionTransformer(64, 16, 2, 2, 32, 64),
        "swin": lambda: models.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4]),
    }
    model = make[name]()
    with sdpa_kernel(SDPBackend.MATH):
        expected = torch_costs(model, (3, 64, 64))
    assert costs(model, (3, 64, 64)) == expected


class Counting(TorchDispatchMode):
    """Counts the products of every operation that torch calls for, by the shapes it is given."""

    macs = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        match func._schema.name:
            case "aten::convolution":
                volume = args[0] if args[6] else result
                self.macs += args[1].numel() * prod(volume.shape[2:]) * volume.shape[0]
            case "aten::convolution_backward":
                volume = args[1] if args[7] else args[0]
                once = args[2].numel() * prod(volume.shape[2:]) * volume.shape[0]
                self.macs += once * (args[10][0] + args[10][1])
            case "aten::mm" | "aten::bmm":
                self.macs += args[0].numel() * args[1].shape[-1]
            case "aten::addmm" | "aten::baddbmm":
                self.macs += args[1].numel() * args[2].shape[-1]
        return result


@pytest.mark.parametrize(
    "name",
    [
        *("torchvision:resnext50_32x4d", "torchvision:googlenet", "torchvision:swin_v2_t"),
        *("timm:resnest14d", "timm:halonet26t", "timm:levit_128s"),
        *("timm:xcit_nano_12_p16_224", "timm:edgenext_xx_small", "timm:starnet_s1"),
    ],
)
def test_a_step_calls_for_as_many_products(name: str) -> None:
    """A step on torch's meta device, where shapes are computed and values are not."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from striate.tracing.finding import find

    with torch.device("meta"):
        chosen = find(name)
    ledger = striate.size(name, batch=2)
    images = torch.empty(2, *ledger.input, device="meta")
    with sdpa_kernel(SDPBackend.MATH), Counting() as counting:
        found = chosen.model.train()(images)
        forward = counting.macs
        results = [each for each in tree_leaves(found) if isinstance(each, Tensor)]
        torch.stack([each.sum() for each in results]).sum().backward()
    assert (ledger.totals.macs, ledger.totals.backward_macs) == (forward, counting.macs - forward)
    assert not [note for note in ledger.notes if note.endswith("is not counted in MACs")]


@pytest.mark.parametrize(
    "name", ["resnet50", "vit_b_32", "swin_t", "convnext_tiny", "regnet_y_400mf", "squeezenet1_1"]
)
def test_torchvision_publishes_the_same_number(name: str) -> None:
    """Its “GFLOPS” are billions of MACs, products of attention included."""
    from torchvision.models import get_model_weights

    published = get_model_weights(name).DEFAULT.meta["_ops"]
    assert round(striate.size(f"torchvision:{name}").totals.macs / 1e9, 3) == published


def test_forward_and_backward_of_a_step_that_is_counted_by_hand() -> None:
    """The gradients of a small grouped network, computed with loops: each product once."""
    groups, size = 2, 4
    x = torch.randn(1, 4, size, size, dtype=torch.float64)
    model = nn.Conv2d(4, 6, 3, groups=groups, bias=False).double()
    x.requires_grad_()
    result = model(x)
    gradient = torch.randn_like(result)
    result.backward(gradient)
    of_input, of_weight, products = torch.zeros_like(x), torch.zeros_like(model.weight), 0
    for out in range(6):
        for read in range(2):
            channel = out // 3 * 2 + read
            for i, j in [(i, j) for i in range(size - 2) for j in range(size - 2)]:
                for r, c in [(r, c) for r in range(3) for c in range(3)]:
                    of_input[0, channel, i + r, j + c] += (
                        gradient[0, out, i, j] * model.weight[out, read, r, c]
                    )
                    of_weight[out, read, r, c] += (
                        gradient[0, out, i, j] * x[0, channel, i + r, j + c]
                    )
                    products += 2
    assert torch.allclose(of_input, x.grad)
    assert torch.allclose(of_weight, model.weight.grad)
    assert products == costs(Behind(model.float()), (4, size, size), 1)[1]
    assert products == 2 * prod(result.shape) * 2 * 9
