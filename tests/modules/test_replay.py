"""Replaying a program: which operations may stand in one, precisions, and what does not fit."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from striate.errors import UserError
from striate.graph import load_graph
from striate.graph.program import Operation, Program, ProgramError, Routine, Stored, Unit
from striate.modules import InputError, Replay, build

CONV = [{"value": 0}, {"tensor": "conv.weight"}, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1]
FILTERS = Operation("convolution.default", CONV, {}, (1,), "conv")
SUM = Operation("add.Tensor", [{"value": 1}, {"tensor": "shift"}], {}, (2,), "")


def program(*operations: Operation, result: int = 2) -> Program:
    routine = Routine(operations or (FILTERS, SUM), {"output": result})
    return Program(
        name="mine",
        input=(3, 8, 8),
        modules={"": "Net", "conv": "Conv2d"},
        tensors={
            "conv.weight": Stored((4, 3, 3, 3), "float32", True),
            "shift": Stored((4, 1, 1), "float32", False),
        },
        layers=(Unit("conv", "conv", "conv3-4", "conv", ("input",), (4, 8, 8), 6912, ()),),
        structure=["conv"],
        ends={"output": "conv"},
        training=routine,
        evaluation=routine,
    )


def replay(*operations: Operation, result: int = 2) -> Replay:
    network = build(program(*operations, result=result).to_source())
    assert isinstance(network, Replay)
    with torch.no_grad():
        torch.manual_seed(0)
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.normal_()
    return network


def expected(network: Replay, image: Tensor) -> Tensor:
    weight, shift = network.get_parameter("conv.weight"), network.get_buffer("shift")
    return nn.functional.conv2d(image, weight, padding=1) + shift


def test_modules_have_the_names_and_classes_that_were_followed() -> None:
    network = replay()
    assert list(network.state_dict()) == ["shift", "conv.weight"]
    assert type(network.get_submodule("conv")).__name__ == "Conv2d"
    assert [name for name, _ in network.filter_banks()] == ["conv"]
    image = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(network(image), expected(network, image))
    assert list(network.run_to(image, ["conv"])) == ["conv"]


def test_another_order_in_memory() -> None:
    network = replay(FILTERS, Operation("view.default", [{"value": 1}, [-1, 256]], {}, (2,), ""))
    image = torch.rand(2, 3, 8, 8)
    straight = network(image)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    there = network(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(there, straight)


@pytest.mark.parametrize("by", ["attribute", "autocast"])
def test_products_are_made_in_the_lower_precision(by: str) -> None:
    network, image = replay(), torch.rand(2, 3, 8, 8)
    if by == "attribute":
        network.precision = torch.bfloat16
        found = network(image)
    else:
        with torch.autocast("cpu", torch.bfloat16):
            found = network(image)
    whole = expected(network, image)
    assert found.dtype == torch.float32
    assert not torch.equal(found, whole)
    torch.testing.assert_close(found, whole, rtol=0.02, atol=0.1)
    assert network.get_parameter("conv.weight").dtype == torch.float32


def test_what_is_written_into_keeps_its_precision() -> None:
    network = replay(FILTERS, Operation("add_.Tensor", SUM.arguments, {}, (2,), ""))
    network.precision = torch.bfloat16
    assert network(torch.rand(2, 3, 8, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (3, 8, 8),
            "the network takes a batch of N×3×8×8, not 3×8×8. Add the batch axis in front",
        ),
        (
            (1, 3, 9, 9),
            "the network takes images of 3×8×8, not 3×9×9: it is kept as the operations that "
            "these came to. Resize the images to 8×8",
        ),
    ],
)
def test_other_images_are_told(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        replay()(torch.rand(shape))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("from_file.default", "the operation from_file.default is none of a network's"),
        ("quantized::add", "the operation quantized::add is none of a network's"),
        ("prim::PythonOp.x", "the operation prim::PythonOp.x is none of a network's"),
        ("no_such.default", "this torch ({torch}) has no operation no_such.default"),
        ("__class__.mro", "this torch ({torch}) has no operation __class__.mro"),
    ],
)
def test_nothing_but_a_network_s_operations_runs(name: str, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        replay(Operation(name, ["/etc/passwd"], {}, (2,), ""))
    assert str(caught.value) == message.format(torch=torch.__version__)


def test_an_argument_that_says_nothing_is_told() -> None:
    with pytest.raises(ProgramError) as caught:
        replay(Operation("relu.default", [{"code": "1"}], {}, (2,), ""))
    assert str(caught.value) == "an argument is {'code': '1'}, which says nothing"


@pytest.mark.parametrize("name", ["forward", "graph", "batch_norm", "outputs"])
def test_modules_may_have_any_name(name: str) -> None:
    convolution = replace(
        FILTERS, path=name, arguments=[CONV[0], {"tensor": f"{name}.w"}, *CONV[2:]]
    )
    made = replace(
        program(convolution, SUM),
        modules={"": "Net", name: "Conv2d"},
        tensors={
            f"{name}.w": Stored((4, 3, 3, 3), "float32", True),
            "shift": Stored((4, 1, 1), "float32", False),
        },
    )
    network = build(made.to_source())
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 4, 8, 8)
    assert list(network.train().state_dict()) == ["shift", f"{name}.w"]
    assert list(copy.deepcopy(network).state_dict()) == ["shift", f"{name}.w"]


def test_a_program_of_two_steps_in_one_module_frees_what_is_read() -> None:
    twice = Operation("mul.Tensor", [{"value": 2}, 2], {}, (3,), "")
    network, image = replay(FILTERS, SUM, twice, result=3), torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(network(image), 2 * expected(network, image))


def test_the_graph_s_own_input_alone() -> None:
    with pytest.raises(UserError, match="holds for these alone"):
        load_graph(program().to_source(), input=(3, 9, 9))
