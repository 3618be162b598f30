"""What FakeTensorMode has otherwise than torch on a CPU, held to torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from striate.sizing.memory import KINDS, StepSettings
from striate.tracing.step import follow, take_step


class Normed(nn.Module):
    """Layer and group normalisation behind what autocasting lowers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.group, self.layer = nn.GroupNorm(2, 8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.group(self.conv(image)).flatten(2).transpose(1, 2)
        found: torch.Tensor = self.head(self.layer(x)).mean(1)
        return found


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_statistics_of_normalisation_take_what_they_really_take(precision: str) -> None:
    settings = StepSettings(precision=precision)
    told = take_step(Normed(), (3, 12, 12), 4, settings)
    model = Normed().train()
    follow(model, torch.rand(4, 3, 12, 12), settings)
    real = follow(model, torch.rand(4, 3, 12, 12), settings)
    place = KINDS.index("saved")
    both = [max(moment.live[place] for moment in each.moments) for each in (told, real)]
    assert both[0] == both[1]
