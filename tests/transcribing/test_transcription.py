"""Torch networks in the notation: the text computes what the network does, with its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import UserError
from striate.modules.network import Network
from striate.transcribing import Transcription, transcribe

Check = Callable[[nn.Module, tuple[int, int, int]], Transcription]
Settled = Callable[[nn.Module], nn.Module]


class Functional(nn.Module):
    """A network of one convolution before and one after what a function does."""

    def __init__(self, function: Callable[[Tensor], Tensor], channels: int = 6) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.function = function
        self.last = nn.Conv2d(channels, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.function(self.first(image)))


FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], int, str]] = {
    "relu": (F.relu, 6, "relu"),
    "relu in place": (lambda x: x.relu_(), 6, "relu"),
    "relu by clamping": (lambda x: x.clamp(min=0), 6, "relu"),
    "relu6": (F.relu6, 6, "relu6"),
    "relu6 by clamping": (lambda x: x.clamp(0, 6), 6, "relu6"),
    "leaky": (lambda x: F.leaky_relu(x, 0.2), 6, "leakyrelu0.2"),
    "elu": (lambda x: F.elu(x, 0.5), 6, "elu(alpha=0.5)"),
    "gelu": (F.gelu, 6, "gelu"),
    "silu": (F.silu, 6, "silu"),
    "mish": (F.mish, 6, "mish"),
    "tanh": (torch.tanh, 6, "tanh"),
    "sigmoid": (torch.sigmoid, 6, "sigmoid"),
    "hardswish": (F.hardswish, 6, "hardswish"),
    "hardsigmoid": (F.hardsigmoid, 6, "hardsigmoid"),
    "softmax": (lambda x: F.softmax(x, 1), 6, "softmax"),
    "swish by hand": (lambda x: x * torch.sigmoid(x), 6, "(id * sigmoid)"),
    "square": (lambda x: x * x, 6, "(id * id)"),
    "pool": (lambda x: F.max_pool2d(x, 3, 2, 1), 6, "pool3/2 p1"),
    "pool ceil": (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), 6, "pool3/2 ceil"),
    "mean": (lambda x: F.avg_pool2d(x, 3, 1, 1), 6, "avgpool3/1 p1"),
    "mean without zeros": (
        lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
        6,
        "avgpool3/1 p1 nozeros",
    ),
    "mean of pairs": (
        lambda x: F.avg_pool2d(x, (2, 1), count_include_pad=False),
        6,
        "avgpool2x1",
    ),
    "adaptive": (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), 6, "adaptavgpool3x2"),
    "adaptive largest": (lambda x: F.adaptive_max_pool2d(x, 3), 6, "adaptmaxpool3"),
    "global": (lambda x: F.adaptive_avg_pool2d(x, 1), 6, "gap"),
    "global by mean": (lambda x: x.mean((2, 3), keepdim=True), 6, "gap"),
    "global by flattening": (lambda x: x.flatten(2).mean(-1)[:, :, None, None], 6, None),
    "global largest": (lambda x: x.amax((2, 3), keepdim=True), 6, "gmp"),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), 6, "upsample2"),
    "bilinear": (
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear"),
        6,
        "upsample2x3 bilinear",
    ),
    "shuffle": (
        lambda x: x.reshape(-1, 3, 2, 12, 12).transpose(1, 2).reshape(-1, 6, 12, 12),
        6,
        "shuffle3",
    ),
    "shuffle as a function": (lambda x: F.channel_shuffle(x, 2), 6, "shuffle2"),
    "slices": (lambda x: x[:, 1:4], 3, "slice1-3"),
    "split": (lambda x: torch.cat(x.split([2, 4], 1), 1), 6, "(slice0-2 | slice2-4)"),
    "chunks in place": (
        lambda x: torch.cat([each.relu_() for each in (x[:, :3], x[:, 3:])], 1),
        6,
        "(slice0-3 -> relu | slice3-3 -> relu)",
    ),
    "crop": (lambda x: x[:, :, 1:, :-2], 6, "crop1x0 a0 -> crop0 a0x2"),
    "crop by padding": (lambda x: F.pad(x, (-1, -2, -1, -1)), 6, "crop1 a1x2"),
    "pad": (lambda x: F.pad(x, (1, 2, 0, 1)), 6, "pad0x1 a1x2"),
    "widen": (lambda x: F.pad(x, (0, 0, 0, 0, 0, 2)), 8, "widen-8"),
    "sum": (lambda x: x + F.relu(x), 6, "(id + relu)"),
    "a number times": (lambda x: 0.17 * x, 6, "times0.17"),
    "divided in place": (lambda x: F.relu(x).div_(-2), 6, "relu -> times{-0.5}"),
    "difference": (lambda x: F.relu(x) - x, 6, "(relu + times{-1})"),
    "weighted sum": (lambda x: torch.add(F.relu(x), x, alpha=3), 6, "(relu + times3)"),
    "sum in place": (lambda x: F.relu(x).add_(x), 6, "(relu + id)"),
    "sum of three": (lambda x: x + F.relu(x) + F.tanh(x), 6, "(id + relu + tanh)"),
    "gate": (lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), 6, "(id * gap -> sigmoid)"),
    "gate before": (
        lambda x: x.mean((2, 3), keepdim=True).sigmoid() * x,
        6,
        "(id * gap -> sigmoid)",
    ),
    "gate expanded": (
        lambda x: x * x.mean((2, 3), keepdim=True).sigmoid().expand_as(x),
        6,
        "(id * gap -> sigmoid)",
    ),
    "gate of a vector": (
        lambda x: x * x.mean((2, 3)).sigmoid()[:, :, None, None],
        6,
        "(id * gap -> sigmoid)",
    ),
    "lrn": (lambda x: F.local_response_norm(x, 5, 1e-3), 6, "lrn5(alpha=0.0002, k=1)"),
    "nothing": (lambda x: F.dropout(x + 0, 0.5, False).detach().contiguous(), 6, ""),
    "joined in joined": (
        lambda x: torch.cat([torch.cat([x, F.relu(x)], 1), F.tanh(x)], 1),
        18,
        "(id | relu | tanh)",
    ),
    "joined one by one": (
        lambda x: torch.cat([x, F.relu(x), F.tanh(torch.cat([x, F.relu(x)], 1))], 1),
        24,
        None,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_operation_is_its_layer(name: str, check: Check) -> None:
    function, channels, text = FUNCTIONS[name]
    found = check(Functional(function, channels), (3, 12, 12))
    if text is not None:
        between = f"{text} -> " if text else ""
        assert found.source.text == f"input 3x12x12\nconv3-6 -> {between}conv1-4\n"


def sequential(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers)


LAYERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "bn": (lambda: nn.BatchNorm2d(6, eps=1e-3, momentum=0.2), "bn(eps=0.001, momentum=0.2)"),
    "gn": (lambda: nn.GroupNorm(3, 6), "gn3"),
    "strided": (lambda: nn.Conv2d(6, 8, 3, 2, 1), "conv3-8/2"),
    "odd padding": (lambda: nn.Conv2d(6, 8, (3, 5), padding=(0, 2)), "conv3x5-8 p0x2"),
    "no padding": (lambda: nn.Conv2d(6, 8, 3), "conv3-8 valid"),
    "same, even": (lambda: nn.Conv2d(6, 8, 4, padding="same"), "conv4-8"),
    "dilated": (lambda: nn.Conv2d(6, 8, 3, padding=2, dilation=2), "conv3-8 d2"),
    "grouped": (lambda: nn.Conv2d(6, 9, 3, padding=1, groups=3), "conv3-9 g3"),
    "depthwise": (lambda: nn.Conv2d(6, 6, 5, padding=2, groups=6), "dwconv5"),
    "depthwise wide": (lambda: nn.Conv2d(6, 12, 1, groups=6, bias=False), "dwconv1-12 nobias"),
    "transposed": (lambda: nn.ConvTranspose2d(6, 8, 2, 2), "tconv2-8/2"),
    "transposed, odd": (
        lambda: nn.ConvTranspose2d(6, 8, 3, 2, 1, output_padding=1, groups=2),
        "tconv3-8/2 g2",
    ),
    "transposed, cut": (
        lambda: nn.ConvTranspose2d(6, 8, 3, 2, 0, dilation=2),
        "tconv3-8/2 valid d2",
    ),
    "padded before": (
        lambda: sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(6, 8, 3, 2)),
        "pad0 a1 -> conv3-8/2 valid",
    ),
    "dropout": (lambda: nn.Dropout(0.25), "dropout0.25"),
    "fc": (lambda: sequential(nn.Flatten(), nn.Linear(6 * 144, 5)), "fc-5"),
    "fc of one": (
        lambda: sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5, bias=False)),
        "gap -> fc-5 nobias",
    ),
    "vector": (
        lambda: sequential(nn.Flatten(), nn.ReLU(), nn.BatchNorm1d(6 * 144), nn.Linear(864, 5)),
        "relu -> flatten -> bn -> fc-5",
    ),
    "flat": (lambda: nn.Flatten(), "flatten"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_module_is_its_layer(name: str, check: Check) -> None:
    make, text = LAYERS[name]
    found = check(sequential(nn.Conv2d(3, 6, 1), make()), (3, 12, 12))
    assert found.source.text == f"input 3x12x12\nconv1-6 -> {text}\n"


class ChannelsLast(nn.Module):
    """ConvNeXt's block: norm and matrices over the last axis, a factor for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.norm = nn.LayerNorm(6)
        self.wide = nn.Linear(6, 24)
        self.narrow = nn.Linear(24, 6, bias=False)
        self.scale = nn.Parameter(torch.full((6,), 0.1))

    def forward(self, image: Tensor) -> Tensor:
        x = self.norm(self.depthwise(image).permute(0, 2, 3, 1))
        x = self.scale * self.narrow(F.gelu(self.wide(x)))
        return image + x.permute(0, 3, 1, 2)


