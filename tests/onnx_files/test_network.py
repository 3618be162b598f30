"""Exported networks: equal to the torch module in outputs, names and costs; refusals."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

import striate
from striate.errors import UserError
from striate.onnx_files.known import KNOWN
from striate.onnx_files.network import ALWAYS_KNOWN
from striate.onnx_files.operations import OPERATIONS


class Block(nn.Module):
    """A strided residual block with a gate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=2)
        self.shortcut = nn.Conv2d(3, channels, 1, stride=2)
        self.gate = nn.Linear(channels, channels)
        self.fc = nn.Linear(channels, 5)

    def forward(self, images: Tensor) -> Tensor:
        out = self.conv2(self.relu(self.bn1(self.conv1(images))))
        out = self.relu(out + self.shortcut(images))
        out = out * torch.sigmoid(self.gate(out.mean((2, 3))))[:, :, None, None]
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(out, 1), 1))


def export(model: nn.Module, path: Path, *images: Tensor, **settings: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), images, str(path), dynamo=False, **settings)
    return path


@pytest.fixture(scope="module")
def block() -> nn.Module:
    torch.manual_seed(0)
    model = Block(8).eval()
    model.bn1.running_mean.normal_()
    model.bn1.running_var.uniform_(0.5, 2)
    return model


@pytest.fixture(scope="module")
def file(block: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "block.onnx"
    return export(
        block,
        path,
        torch.randn(1, 3, 17, 19),
        # batch norm is folded into the convolution otherwise
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
    )


def test_outputs_equal_those_of_the_torch_module(block: nn.Module, file: Path) -> None:
    images = torch.randn(4, 3, 17, 19)
    with torch.no_grad():
        torch.testing.assert_close(striate.load_onnx(file)(images), block(images))


def test_the_ledger_equals_that_of_the_torch_module(block: nn.Module, file: Path) -> None:
    ours, theirs = striate.size(file, batch=3), striate.size(block, input=(3, 17, 19), batch=3)
    assert ours.input == theirs.input == (3, 17, 19)
    assert ours.totals.parameters == theirs.totals.parameters
    assert ours.totals.macs == theirs.totals.macs
    rows = {row.name: row for row in ours.rows}
    for name in ("conv1", "bn1", "relu", "conv2", "shortcut", "gate", "fc"):
        other = next(row for row in theirs.rows if row.name == name)
        assert rows[name].output == other.output, name
        assert rows[name].parameters == other.parameters, name
        assert rows[name].macs == other.macs, name
        assert rows[name].receptive_field == other.receptive_field, name


def test_weights_whose_values_are_not_read_have_no_memory(file: Path) -> None:
    from striate.tracing.finding import find

    model = find(str(file)).model
    large = [each for each in model.parameters() if each.numel() > 4096]
    assert all(each.is_meta for each in large)


def test_a_shared_weight_counts_once(tmp_path: Path) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.conv(self.conv(images).relu())
            return found

    file = export(Twice(), tmp_path / "twice.onnx", torch.randn(1, 3, 8, 8))
    ledger = striate.size(file)
    assert ledger.totals.parameters == 84
    assert ledger.totals.macs == 2 * 81 * 64


def test_several_inputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, images: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
            return images.mean((2, 3)) + numbers, images * 2

    given = (torch.randn(2, 3, 6, 6), torch.randn(2, 3))
    file = export(Two(), tmp_path / "two.onnx", *given, input_names=["images", "numbers"])
    with torch.no_grad():
        found = striate.load_onnx(file)(*given)
    torch.testing.assert_close(found, Two()(*given))
    assert striate.size(file).rows[0].output == (3,)


def test_an_open_size_is_asked_for(tmp_path: Path) -> None:
    axes = {"images": {0: "n", 2: "h", 3: "w"}}
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    image = torch.randn(1, 3, 9, 9)
    file = export(net, tmp_path / "open.onnx", image, input_names=["images"], dynamic_axes=axes)
    with pytest.raises(UserError, match=r"^open does not say what images it takes"):
        striate.size(file)
    assert striate.size(file, input=(3, 12, 10)).rows[-1].output == (4, 10, 8)
    other = torch.randn(2, 3, 12, 10)
    with torch.no_grad():
        torch.testing.assert_close(striate.load_onnx(file)(other), net(other))


def graph(path: Path, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto]) -> Path:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("image", (1, 3, 8, 8)), (nodes[-1].output[0], None))
    ]
    made = helper.make_graph(nodes, "test", values[:1], values[1:], weights)
    onnx.save(helper.make_model(made), str(path))
    return path


