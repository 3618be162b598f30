"""The stated receptive field of one network of each family, beside the support of the gradient."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from striate import zoo
from striate.catalogue import last_volume
from striate.graph import load_graph
from striate.modules import Network, build
from striate.sizing import size
from striate.sizing.receptive_field import receptive_fields

WIDTHS = re.compile(r"\b(64|128|192|256|320|384|448|512|768|1024|4096)\b")
SIZES = {
    **dict.fromkeys(("lenet5", "nin", "allcnn_c", "p4cnn"), (64, 64)),
    "alexnet_2012": (259, 227),
    "autoencoder": (120, 28),
    "unet": (572, 188),
    "fcn8s": (756, 58),
}
"""Rows and columns that the network fits; of the others, as many rows as are needed."""
FAMILIES = (
    *("lenet5", "zfnet", "alexnet_2012", "nin", "allcnn_c", "vgg11", "inception_v3", "resnet20"),
    *("resnet18_c", "resnet18_d", "resnet18_preact", "resnet50_a", "mobilenet_v2", "shufflenet"),
    *("autoencoder", "unet", "fcn8s", "p4cnn"),
)


def narrow(name: str) -> str:
    """An eighth of the channels from 64 up, and no taps: fields do not depend on them."""
    lines = [line for line in zoo.read(name).text.splitlines() if not line.startswith("-> tap")]
    if name == "resnet20":
        return "\n".join(lines)
    return "\n".join(WIDTHS.sub(lambda found: str(int(found[0]) // 8), line) for line in lines)


def averaging(network: Network) -> Network:
    """Positive weights, means for maxima and no ReLU6, so that no gradient is cut or cancelled."""
    for name, module in list(network.named_modules()):
        parent, _, last = name.rpartition(".")
        if isinstance(module, nn.MaxPool2d):
            mean = nn.AvgPool2d(
                module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode
            )
            setattr(network.get_submodule(parent), last, mean)
        if isinstance(module, nn.ReLU6):
            setattr(network.get_submodule(parent), last, nn.Identity())
        for key, weight in module.named_parameters(recurse=False):
            if weight.dim() > 1:
                nn.init.constant_(weight, 1 / weight[0].numel())
            elif key == "bias":
                nn.init.zeros_(weight)
    return network.double().eval()


@pytest.mark.parametrize("name", FAMILIES)
def test_the_field_is_where_the_gradient_is(name: str) -> None:
    """A unit of the last volume that sees no padding, on an image that is high enough."""
    ledger = size(name)
    stated = last_volume(ledger)
    layer = "stage5.pool1" if name == "vgg11" else stated.name  # what follows adapts to the size
    seen = stated.receptive_field[0]
    height, width = SIZES.get(name, (32 * (seen // 32 + 2), 96))
    graph = load_graph(narrow(name), input=(ledger.input[0], height, width))
    index = next(i for i, node in enumerate(graph) if node.name == layer)
    field, _ = receptive_fields(graph)[index]
    all_rows = {unit: field.rows(unit) for unit in range(graph.shape(index)[1])}
    inside = {
        unit: rows for unit, rows in all_rows.items() if rows and 0 <= rows[0] <= rows[1] < height
    }
    unit = max(inside, key=lambda unit: inside[unit][1] - inside[unit][0])
    network = averaging(build(graph, seed=0))
    image = torch.ones((1, *graph.input), dtype=torch.float64, requires_grad=True)
    volume = network.run_to(image, [layer])[layer]
    (gradient,) = torch.autograd.grad(volume[0, :, unit].sum(), image)
    read = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten()
    assert (int(read.min()), int(read.max())) == inside[unit]
    assert inside[unit][1] - inside[unit][0] + 1 == seen


def test_a_gate_sees_the_whole_image() -> None:
    stated = last_volume(size("se_resnet50"))
    assert stated.whole_input
    network = averaging(build(load_graph(narrow("se_resnet50"), input=(3, 96, 96)), seed=0))
    image = torch.ones((1, 3, 96, 96), dtype=torch.float64, requires_grad=True)
    volume = network.run_to(image, [stated.name])[stated.name]
    (gradient,) = torch.autograd.grad(volume[0, :, 0, 0].sum(), image)
    assert gradient.abs().amax((0, 1)).min() > 0