def test_channels_that_stand_last(check: Check) -> None:
    found = check(sequential(nn.Conv2d(3, 6, 1), ChannelsLast(), ChannelsLast()), (3, 8, 8))
    assert found.source.text == (
        "input 3x8x8\n"
        "conv1-6 -> [(id + dwconv3 -> ln -> conv1-24 -> gelu -> conv1-6 nobias -> scale)]*2\n"
    )


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 3, 3, padding=1)
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(self.shared(F.relu(self.shared(image))))


def test_weights_that_are_used_again(check: Check) -> None:
    found = check(Twice(), (3, 8, 8))
    assert found.source.text == (
        "input 3x8x8\nshared1: conv3-3 -> relu -> again shared1 -> conv1-2\n"
    )


class Sides(nn.Module):
    def __init__(self, many: bool) -> None:
        super().__init__()
        self.stem, self.side = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 5)
        self.last, self.many = nn.Conv2d(4, 5, 3), many

    def forward(self, image: Tensor) -> Any:
        low = F.relu(self.stem(image))
        high = self.last(low)
        if self.many:
            return high, low, self.side(low.flatten(1))
        return {"out": high, "Low level": low, "aux": self.side(low.flatten(1))}


def test_several_outputs_are_taps(check: Check) -> None:
    found = transcribe(Sides(many=False), input=(3, 8, 8))
    assert found.source.text == (
        "input 3x8x8\nconv3-4 valid -> relu -> tap low_level -> tap aux [fc-5] -> conv3-5 valid\n"
    )
    check(Sides(many=True), (3, 8, 8))


