"""Parity with torchvision and timm: outputs, statistics, gradients, and checkpoints by name."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from striate import zoo
from striate.errors import UserError
from striate.graph import load_graph
from striate.modules import Network, build, load_published, to_published
from striate.modules.published import PUBLISHED

RESNETS = (18, 34, 50, 101, 152)
TIMM: dict[str, tuple[str, dict[str, Any]]] = {
    "mobilenet_v1": ("mobilenetv1_100", {}),
    "se_resnet50": ("seresnet50", {}),
    **{f"resnet{n}_c": (f"resnet{n}", {"stem_width": 32, "stem_type": "deep"}) for n in RESNETS},
    **{f"resnet{n}_d": (f"resnet{n}d", {}) for n in RESNETS},
    **{f"resnet{n}_preact": (f"resnetv2_{n}", {}) for n in RESNETS},
}
TORCHVISION = (
    "alexnet",
    "googlenet",
    "googlenet_aux",
    "inception_v3",
    "mobilenet_v2",
    *(f"resnet{depth}" for depth in RESNETS),
    *(f"resnet{depth}_a" for depth in (50, 101, 152)),
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
)
KEYS = ("weight", "bias")
DEEP = ("101", "152")
LITTLE = "input 3x224x224 -> conv3-8 -> relu -> gap -> fc-2"


def theirs_on_meta(name: str, **settings: Any) -> nn.Module:
    """The network as torchvision or timm has it, without memory."""
    with torch.device("meta"):
        if name in TIMM:
            known, more = TIMM[name]
            return timm.create_model(known, **more)
        known = name.removesuffix("_aux").removesuffix("_a")
        if known in ("googlenet", "inception_v3"):
            settings = {"aux_logits": name != "googlenet", "init_weights": False, **settings}
        module: nn.Module = getattr(models, known)(weights=None, **settings)
    if name.endswith("_a"):
        for part in module.modules():
            if isinstance(part, models.resnet.Bottleneck):
                part.conv1.stride, part.conv2.stride = part.conv2.stride, (1, 1)
    return module


def narrowed(theirs: nn.Module) -> nn.Module:
    """With 64 neurons in place of 4096 in hidden layers: those hold nine weights of ten."""
    classifier = getattr(theirs, "classifier", None)
    for index, layer in enumerate(classifier if isinstance(classifier, nn.Sequential) else ()):
        if isinstance(layer, nn.Linear):
            sizes = [64 if n == 4096 else n for n in (layer.in_features, layer.out_features)]
            classifier[index] = nn.Linear(*sizes, device="meta")
    return theirs


def on_meta(what: str) -> Network:
    with torch.device("meta"):
        return Network(load_graph(what))


def fill(module: nn.Module) -> None:
    """Random values everywhere, so that no two layers of one shape can be taken for another."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(3)
        elif tensor.dim() > 1:
            bound = (6 / tensor[0].numel()) ** 0.5
            tensor.uniform_(-bound, bound, generator=generator)
        else:
            low = 0.5 if name.endswith(("weight", "running_var")) else -0.1
            tensor.uniform_(low, low + 0.2, generator=generator)


def agree(ours: Tensor, theirs: Tensor) -> None:
    scale = float(theirs.abs().max())
    assert scale > 0
    assert float((ours - theirs).abs().max()) <= 1e-5 * scale


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def both(name: str, theirs: nn.Module) -> tuple[Network, nn.Module]:
    """Ours and theirs with the same weights, loaded by name."""
    theirs = narrowed(theirs).to_empty(device="cpu")
    fill(theirs)
    ours = on_meta(load_graph(name).source.text.replace("fc-4096", "fc-64"))
    ours = ours.to_empty(device="cpu")
    load_published(ours, theirs.state_dict())
    return ours, theirs