def test_operations_that_are_not_known_are_all_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["image"], ["a"]),
        helper.make_node("NonZero", ["a"], ["b"], name="find"),
        helper.make_node("NonZero", ["b"], ["c"]),
        helper.make_node("Convo", ["c"], ["d"], domain="mine"),
    ]
    path = graph(tmp_path / "odd.onnx", nodes, [])
    with pytest.raises(UserError) as caught:
        striate.size(path)
    assert str(caught.value) == (
        f"{path} has operations that striate does not read: NonZero (2), mine.Convo (1). The first "
        "is 'find'. Known are those of docs/any-network.md"
    )


def test_functions_of_the_file_are_opened(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    twice = helper.make_function(
        "mine", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], opsets[:1]
    )
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 8, 8))
        for name in ("image", "twice")
    ]
    node = helper.make_node("Twice", ["image"], ["twice"], domain="mine")
    made = helper.make_graph([node], "test", values[:1], values[1:])
    path = tmp_path / "twice.onnx"
    onnx.save(helper.make_model(made, functions=[twice], opset_imports=opsets), str(path))
    image = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(striate.load_onnx(path)(image), image * 2)


def test_the_docs_list_what_is_known() -> None:
    page = (Path(__file__).parents[2] / "docs" / "any-network.md").read_text(encoding="utf-8")
    listed = re.search(r"Known operations: ([^.]*)\.", page)
    assert listed
    assert listed[1].split() == sorted({*OPERATIONS, *KNOWN, *ALWAYS_KNOWN})


def test_a_volume_that_does_not_fit_is_a_mismatch(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(torch.randn(4, 5, 3, 3).numpy(), "conv.weight")
    nodes = [helper.make_node("Conv", ["image", "conv.weight"], ["a"])]
    with pytest.raises(UserError) as caught:
        striate.size(graph(tmp_path / "bad.onnx", nodes, [weight]))
    assert str(caught.value) == (
        "bad does not fit together: conv (Conv) expects 5 channels and gets 3, in 3×8×8. Write "
        "in_channels=3, or give images of 5 channels"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "{path}: there is no such file"),
        (b"", "{path} is not an ONNX file, or has no operations"),
        (b"\xff\xfe junk \x00\x01", "{path} is not an ONNX file, or only the beginning of one"),
    ],
)
def test_files_that_are_no_network(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    for use in (striate.size, striate.load_onnx):
        with pytest.raises(UserError) as caught:
            use(path)
        assert str(caught.value) == message.format(path=path)


def test_a_file_cut_anywhere_is_refused_or_whole(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for end in range(1, len(data), 97):
        cut = tmp_path / "cut.onnx"
        cut.write_bytes(data[:end])
        with pytest.raises(UserError):
            striate.load_onnx(cut)


def test_missing_weights_beside_the_file_are_named(block: nn.Module, tmp_path: Path) -> None:
    path = export(block, tmp_path / "net.onnx", torch.randn(1, 3, 17, 19))
    onnx.save(
        onnx.load(str(path)),
        str(path),
        save_as_external_data=True,
        location="net.bin",
        size_threshold=0,
    )
    assert striate.load_onnx(path)(torch.randn(1, 3, 17, 19)).shape == (1, 5)
    (tmp_path / "net.bin").unlink()
    assert striate.size(path).totals.macs > 0  # values are not needed for sizes
    with pytest.raises(UserError, match=r"in net\.bin are missing or incomplete$"):
        striate.load_onnx(path)