class Dense(nn.Module):
    """Every layer reads all before it, as in DenseNet and in VoVNet."""

    def __init__(self, *, again: bool) -> None:
        super().__init__()
        widths = [4, 8, 12] if again else [4, 4, 4]
        self.layers = nn.ModuleList(nn.Conv2d(n, 4, 3, padding=1) for n in widths)
        self.first, self.again = nn.Conv2d(3, 4, 1), again

    def forward(self, image: Tensor) -> Tensor:
        found = [self.first(image)]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1) if self.again else found[-1]))
        return torch.cat(found, 1)


def test_concatenations_that_grow(check: Check) -> None:
    found = check(Dense(again=True), (3, 8, 8))
    assert found.source.text == "input 3x8x8\nconv1-4 -> [(id | conv3-4)]*3\n"
    found = check(Dense(again=False), (3, 8, 8))
    assert found.source.text == (
        "input 3x8x8\nconv1-4 -> (id | conv3-4 -> (id | conv3-4 -> (id | conv3-4)))\n"
    )


class Dropped(nn.Module):
    """torchvision's stochastic depth, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv(image)
        if self.training:
            noise = torch.empty(x.shape[0], 1, 1, 1).bernoulli_(0.8).div_(0.8)
            x = x * noise
        return x + image


def test_stochastic_depth(check: Check) -> None:
    found = check(Dropped(), (3, 8, 8))
    assert found.source.text == "input 3x8x8\n(conv1-3 -> droppath0.2 + id)\n"


SMALL = (
    *("alexnet", "squeezenet1_1", "vgg11_bn", "resnet18", "shufflenet_v2_x0_5", "densenet121"),
    *("mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "regnet_y_400mf", "efficientnet_b0"),
    *("convnext_tiny", "googlenet", "inception_v3", "lraspp_mobilenet_v3_large"),
)


@pytest.mark.parametrize("name", SMALL)
def test_networks_of_torchvision(name: str, settled: Settled) -> None:
    """What they give in evaluation; of those with auxiliary outputs these are taps."""
    from striate.tracing.finding import find

    found = find(f"torchvision:{name}", real=True)
    model = settled(found.model)
    sides = {"inception_v3": 299, "alexnet": 224, "vgg11_bn": 224, "googlenet": 224}
    image = torch.rand(2, 3, *[sides.get(name, 96)] * 2)
    text = transcribe(model, input=tuple(image.shape[1:]))
    network = Network(text.graph).eval()
    network.load_state_dict(text.state_dict(), strict=False)
    with torch.no_grad():
        expected: Any = model(image)
        found_ = network(image)
    expected = expected["out"] if isinstance(expected, dict) else expected
    torch.testing.assert_close(found_, expected, rtol=1e-4, atol=1e-4)
    assert len(text.graph.taps) == {"googlenet": 2, "inception_v3": 1}.get(name, 0)
    own = sum(each.numel() for each in network.parameters())
    assert own == sum(each.numel() for each in model.parameters())


def test_a_network_of_a_library_has_no_weights() -> None:
    found = transcribe("torchvision:squeezenet1_1")
    assert found.graph.name == "torchvision:squeezenet1_1"
    assert not found.has_weights


def refusal(model: nn.Module, input: tuple[int, ...] = (3, 8, 8)) -> str:
    with pytest.raises(UserError) as caught:
        transcribe(model, input=input)
    return str(caught.value)


REFUSED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "unknown": (lambda x: x.cumsum(1), "its own forward calls cumsum, for which it has no word"),
    "number": (lambda x: x + 2, "its own forward calls add with the number 2"),
    "constant": (
        lambda x: x + torch.ones(8, 8),
        "its own forward calls add with a constant tensor",
    ),
    "dilated pool": (
        lambda x: F.max_pool2d(x, 2, dilation=2),
        "its own forward pools with a dilation of [2, 2]",
    ),
    "fraction": (
        lambda x: F.interpolate(x, size=(12, 12)),
        "its own forward enlarges 8×8 to 12×12, which is by no whole factor",
    ),
    "corners": (
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        "its own forward enlarges with align_corners",
    ),
    "fraction that rounds to whole": (
        lambda x: F.interpolate(x[:, :, :2, :2], scale_factor=2.25),
        "its own forward enlarges by 2.25×2.25, which are no whole factors",
    ),
    "rows": (
        lambda x: torch.cat([x, x], 2),
        "its own forward joins tensors along axis 2, not along their channels",
    ),
    "turned": (
        lambda x: x.transpose(2, 3),
        "last calls convolution on a volume whose axes it has rearranged (N, C, W, H)",
    ),
    "one axis": (
        lambda x: x.mean(2, keepdim=True),
        "its own forward takes the mean over other axes than all positions",
    ),
    "steps": (lambda x: x[:, :, ::2], "its own forward takes one of every 2 along axis 2"),
    "other gelu": (
        lambda x: F.gelu(x, approximate="tanh"),
        "its own forward calls gelu with approximate=tanh, for which it has no word",
    ),
    "whole channels dropped": (
        lambda x: F.dropout2d(x, 0.5),
        "its own forward drops parts of the shape 2×6×1×1",
    ),
    "quotient": (lambda x: x / x.exp(), "its own forward calls exp"),
    "cut across": (
        lambda x: x[..., :6].reshape(-1, 6, 6, 8),
        "its own forward cuts its axes across, into 2×6×6×8",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_notation_cannot_say_is_told_with_its_place(name: str) -> None:
    function, words = REFUSED[name]
    message = refusal(Functional(function))
    assert message.startswith(f"Functional cannot be written in the notation: {words}")
    assert message.endswith(". It can be sized, drawn and trained without")


def test_weights_that_are_computed() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.rand(4, 3, 3, 3))

        def forward(self, image: Tensor) -> Tensor:
            return F.conv2d(image, self.weight / self.weight.norm())

    assert "calls convolution with weights that div computes from others" in refusal(Normed())


def test_matrices_that_are_turned_or_not(check: Check) -> None:
    """A square weight shows by its values alone whether its axes were exchanged."""

    class Turned(nn.Module):
        def __init__(self, views: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.weight, self.views = nn.Parameter(torch.rand(6, 6)), views

        def forward(self, image: Tensor) -> Tensor:
            return image.mean((2, 3)) @ self.views(self.weight)

    for views in (
        lambda w: w,
        lambda w: w.t(),
        lambda w: w.permute(0, 1),
        lambda w: w.permute(1, 0),
        lambda w: w.transpose(0, -1).transpose(-1, 0),
    ):
        check(Turned(views), (6, 4, 4))


def test_a_part_that_was_written_over() -> None:
    def halves(x: Tensor) -> Tensor:
        x[:, :3].relu_()
        return x

    assert refusal(Functional(halves)).startswith(
        "Functional cannot be written in the notation: last reads what was written over in part"
    )


def test_a_layer_that_torch_takes_and_the_notation_does_not() -> None:
    message = refusal(Functional(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)), (3, 2, 2))
    assert message.startswith(
        "Functional cannot be written in the notation: pool's filter of 3×3 is larger than its "
        "padded input of 2×2. It can"
    )


def test_a_network_that_does_not_fit_together() -> None:
    model = sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(9, 8, 3))
    assert refusal(model).startswith("Sequential stops in 1: ")


def test_videos_and_networks_that_do_nothing() -> None:
    assert refusal(nn.Conv3d(3, 4, 1), (3, 2, 8, 8)) == (
        "Conv3d takes 3×2×8×8, and the notation writes networks of images C×H×W"
    )
    assert refusal(nn.Identity()) == (
        "Identity cannot be written in the notation: it gives back its image. It can be sized, "
        "drawn and trained without"
    )


def test_the_network_itself_stays_as_it_is(tmp_path: Path) -> None:
    model = sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    found = transcribe(model, input=(3, 8, 8))
    assert model.training
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    weights = found.state_dict()
    assert weights["conv1.weight"].data_ptr() == model[0].weight.data_ptr()
    assert found.weights["bn1.running_mean"].name == "1.running_mean"