def images(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_every_published_network_is_compared() -> None:
    assert set(PUBLISHED) == {*TORCHVISION, *TIMM} - {f"resnet{n}_a" for n in RESNETS}
    assert set(PUBLISHED) <= set(zoo.names())


@pytest.mark.parametrize("name", [*TORCHVISION, *TIMM])
def test_same_outputs_and_statistics(name: str) -> None:
    ours, theirs = both(name, theirs_on_meta(name))
    size = 128 if name.startswith("inception") else 32 if name.startswith("vgg") else 64
    with torch.no_grad():
        agree(ours.eval()(images(size)), theirs.eval()(images(size)))
        if not any(part in name for part in (*DEEP, "aux", "inception")):
            outputs = []
            for module in (ours, theirs):
                torch.manual_seed(2)  # for the same dropouts
                outputs.append(module.train()(images(size)))
            agree(*outputs)
    state = theirs.state_dict()
    found = to_published(ours)
    assert found.keys() == state.keys()
    for key, tensor in found.items():
        torch.testing.assert_close(tensor, state[key])


@pytest.mark.parametrize(
    ("name", "taps"),
    [
        ("googlenet_aux", {"aux1": "aux_logits1", "aux2": "aux_logits2"}),
        ("inception_v3", {"aux": "aux_logits"}),
    ],
)
def test_same_auxiliary_outputs(name: str, taps: dict[str, str]) -> None:
    """torchvision gives them in training only; its layers stay in evaluation here."""
    ours, theirs = both(name, theirs_on_meta(name))
    ours.eval()
    theirs.eval().training = True
    image = images(ours.graph.input[1])[:1]
    with torch.no_grad():
        found, expected = ours.outputs(image), theirs(image)
    assert set(found) == {"output", *taps}
    agree(found["output"], expected.logits)
    for tap, name_there in taps.items():
        agree(found[tap], getattr(expected, name_there))


def test_auxiliary_classifiers_may_be_left_away() -> None:
    lines = load_graph("inception_v3").source.text.splitlines()
    network = on_meta("\n".join(line for line in lines if "tap aux" not in line))
    network = network.to_empty(device="cpu")
    theirs = theirs_on_meta("inception_v3").to_empty(device="cpu")
    fill(theirs)
    load_published(network, theirs.state_dict())
    assert same(network, theirs.state_dict())


def test_full_size() -> None:
    """The order of a flattened 7×7 grid, which smaller images cannot tell."""
    ours, theirs = both("vgg11", theirs_on_meta("vgg11"))
    with torch.no_grad():
        agree(ours.eval()(images(224)[:1]), theirs.eval()(images(224)[:1]))


def test_a_checkpoint_of_another_width() -> None:
    """timm's MobileNet of another width, which a constant of ours gives."""
    with torch.device("meta"):
        theirs = timm.create_model("mobilenetv1_125")
    ours = on_meta("mobilenet_v1(alpha=1.25)")
    assert {name: tensor.shape for name, tensor in to_published(ours).items()} == {
        name: tensor.shape for name, tensor in theirs.state_dict().items()
    }


def test_same_gradients() -> None:
    theirs = models.resnet18()
    ours = build("resnet18", seed=0)
    load_published(ours, theirs.state_dict())
    for module in (ours, theirs):
        module(images(64)).square().sum().backward()
    place = {tensor.data_ptr(): name for name, tensor in to_published(ours).items()}
    gradients = {place[weight.data_ptr()]: weight.grad for weight in ours.parameters()}
    for name, weight in theirs.named_parameters():
        agree(gradients[name], weight.grad)


def test_a_network_without_published_names_says_so() -> None:
    network = build(LITTLE)
    with pytest.raises(UserError) as error:
        load_published(network, {})
    assert str(error.value) == (
        "network has no published names: its layers with weights are in number and order those of "
        f"no network that torchvision or timm has. Known: {', '.join(PUBLISHED)}"
    )


def test_weights_of_a_kind_that_no_published_network_has_are_not_passed_over() -> None:
    text = load_graph("vgg11").source.text.replace("adaptavgpool7", "tconv3-512 -> adaptavgpool7")
    with pytest.raises(UserError, match="has no published names"):
        to_published(on_meta(text))


@pytest.fixture(scope="module")
def published() -> Mapping[str, Tensor]:
    return models.resnet18().state_dict()


@pytest.fixture
def network() -> Network:
    return build("resnet18", seed=0)


def same(network: Network, weights: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(tensor, weights[name]) for name, tensor in to_published(network).items())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt"])
def test_reads_files(
    network: Network, published: Mapping[str, Tensor], tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"resnet18{suffix}"
    if suffix == ".safetensors":
        save_file(dict(published), path)
    else:
        torch.save(published, path)
    load_published(network, path)
    assert same(network, published)


def test_the_order_of_the_checkpoint_does_not_matter(
    network: Network, published: Mapping[str, Tensor]
) -> None:
    load_published(network, dict(reversed(published.items())))
    assert same(network, published)


def test_the_prefix_of_data_parallel_is_taken_off(
    network: Network, published: Mapping[str, Tensor]
) -> None:
    load_published(network, {f"module.{name}": tensor for name, tensor in published.items()})
    assert same(network, published)


def test_checkpoints_from_before_batches_were_counted(
    network: Network, published: Mapping[str, Tensor]
) -> None:
    old = {name: t for name, t in published.items() if not name.endswith("num_batches_tracked")}
    load_published(network, old)
    assert same(network, published)


def test_the_auxiliary_classifiers_of_googlenet_are_left_out() -> None:
    theirs = theirs_on_meta("googlenet", aux_logits=True).to_empty(device="cpu")
    fill(theirs)
    weights = theirs.state_dict()
    assert any(name.startswith("aux1.") for name in weights)
    network = on_meta("googlenet").to_empty(device="cpu")
    load_published(network, weights)
    assert same(network, weights)


def test_an_edited_and_renamed_network_is_recognised() -> None:
    text = """
    body(c, s) = conv3-c/s nobias -> bn -> relu -> conv3-c nobias -> bn
    block(c) = (body(c, 1) + id) -> silu
    project(c, s) = (body(c, s) + [conv1-c/s nobias -> bn]) -> silu
    input 3x32x32 -> conv7-64/2 nobias -> bn -> relu -> [block(64)]*2
    -> project(128, 2) -> block(128) -> project(256, 2) -> block(256)
    -> project(512, 2) -> block(512) -> gap -> fc-1000
    """
    assert to_published(build(text)).keys() == models.resnet18().state_dict().keys()


def test_skip_last_keeps_the_networks_own_classes(published: Mapping[str, Tensor]) -> None:
    source = load_graph("resnet18").source.text.replace("fc-1000", "fc-7")
    network = build(source, seed=0)
    own = {name: t.clone() for name, t in to_published(network).items() if name.startswith("fc.")}
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_published(network, published)
    assert str(error.value) == (
        "fc.weight is 1000×512 in the checkpoint but 7×512 in the network. To keep the network's "
        "own last layer, for another number of classes, load with skip_last=True"
    )
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    load_published(network, published, skip_last=True)
    assert same(network, {**published, **own})


def test_skip_last_keeps_the_classes_of_auxiliary_classifiers_too() -> None:
    theirs = theirs_on_meta("googlenet_aux").to_empty(device="cpu")
    fill(theirs)
    text = load_graph("googlenet_aux").source.text.replace("fc-1000", "fc-7")
    network = build(text, seed=0)
    with pytest.raises(UserError, match=r"^aux1\.fc2\.weight is 1000×1024 .* skip_last=True$"):
        load_published(network, theirs.state_dict())
    load_published(network, theirs.state_dict(), skip_last=True)
    kept = {name for name, tensor in to_published(network).items() if tensor.shape[:1] == (7,)}
    assert kept == {f"{layer}.{key}" for layer in ("aux1.fc2", "aux2.fc2", "fc") for key in KEYS}
    weights = theirs.state_dict()
    loaded = to_published(network).items()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in loaded if name not in kept)


def test_weights_of_another_width(network: Network, published: Mapping[str, Tensor]) -> None:
    wide = {**published, "layer1.0.conv1.weight": torch.zeros(128, 64, 3, 3)}
    with pytest.raises(UserError) as error:
        load_published(network, wide)
    assert str(error.value) == (
        "layer1.0.conv1.weight is 128×64×3×3 in the checkpoint but 64×64×3×3 in the network. "
        "The checkpoint is that of another network, or of another width"
    )


def test_names_that_do_not_fit(network: Network, published: Mapping[str, Tensor]) -> None:
    renamed = {name.replace("layer1.0.conv", "layer1.0.cnov"): t for name, t in published.items()}
    with pytest.raises(UserError) as error:
        load_published(network, renamed)
    assert str(error.value) == (
        "the checkpoint does not fit resnet18.\n"
        "2 of its entries are missing: layer1.0.conv1.weight, layer1.0.conv2.weight\n"
        "2 entries are not the network's: layer1.0.cnov1.weight, layer1.0.cnov2.weight\n"
        "Perhaps layer1.0.cnov1.weight for layer1.0.conv1.weight, "
        "layer1.0.cnov2.weight for layer1.0.conv2.weight"
    )


def test_an_entry_that_is_no_tensor(network: Network, published: Mapping[str, Tensor]) -> None:
    with pytest.raises(UserError) as error:
        load_published(network, {"state_dict": published, "epoch": 3})  # type: ignore[dict-item]
    assert str(error.value) == (
        "the checkpoint's 'state_dict' is of type OrderedDict, not a tensor. "
        "Give the state dict itself: tensors by name"
    )


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this ran",)


def test_nothing_in_a_file_is_executed(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, old = tmp_path / "new.pth", tmp_path / "old.pth"
    torch.save({"weight": Harmful()}, new)
    old.write_bytes(pickle.dumps({"weight": Harmful()}, protocol=2))
    for path in (new, old):
        with pytest.raises(UserError) as error:
            load_published(network, path)
        assert str(error.value) == (
            f"{path} holds more than tensors, or is damaged; it was not loaded, since that could "
            "run code from it. Save its state_dict() alone and give that"
        )
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut"])
def test_damaged_files(network: Network, tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_published(network, path)
    assert str(error.value).startswith(f"{path} ")
    assert "damaged" in str(error.value)


def test_a_truncated_file(
    network: Network, published: Mapping[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "cut.pth"
    torch.save(published, path)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(UserError, match="damaged"):
        load_published(network, path)


def test_files_that_are_not_there_or_not_checkpoints(network: Network, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    for path, message in (
        (tmp_path / "none.pth", ": there is no such file"),
        (tmp_path / "none.safetensors", ": there is no such file"),
        (text, " is not a checkpoint: expected a .safetensors, .pth or .pt file"),
    ):
        with pytest.raises(UserError) as error:
            load_published(network, path)
        assert str(error.value) == f"{path}{message}"


def test_a_file_of_something_else(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "list.pth"
    torch.save([1, 2], path)
    with pytest.raises(UserError) as error:
        load_published(network, path)
    assert str(error.value) == f"{path} holds a list, not a state dict: tensors by name"
