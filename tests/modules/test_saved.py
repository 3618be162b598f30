"""What the backward pass needs of the forward pass: counted on the meta device, held on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from striate.errors import UserError
from striate.modules import build
from striate.modules.saved import saved_bytes


def test_vgg_16() -> None:
    """The image, each volume between layers once, the pools' indices, the masks of dropout."""
    assert round(saved_bytes("vgg16") / 1e6, 2) == 73.36


def test_by_hand() -> None:
    """The image (3 kB and more), what relu gives, 8 bytes for each maximum, and the maxima."""
    image, relu, pooled = 3 * 16 * 16, 8 * 16 * 16, 8 * 8 * 8
    text = "input 3x16x16 -> conv3-8 -> relu -> pool2 -> conv1-4"
    assert saved_bytes(text) == 4 * (image + relu + pooled) + 8 * pooled
    assert saved_bytes(text, batch=5) == 5 * saved_bytes(text)
    assert saved_bytes(text, input=(3, 32, 32)) == 4 * saved_bytes(text)


def test_a_sum_keeps_nothing_and_a_product_keeps_its_branches() -> None:
    """Of a product both factors are kept; of a sum none is, and convolutions share their input."""
    image, one = 4 * 4 * 64, 4 * 4 * 64
    assert saved_bytes("input 4x8x8 -> (conv1-4 + conv3-4)") == image
    assert saved_bytes("input 4x8x8 -> (conv1-4 * conv3-4)") == image + 2 * one


@pytest.mark.parametrize("what", ["lenet5", "quick", "googlenet"])
def test_as_much_as_a_forward_pass_on_the_cpu_keeps(what: str) -> None:
    network = build(what, seed=0).train()
    images = torch.zeros((2, *network.graph.input))
    weights = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(images)
    held = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert saved_bytes(what, batch=2) == held


def test_an_empty_batch() -> None:
    with pytest.raises(UserError, match=r"^a batch holds at least 1 image, not 0$"):
        saved_bytes("vgg16", batch=0)


def test_a_batch_that_batch_normalisation_cannot_take() -> None:
    with pytest.raises(UserError) as error:
        saved_bytes("inception_v3")
    assert str(error.value) == (
        "inception_v3 cannot train on a batch of 1 image: batch normalisation of volumes of 1×1 "
        "needs more than one value for each channel. Take a batch of 2"
    )
