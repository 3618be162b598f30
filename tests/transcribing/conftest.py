"""What tests of transcriptions hold them to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from striate.modules.network import Network
from striate.transcribing import Transcription, transcribe


def _settled(model: nn.Module) -> nn.Module:
    """In evaluation, with weights and statistics that tell every layer apart."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.is_floating_point() and tensor.dim() == 1:
                tensor.uniform_(0.5, 1.0)
    return model.eval()


def _check(model: nn.Module, input: tuple[int, int, int]) -> Transcription:
    """The text's module, with the weights of the model, gives what the model gives."""
    model = _settled(model)
    found = transcribe(model, input=input)
    network = Network(found.graph).eval()
    missing, unexpected = network.load_state_dict(found.state_dict(), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    image = torch.rand(3, *input)
    with torch.no_grad():
        expected: Any = model(image)
        outputs = network.outputs(image)
    if isinstance(expected, Tensor):
        torch.testing.assert_close(outputs["output"], expected, rtol=1e-4, atol=1e-5)
    else:
        named = expected.items() if isinstance(expected, dict) else enumerate(expected)
        first, *others = named
        torch.testing.assert_close(outputs["output"], first[1], rtol=1e-4, atol=1e-5)
        for name, each in others:
            key = name if isinstance(name, str) else f"output{name}"
            torch.testing.assert_close(outputs[key], each, rtol=1e-4, atol=1e-5)
    learned = {id(each): each.numel() for each in model.parameters()}
    own = {id(each): each.numel() for each in network.parameters()}
    assert sum(own.values()) == sum(learned.values())
    return found


@pytest.fixture
def settled() -> Callable[[nn.Module], nn.Module]:
    """Puts a network into evaluation, with weights and statistics that tell every layer apart."""
    return _settled


@pytest.fixture
def check() -> Callable[[nn.Module, tuple[int, int, int]], Transcription]:
    """Holds a network's text to the network; gives the transcription."""
    return _check
