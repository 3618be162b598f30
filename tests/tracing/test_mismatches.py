"""Torch networks whose volumes do not fit: what is said, where, and that the fix mends it."""

from __future__ import annotations

import inspect

import pytest
import torch
import torchvision
from click.testing import CliRunner
from torch import Tensor, nn

import striate
from striate.cli import program
from striate.errors import UserError


class Residual(nn.Module):
    def __init__(self, padding: int, channels: int = 8, stride: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.body = nn.Conv2d(8, channels, 3, stride, padding)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        return self.body(x) + x


class Joined(Residual):
    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        return torch.cat([x, self.body(x)], 1)


def line_of(kind: type[nn.Module]) -> str:
    """The last line of a class's forward, as a message names it."""
    lines, first = inspect.getsourcelines(kind.forward)
    return f"tests/tracing/test_mismatches.py:{first + len(lines) - 1}"


def stop(model: nn.Module, side: int = 32) -> str:
    """What is said behind the part of the network that was sized."""
    ledger = striate.size(model, input=(3, side, side))
    assert not ledger.fits
    assert ledger.lints[0].rule == "mismatch"
    return ledger.warnings[0].partition(", where it stops: ")[2]


CONV = nn.Conv2d(3, 8, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            nn.Sequential(CONV, nn.Flatten(), nn.Linear(512, 10)),
            "2 (nn.Linear(in_features=512, out_features=10, bias=True)) expects 512 features and "
            "gets 7200 = 8×30×30. Write nn.Linear(7200, 10), or pool to 8×8 before it: "
            "nn.AdaptiveAvgPool2d(8)",
        ),
        (
            nn.Sequential(CONV, nn.Flatten(), nn.Linear(10, 2)),
            "2 (nn.Linear(in_features=10, out_features=2, bias=True)) expects 10 features and "
            "gets 7200 = 8×30×30. Write nn.Linear(7200, 2)",
        ),
        (
            nn.Sequential(CONV, nn.Linear(7200, 10)),
            "1 (nn.Linear(in_features=7200, out_features=10, bias=True)) expects 7200 features "
            "and gets a volume of 8×30×30. Flatten it before: torch.flatten(x, 1)",
        ),
        (
            nn.Sequential(CONV, nn.Linear(8, 10)),
            "1 (nn.Linear(in_features=8, out_features=10, bias=True)) expects 8 features and "
            "gets a volume of 8×30×30. Pool it to 1×1 and flatten it before: x.mean((2, 3))",
        ),
        (
            nn.Sequential(CONV, nn.Conv2d(16, 4, 1)),
            "1 (nn.Conv2d(16, 4, kernel_size=(1, 1), stride=(1, 1))) expects 16 channels and gets "
            "8, in 8×30×30. Write in_channels=8, or give what comes before it 16 channels",
        ),
        (
            nn.Sequential(CONV, nn.Conv2d(8, 4, 31)),
            "1 (nn.Conv2d(8, 4, kernel_size=(31, 31), stride=(1, 1))) has filters of 31×31 and "
            "gets 8×30×30. Take larger images, a smaller kernel_size, or more padding",
        ),
        (
            nn.Sequential(CONV, nn.GroupNorm(2, 8), nn.InstanceNorm2d(8), nn.LayerNorm(16)),
            f"3 (nn.{nn.LayerNorm(16)}) expects 16 last and gets 8×30×30. Write nn.LayerNorm(30)",
        ),
        (
            nn.Sequential(CONV, nn.MaxPool2d(40)),
            "1 (nn.MaxPool2d(kernel_size=40, stride=40, padding=0, dilation=1, ceil_mode=False)) "
            "has a window larger than what it gets, 8×30×30. Take larger images, a smaller window, "
            "or fewer strides before it",
        ),
        (
            Residual(0),
            "the sum in the forward of Residual meets unlike shapes: 8×30×30 of body and 8×32×32 "
            f"of stem ({line_of(Residual)}). Bring both to one size: by padding, or by cropping",
        ),
        (
            Residual(1, 16, 2),
            "the sum in the forward of Residual meets unlike shapes: 16×16×16 of body and 8×32×32 "
            f"of stem ({line_of(Residual)}). A convolution on the larger brings it to the other: "
            "nn.Conv2d(8, 16, 1, stride=2)",
        ),
        (
            Joined(0),
            "cat in the forward of Joined along axis 1 meets unlike sizes: 8×32×32 of stem and "
            f"8×30×30 of body ({line_of(Joined)}). Bring all to one size in the other axes: by "
            "padding, or by cropping",
        ),
    ],
)
def test_a_mismatch_says_what_was_met_what_was_expected_where_and_the_fix(
    model: nn.Module, said: str
) -> None:
    assert stop(model) == said


def test_batch_normalisation_of_other_channels() -> None:
    said = stop(nn.Sequential(CONV, nn.BatchNorm2d(16)))
    assert said.startswith("1 (nn.BatchNorm2d(16, eps=1e-05, momentum=0.1, affine=True")
    assert said.endswith(")) expects 16 channels and gets 8, in 8×30×30. Write nn.BatchNorm2d(8)")


def test_the_line_of_the_call_is_that_of_the_network_s_code() -> None:
    model = torchvision.models.resnet18(num_classes=10)
    model.fc = nn.Linear(25088, 10)
    said = stop(model, side=224)
    assert said.startswith(
        "fc (nn.Linear(in_features=25088, out_features=10, bias=True)) expects 25088 features and "
        "gets 512 = 512×1×1 ("
    )
    assert "torchvision/models/resnet.py:" in said
    assert said.endswith(
        "Write nn.Linear(512, 10), or pool to 7×7 before it: nn.AdaptiveAvgPool2d(7)"
    )


def test_the_fixes_mend_the_network() -> None:
    for mended in (
        nn.Sequential(CONV, nn.Flatten(), nn.Linear(7200, 10)),
        nn.Sequential(CONV, nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(512, 10)),
        nn.Sequential(CONV, nn.Conv2d(8, 4, 1)),
        nn.Sequential(CONV, nn.LayerNorm(30)),
    ):
        assert striate.size(mended, input=(3, 32, 32)).fits


def test_a_network_that_fits_nowhere_is_an_error() -> None:
    with pytest.raises(UserError) as caught:
        striate.size(nn.Conv2d(1, 8, 3), input=(3, 32, 32))
    assert str(caught.value) == (
        "Conv2d does not fit together: nn.Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1)) expects "
        "1 channel and gets 3, in 3×32×32. Write in_channels=3, or give images of 1 channel"
    )


def test_the_command_prints_what_goes_before_and_ends_as_an_error(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unfit.py").write_text(
        "from torch import nn\n\n\ndef net():\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(10, 2))\n"
    )
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(program, ["size", "unfit:net", "--input", "3x8x8"])
    assert result.exit_code == 2
    assert "8×6×6" in result.stdout
    assert result.stderr.startswith(
        "warning: unfit:net is sized up to 2, where it stops: 2 (nn.Linear(in_features=10, "
        "out_features=2, bias=True)) expects 10 features and gets 288 = 8×6×6. "
        "Write nn.Linear(288, 2)"
    )
