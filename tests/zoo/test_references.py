"""Networks that neither torchvision nor timm has, beside the same written with torch alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from striate import zoo
from striate.modules import build

WIDTHS = re.compile(r"\b(64|128|192|256|384|512|1024|4096)\b")
BY = 16


def narrow(name: str) -> str:
    """The network with a sixteenth of its channels from 64 up: as many layers, less to compute."""
    lines = zoo.read(name).text.splitlines()
    return "\n".join(WIDTHS.sub(lambda found: str(int(found[0]) // BY), line) for line in lines)


def conv(c: int, to: int, k: int, **settings: int) -> nn.Conv2d:
    return nn.Conv2d(c, to, k, **{"padding": k // 2, **settings})


def rectified(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))


def lenet5() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)),
    )


def zfnet() -> nn.Module:
    """Contrast is normalised as in AlexNet: alpha for each of five channels."""
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    c = [n // BY for n in (256, 384, 4096)]
    return nn.Sequential(
        *(conv(3, 96, 7, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), norm),
        *(conv(96, c[0], 5, stride=2, padding=0), nn.ReLU()),
        *(nn.MaxPool2d(3, 2, ceil_mode=True), norm),
        rectified(conv(c[0], c[1], 3), conv(c[1], c[1], 3), conv(c[1], c[0], 3)),
        *(nn.MaxPool2d(3, 2), nn.Flatten()),
        rectified(nn.Linear(36 * c[0], c[2]), nn.Linear(c[2], c[2])),
        nn.Linear(c[2], 1000),
    )


class Towers(nn.Module):
    """AlexNet of 2012: each tower with its own layers, both read where they meet."""

    def __init__(self) -> None:
        super().__init__()
        c = [n // BY for n in (128, 192, 4096)]
        norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        self.early = nn.ModuleList(
            nn.Sequential(
                *(nn.Conv2d(3, 48, 11, 4), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
                *(conv(48, c[0], 5), nn.ReLU(), norm, nn.MaxPool2d(3, 2)),
            )
            for _ in range(2)
        )
        self.late = nn.ModuleList(
            nn.Sequential(
                rectified(conv(2 * c[0], c[1], 3), conv(c[1], c[1], 3), conv(c[1], c[0], 3)),
                nn.MaxPool2d(3, 2),
            )
            for _ in range(2)
        )
        self.scores = nn.Sequential(
            nn.Flatten(),
            rectified(nn.Linear(72 * c[0], c[2]), nn.Linear(c[2], c[2])),
            nn.Linear(c[2], 1000),
        )

    def forward(self, image: Tensor) -> Tensor:
        middle = torch.cat([tower(image) for tower in self.early], 1)
        return self.scores(torch.cat([tower(middle) for tower in self.late], 1))


def nin() -> nn.Module:
    c = 192 // BY
    return nn.Sequential(
        rectified(conv(3, c, 5), conv(c, 160, 1), conv(160, 96, 1)),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        rectified(conv(96, c, 5), conv(c, c, 1), conv(c, c, 1)),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        rectified(conv(c, c, 3), conv(c, c, 1), conv(c, 10, 1)),
        *(nn.AvgPool2d(8), nn.Flatten()),
    )


def allcnn_c() -> nn.Module:
    c = 192 // BY
    return nn.Sequential(
        rectified(conv(3, 96, 3), conv(96, 96, 3), conv(96, 96, 3, stride=2)),
        rectified(conv(96, c, 3), conv(c, c, 3), conv(c, c, 3, stride=2)),
        rectified(conv(c, c, 3, padding=0), conv(c, c, 1), conv(c, 10, 1)),
        *(nn.AvgPool2d(6), nn.Flatten()),
    )


def autoencoder() -> nn.Module:
    return nn.Sequential(
        rectified(conv(1, 16, 4, stride=2, padding=1), conv(16, 32, 4, stride=2, padding=1)),
        nn.Conv2d(32, 32, 7),
        rectified(nn.ConvTranspose2d(32, 32, 7), nn.ConvTranspose2d(32, 16, 4, 2, 1)),
        *(nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Sigmoid()),
    )


class CifarBlock(nn.Module):
    def __init__(self, c: int, to: int) -> None:
        super().__init__()
        self.stride = to // c
        self.body = nn.Sequential(
            *(conv(c, to, 3, stride=self.stride, bias=False), nn.BatchNorm2d(to), nn.ReLU()),
            *(conv(to, to, 3, bias=False), nn.BatchNorm2d(to)),
        )

    def forward(self, x: Tensor) -> Tensor:
        short = x[:, :, :: self.stride, :: self.stride]
        more = (self.stride - 1) * short.shape[1]
        return F.relu(self.body(x) + torch.cat([short, short.new_zeros(short[:, :more].shape)], 1))


def cifar_resnet(depth: int) -> nn.Module:
    widths = [16] * ((depth - 2) // 6 + 1) + [32] * ((depth - 2) // 6) + [64] * ((depth - 2) // 6)
    return nn.Sequential(
        *(conv(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(CifarBlock(c, to) for c, to in pairwise(widths)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )


class ShuffleUnit(nn.Module):
    def __init__(self, c: int, to: int) -> None:
        super().__init__()
        self.halves = c != to
        inner = to // 4
        self.reduce = nn.Sequential(
            conv(c, inner, 1, bias=False, groups=1 if c == 24 else 3), nn.BatchNorm2d(inner)
        )
        self.slide = nn.Sequential(
            conv(inner, inner, 3, bias=False, groups=inner, stride=2 if self.halves else 1),
            nn.BatchNorm2d(inner),
        )
        out = to - c if self.halves else to
        self.expand = nn.Sequential(conv(inner, out, 1, bias=False, groups=3), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.reduce(x))
        n, c, h, w = inner.shape
        inner = inner.reshape(n, 3, c // 3, h, w).transpose(1, 2).reshape(n, c, h, w)
        found = self.expand(self.slide(inner))
        if self.halves:
            return F.relu(torch.cat([F.avg_pool2d(x, 3, 2, 1), found], 1))
        return F.relu(x + found)


def shufflenet() -> nn.Module:
    widths = [24] + [240] * 4 + [480] * 8 + [960] * 4
    return nn.Sequential(
        *(conv(3, 24, 3, stride=2, bias=False), nn.BatchNorm2d(24), nn.ReLU()),
        nn.MaxPool2d(3, 2, 1),
        *(ShuffleUnit(c, to) for c, to in pairwise(widths)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(960, 1000)),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [1, *(64 * 2**i // BY for i in range(5))]
        self.down = nn.ModuleList(self.double(c, to) for c, to in pairwise(widths))
        pairs = list(pairwise(reversed(widths[1:])))
        self.up = nn.ModuleList(
            nn.ModuleList([nn.ConvTranspose2d(c, to, 2, 2), self.double(c, to)]) for c, to in pairs
        )
        self.scores = nn.Conv2d(widths[1], 2, 1)

    @staticmethod
    def double(c: int, to: int) -> nn.Module:
        return rectified(nn.Conv2d(c, to, 3), nn.Conv2d(to, to, 3))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level, double in enumerate(self.down):
            x = double(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for (enlarge, double), skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = enlarge(x)
            first = (skip.shape[2] - x.shape[2]) // 2
            middle = slice(first, first + x.shape[2])
            x = double(torch.cat([skip[:, :, middle, middle], x], 1))
        return self.scores(x)


class FCN8s(nn.Module):
    """Crops take what Caffe's offsets of 5, 9 and 31 leave of the sizes they meet."""

    def __init__(self) -> None:
        super().__init__()
        c = [n // BY for n in (64, 128, 256, 512, 4096)]
        self.low = nn.Sequential(
            rectified(conv(3, c[0], 3, padding=100), conv(c[0], c[0], 3)),
            nn.MaxPool2d(2, ceil_mode=True),
            self.block(c[0], c[1], 2),
            self.block(c[1], c[2], 3),
        )
        self.score3 = nn.Conv2d(c[2], 21, 1)
        self.middle = self.block(c[2], c[3], 3)
        self.score4 = nn.Conv2d(c[3], 21, 1)
        self.high = nn.Sequential(
            self.block(c[3], c[3], 3),
            rectified(nn.Conv2d(c[3], c[4], 7), nn.Conv2d(c[4], c[4], 1)),
            nn.Conv2d(c[4], 21, 1),
        )
        self.up5, self.up4, self.up3 = (
            nn.ConvTranspose2d(21, 21, 2 * s, s, bias=False) for s in (2, 2, 8)
        )

    @staticmethod
    def block(c: int, to: int, n: int) -> nn.Module:
        layers = rectified(conv(c, to, 3), *(conv(to, to, 3) for _ in range(n - 1)))
        return nn.Sequential(layers, nn.MaxPool2d(2, ceil_mode=True))

    @staticmethod
    def crop(x: Tensor, offset: int, like: Tensor) -> Tensor:
        return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]

    def forward(self, image: Tensor) -> Tensor:
        low = self.low(image)
        middle = self.middle(low)
        x = self.up5(self.high(middle))
        x = self.up4(x + self.crop(self.score4(middle), 5, x))
        x = self.up3(x + self.crop(self.score3(low), 9, x))
        return self.crop(x, 31, image)


class SegNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        c = [n // BY for n in (64, 128, 256, 512, 512)]
        depths = (2, 2, 3, 3, 3)
        self.encoder = nn.ModuleList(
            nn.Sequential(self.unit(before, to), *(self.unit(to, to) for _ in range(n - 1)))
            for before, to, n in zip([3, *c], c, depths, strict=False)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(
                *(self.unit(own, own) for _ in range(n - 1)),
                self.unit(own, to) if level else conv(own, 11, 3),
            )
            for level, own, to, n in zip(range(5), c, [c[0], *c], depths, strict=False)
        )[::-1]

    @staticmethod
    def unit(c: int, to: int) -> nn.Module:
        return nn.Sequential(conv(c, to, 3, bias=False), nn.BatchNorm2d(to), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for part in self.encoder:
            volume = part(x)
            x, indices = F.max_pool2d(volume, 2, ceil_mode=True, return_indices=True)
            found.append((indices, volume.shape[2:]))
        for part, (indices, size) in zip(self.decoder, reversed(found), strict=True):
            x = part(F.max_unpool2d(x, indices, 2, output_size=size))
        return x


class Turned(nn.Module):
    """Filters turned one by one, their slices moved on: N×C×T×H×W to N×C'×4×H'×W', T 1 or 4."""

    def __init__(self, c: int, to: int, turns: int, k: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty((to, c, *([turns] if turns > 1 else []), k, k)))
        self.bias = nn.Parameter(torch.empty(to)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight if self.weight.dim() == 5 else self.weight[:, :, None]
        steps = []
        for turn in range(4):
            moved = torch.roll(torch.rot90(weight, turn, (3, 4)), turn, 2)
            steps.append(F.conv2d(x.flatten(1, 2), moved.flatten(1, 2), self.bias))
        return torch.stack(steps, 2)


def p4cnn() -> nn.Module:
    """The maximum over turns is taken at the end, where one position is left."""

    def layer(*sizes: int) -> tuple[nn.Module, ...]:
        return Turned(*sizes), nn.BatchNorm3d(10), nn.ReLU()

    return nn.Sequential(
        nn.Unflatten(1, (1, 1)),
        *(*layer(1, 10, 1, 3), *layer(10, 10, 4, 3), nn.MaxPool3d((1, 2, 2))),
        *(part for _ in range(4) for part in layer(10, 10, 4, 3)),
        Turned(10, 10, 4, 4, bias=True),
        *(nn.AdaptiveMaxPool3d(1), nn.Flatten()),
    )


REFERENCES: dict[str, tuple[Callable[[], nn.Module], str, tuple[int, int, int]]] = {
    "lenet5": (lenet5, zoo.read("lenet5").text, (1, 32, 32)),
    "zfnet": (zfnet, narrow("zfnet"), (3, 224, 224)),
    "alexnet_2012": (Towers, narrow("alexnet_2012"), (3, 227, 227)),
    "nin": (nin, narrow("nin"), (3, 32, 32)),
    "allcnn_c": (allcnn_c, narrow("allcnn_c"), (3, 32, 32)),
    "autoencoder": (autoencoder, zoo.read("autoencoder").text, (1, 28, 28)),
    **{
        f"resnet{n}": (lambda n=n: cifar_resnet(n), zoo.read(f"resnet{n}").text, (3, 32, 32))
        for n in (20, 56, 110)
    },
    "shufflenet": (shufflenet, zoo.read("shufflenet").text, (3, 64, 64)),
    "unet": (UNet, narrow("unet"), (1, 572, 572)),
    "fcn8s": (FCN8s, narrow("fcn8s"), (3, 500, 500)),
    "segnet": (SegNet, narrow("segnet"), (3, 360, 480)),
    "p4cnn": (p4cnn, zoo.read("p4cnn").text, (1, 28, 28)),
}


def fill(theirs: nn.Module) -> None:
    """Values that keep signals at their size, and statistics that are not those of no data."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in theirs.state_dict().items():
        if tensor.dim() > 1:
            bound = (6 / tensor[0].numel()) ** 0.5
            tensor.uniform_(-bound, bound, generator=generator)
        elif tensor.dtype == torch.float32:
            low = 0.5 if name.endswith(("weight", "running_var")) else -0.1
            tensor.uniform_(low, low + 0.2, generator=generator)


@pytest.mark.parametrize("name", REFERENCES)
def test_same_outputs_and_gradients(name: str) -> None:
    make, text, shape = REFERENCES[name]
    theirs, ours = make().eval(), build(text, seed=0).eval()
    fill(theirs)
    own = ours.state_dict()
    pairs = zip(own.items(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict({key: given.reshape(tensor.shape) for (key, tensor), given in pairs})
    image = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
    outputs, gradients = [], []
    for module in (ours, theirs):
        output = module(image)
        outputs.append(output.detach())
        gradients.append(torch.autograd.grad(output.square().mean(), image)[0])
    for found, expected in (outputs, gradients):
        scale = float(expected.abs().max())
        assert scale > 0
        assert float((found - expected).abs().max()) <= 1e-5 * scale


def test_p4cnn_does_not_see_quarter_turns() -> None:
    """Real digits, enlarged to the network's 28×28 pixels."""
    digits = torch.tensor(load_digits().images[:8, None], dtype=torch.float64)
    images = F.interpolate(digits, size=(28, 28), mode="bilinear")
    network = build("p4cnn", seed=0).double().eval()
    scores = network(images)
    assert float(scores.detach().std(0).min()) > 0
    for turn in (1, 2, 3):
        torch.testing.assert_close(network(torch.rot90(images, turn, (2, 3))), scores)
