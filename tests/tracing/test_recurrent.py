"""The workspace of an LSTM, held to the one that oneDNN really makes."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

import striate
from striate.sizing.memory import StepSettings
from striate.tracing.recurrent import LSTM, workspace
from striate.tracing.step import follow, take_step

AVX512 = pytest.mark.skipif(
    not torch.cpu._is_avx512_supported(), reason="oneDNN has other kernels for this CPU"
)


@AVX512
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_oneDNN_s_own_workspace(dtype: torch.dtype) -> None:  # noqa: N802
    if dtype == torch.bfloat16 and not torch.cpu._is_avx512_bf16_supported():
        pytest.skip("no bfloat16 in this CPU")
    chance = random.Random(3)
    for _ in range(40):
        steps, batch = chance.randint(1, 40), chance.randint(1, 9)
        width, hidden = (chance.choice([1, 8, 17, 24, 48, 64, 100, 192, 256]) for _ in range(2))
        weights = [torch.zeros(4 * hidden, size, dtype=dtype) for size in (width, hidden)]
        biases = [torch.zeros(4 * hidden, dtype=dtype)] * 2
        states = [torch.zeros(1, batch, hidden, dtype=dtype)] * 2
        image = torch.zeros(steps, batch, width, dtype=dtype)
        flags = (False, [], LSTM, hidden, 1, True, False, False, True)
        made = torch.ops.aten.mkldnn_rnn_layer(image, *weights, *biases, *states, *flags)
        told = workspace(steps, batch, width, hidden, dtype.itemsize)
        assert told == made[3].nbytes, (steps, batch, width, hidden)


class Rows(nn.Module):
    """Reads the rows of an image one after the other, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(48, 24, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.lstm(image.transpose(1, 2).flatten(2))[0][:, -1])
        return found


@AVX512
def test_saved_bytes_are_those_of_a_real_step() -> None:
    model, image = Rows(), torch.rand(4, 3, 20, 16)
    own = {each.untyped_storage()._cdata for each in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in own:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(image)
    real = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert striate.saved_bytes(model, input=(3, 20, 16), batch=4) == real


@AVX512
def test_the_memory_of_a_step_is_that_of_a_real_one() -> None:
    told = take_step(Rows(), (3, 20, 16), 4, StepSettings())
    model = Rows().train()
    follow(model, torch.rand(4, 3, 20, 16), StepSettings())  # momentum begins
    real = follow(model, torch.rand(4, 3, 20, 16), StepSettings())
    peaks = [max(sum(moment.live) for moment in each.moments) for each in (told, real)]
    assert peaks[0] == pytest.approx(peaks[1], rel=0.01)
