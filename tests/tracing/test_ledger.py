"""The ledger of any torch network, held to torch itself and to the ledger of the notation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import striate
from striate import UserError
from striate.modules import build


def saved_by_a_step(model: nn.Module, images: Tensor) -> int:
    """What torch keeps of a real forward pass, each piece of memory once, without the weights."""
    own = {each.untyped_storage().data_ptr() for each in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in own:
            kept[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.train()(images)
    return sum(each.untyped_storage().nbytes() for each in kept.values())


class Odd(nn.Module):
    """Functional calls, a shared module, tied weights, a gate, a parameter without a module."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.again = nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False)
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.idle = nn.Linear(3, 2)
        self.head = nn.Linear(4, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.stem(image), inplace=True)
        x = self.again(self.again(x)).relu_() + x
        x = self.up(F.max_pool2d(x, 2)) * self.scale
        x = x * torch.sigmoid(x.mean((2, 3), keepdim=True))
        return self.head(F.dropout(x.mean((2, 3)), 0.3, self.training))


def test_a_network_of_functions_shared_modules_and_idle_ones() -> None:
    model = Odd()
    before = {name: (each, each.clone()) for name, each in model.state_dict(keep_vars=True).items()}
    ledger = striate.size(model, input=(3, 16, 16), batch=2)
    rows = {row.name: row for row in ledger.rows}
    assert list(rows) == [
        *("stem", "relu", "again", "again#2", "relu#2", "add", "max_pool2d_with_indices", "up"),
        *("mul", "mean", "sigmoid", "mul#2", "mean#2"),
        *(name for name in rows if name.startswith(("bernoulli", "div", "mul#3", "native"))),
        *("head", "idle"),
    ]
    assert ledger.totals.parameters == sum(each.numel() for each in model.parameters())
    assert ledger.totals.saved_bytes == saved_by_a_step(model, torch.zeros(2, 3, 16, 16))
    assert rows["stem"].saved_bytes == 2 * 3 * 16 * 16 * 4  # the image
    assert rows["relu"].saved_bytes == 2 * 8 * 16 * 16 * 4
    assert rows["add"].saved_bytes == 0
    pool = rows["max_pool2d_with_indices"]  # the sum, and indices of eight bytes
    assert pool.saved_bytes == 2 * 8 * 16 * 16 * 4 + 2 * 8 * 8 * 8 * 8
    assert rows["again#2"].weights == "again"
    assert (rows["mul"].parameters, rows["idle"].parameters) == (4, 8)
    assert rows["again"].macs == rows["again#2"].macs == 2 * 8 * 16 * 16 * 4 * 9
    assert rows["up"].macs == 2 * 8 * 8 * 8 * 4 * 4 * 4
    assert rows["add"].inputs == ("relu#2", "relu")
    assert rows["up"].output == (4, 16, 16)
    assert ledger.notes == ("the parameters of idle are not used in this pass",)
    for name, each in model.state_dict(keep_vars=True).items():
        assert each is before[name][0]
        assert torch.equal(each, before[name][1])
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["lenet5", "googlenet_aux", "mobilenet_v2", "unet", "segnet"])
def test_networks_of_the_zoo_have_the_rows_of_their_text(name: str) -> None:
    expected = striate.size(name)
    found = striate.size(build(name, seed=0))
    by_name = {row.name: row for row in found.rows}
    for row in expected.rows:
        if row.kind == "id":
            continue  # does nothing, and has no operation
        other = by_name[row.name]
        for column in ("output", "parameters", "macs", "output_bytes"):
            assert getattr(other, column) == getattr(row, column), (row.name, column)
    assert found.totals.parameters == expected.totals.parameters
    assert found.totals.macs == expected.totals.macs
    assert found.totals.saved_bytes == striate.saved_bytes(name)


@pytest.mark.parametrize(
    "name", ["alexnet", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "resnet18"]
)
def test_networks_of_torchvision(name: str) -> None:
    """MACs against torch's own count, what is kept against a step with real values."""
    from torchvision.models import get_model

    model = get_model(name, weights=None)
    images = torch.zeros(2, 3, 64, 64)
    ledger = striate.size(f"torchvision:{name}", input=(3, 64, 64), batch=2)
    with FlopCounterMode(display=False) as counter:
        model.eval()(images)
    assert 2 * ledger.totals.macs == counter.get_total_flops()
    assert ledger.totals.parameters == sum(each.numel() for each in model.parameters())
    assert ledger.totals.saved_bytes == saved_by_a_step(model, images)


def test_a_network_of_timm() -> None:
    ledger = striate.size("timm:resnet18.a1_in1k")
    assert (ledger.name, ledger.input) == ("timm:resnet18.a1_in1k", (3, 224, 224))
    assert ledger.totals.parameters == 11_689_512
    assert ledger.totals.macs == 1_814_073_344


def test_one_value_for_a_channel_is_told() -> None:
    """Inception-v3's auxiliary classifier pools to 1×1."""
    ledger = striate.size("torchvision:inception_v3")
    assert ledger.totals.parameters == 27_161_264
    assert ledger.notes == (
        "torchvision:inception_v3 cannot train on a batch of 1 image: batch normalisation of "
        "volumes of 1×1 needs more than one value for each channel. Take a batch of 2",
    )


def test_a_network_that_depends_on_its_data_is_sized_up_to_there() -> None:
    ledger = striate.size("torchvision:fasterrcnn_resnet50_fpn", input=(3, 64, 64))
    assert ledger.totals.macs > 0
    assert ledger.totals.saved_bytes is None
    assert ledger.warnings == (
        "torchvision:fasterrcnn_resnet50_fpn is sized up to rpn, where it stops: what follows "
        "depends on the values of the data (aten.nonzero.default), and sizing runs on shapes "
        "alone. --run (in Python run=True) completes it on random images",
    )


def test_a_mismatch_is_shown_behind_what_goes_before() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(10, 2))
    ledger = striate.size(model, input=(3, 8, 8))
    assert [row.name for row in ledger.rows] == ["0", "1", "2"]
    assert ledger.warnings == (
        "Sequential is sized up to 2, where it stops: 2 (nn.Linear(in_features=10, out_features=2, "
        "bias=True)) expects 10 features and gets 288 = 8×6×6. Write nn.Linear(288, 2)",
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "torchvision:resnet5",
            "torchvision:resnet5: torchvision has no network 'resnet5'. Did you mean "
            "torchvision:resnet50 or torchvision:resnet152 or torchvision:resnet34?",
        ),
        (
            "nowhere.nets:make",
            "nowhere.nets:make: there is no module 'nowhere', neither in the current folder nor "
            "among the installed packages. Give timm:NAME, torchvision:NAME, or "
            "module.path:factory",
        ),
        ("math:pi", "math:pi is a float, neither a torch network nor a function that gives one"),
        ("math:coz", "math:coz: math has no function 'coz'. Did you mean math:cos?"),
    ],
)
def test_what_is_not_there(what: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        striate.size(what)
    assert str(error.value).startswith(message)


def test_a_live_network_needs_an_input() -> None:
    with pytest.raises(UserError) as error:
        striate.size(nn.Conv2d(3, 8, 3))
    assert str(error.value) == (
        "Conv2d does not say what images it takes. Say it: --input 3x224x224, in Python "
        "input=(3, 224, 224)"
    )
    with pytest.raises(UserError) as error:
        striate.size(nn.Conv2d(4, 8, 3), input=(3, 8, 8))
    assert str(error.value) == (
        "Conv2d does not fit together: nn.Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1)) expects "
        "4 channels and gets 3, in 3×8×8. Write in_channels=3, or give images of 4 channels"
    )
