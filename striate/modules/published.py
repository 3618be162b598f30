"""Checkpoints under the names that torchvision and timm give their networks, in and out.

A network is recognised by the kinds of its weighted layers in order of execution, so an edited or
renamed copy is found as well as the zoo's own file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.errors import UserError
from striate.graph.nodes import Graph
from striate.layers import show
from striate.modules.network import Network
from striate.modules.timm_names import TIMM
from striate.modules.torchvision_names import TORCHVISION

PUBLISHED = TORCHVISION | TIMM
"""The names of the weighted layers of each network that has published names."""

_KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Conv2d, "conv"),
    (nn.BatchNorm2d, "bn"),
    (nn.Linear, "fc"),
    (nn.AvgPool2d, "avgpool"),
)
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_SHOWN = 3
"""How many names of a kind a message lists."""


def load_published(
    network: Network, weights: Mapping[str, Tensor] | Path, *, skip_last: bool = False
) -> None:
    """Copy a checkpoint of torchvision's or timm's names: all of it or, on error, nothing.

    `weights` is a state dict, or a `.safetensors`, `.pth` or `.pt` file of one; of a file nothing
    but tensors is ever unpickled. Auxiliary classifiers that the network has not are left out, and
    so is the `module.` that DataParallel puts in front of names. `skip_last` leaves the last layer
    as it is, and those of auxiliary classifiers, for another number of classes. Raises UserError
    when names or shapes are not the network's.
    """
    held = _held(network)
    entries = _entries(held)
    given = _plain(weights if isinstance(weights, Mapping) else read_checkpoint(weights))
    if not any(name.startswith(_AUXILIARY) for name in entries):
        given = {name: tensor for name, tensor in given.items() if not name.startswith(_AUXILIARY)}
    scores = _scores(network.graph, held)
    if skip_last:
        given = {name: tensor for name, tensor in given.items() if _layer(name) not in scores}
        entries = {name: tensor for name, tensor in entries.items() if _layer(name) not in scores}
    _check_names(network.graph.name, entries.keys(), given.keys())
    _check_shapes(entries, given, scores)
    with torch.no_grad():
        for name, tensor in given.items():
            entries[name].copy_(tensor)


def to_published(network: Network) -> dict[str, Tensor]:
    """The network's state dict under torchvision's or timm's names, sharing its memory.

    Raises UserError when neither has a network of these layers.
    """
    return _entries(_held(network))


class _Held(NamedTuple):
    """One layer with weights, by its published name."""

    name: str
    kind: str
    node: int
    module: nn.Module


def _held(network: Network) -> list[_Held]:
    """The layers of a network that have weights of their own, in order of execution."""
    layers = [
        (index, module, kind)
        for index, node in enumerate(network.graph)
        if not node.weights and (kind := _kind(module := network.get_submodule(node.name)))
    ]
    names = _names(network.graph.name, [kind for *_, kind in layers])
    weighted = [(index, module) for index, module, kind in layers if kind != "avgpool"]
    return [
        _Held(name, kind, index, module)
        for (index, module), (name, kind) in zip(weighted, names, strict=True)
    ]


def _entries(held: list[_Held]) -> dict[str, Tensor]:
    """The tensors of these layers by their published names."""
    return {
        f"{name}.{key}": tensor[:, :, None, None] if kind == "fc1x1" and key == "weight" else tensor
        for name, kind, _, module in held
        for key, tensor in module.state_dict().items()
    }


def _scores(graph: Graph, held: list[_Held]) -> set[str]:
    """The layers that give the classes: the network's own, and those of its taps like it."""
    taps = [tap.node for tap in graph.taps if graph.shape(tap.node) == graph.output]
    return {[layer for layer in held if layer.node <= end][-1].name for end in (graph.end, *taps)}


def _kind(module: nn.Module) -> str:
    """`other` for a kind of layer that no published network has; empty for one without weights."""
    found = next((kind for type_, kind in _KINDS if isinstance(module, type_)), "")
    return found or ("other" if module.state_dict() else "")


def _names(network: str, kinds: list[str]) -> list[tuple[str, str]]:
    """The published names of the weighted layers of a network whose layers have these kinds.

    ResNet-C and -D have the same weighted layers: their average pools tell which it is.
    """
    fitting = []
    for published in PUBLISHED.values():
        whole = list(published())
        for names in (whole, [known for known in whole if not known[0].startswith(_AUXILIARY)]):
            theirs = [kind.removesuffix("1x1") for _, kind in names]
            if _weighted(theirs) == _weighted(kinds):
                fitting.append((theirs != kinds, names))
    if not fitting:
        raise UserError(
            f"{network} has no published names: its layers with weights are in number and order "
            "those of no network that torchvision or timm has. Known: " + ", ".join(PUBLISHED)
        )
    _, names = min(fitting, key=lambda candidate: candidate[0])
    return [(name, kind) for name, kind in names if kind != "avgpool"]


def _weighted(kinds: list[str]) -> list[str]:
    return [kind for kind in kinds if kind != "avgpool"]


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor):
            raise UserError(
                f"the checkpoint's {name!r} is of type {type(tensor).__name__}, not a tensor. "
                "Give the state dict itself: tensors by name"
            )
    return {name.removeprefix("module."): tensor for name, tensor in weights.items()}


def read_checkpoint(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a `.safetensors`, `.pth` or `.pt` file. Raises UserError for any other."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise UserError(f"{path} is not a checkpoint: expected a .safetensors, .pth or .pt file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors, or is damaged; it was not loaded, since that could "
            "run code from it. Save its state_dict() alone and give that"
        ) from error
    except (SafetensorError, RuntimeError, EOFError) as error:
        raise UserError(f"{path} is damaged or not a checkpoint: {error}") from error
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds a {type(found).__name__}, not a state dict: tensors by name")
    return found


def _check_names(network: str, expected: Collection[str], given: Collection[str]) -> None:
    """Only the batch counters of batch normalisation may be missing: old checkpoints lack them."""
    missing = [n for n in expected if n not in given and not n.endswith(".num_batches_tracked")]
    unknown = [name for name in given if name not in expected]
    if not missing and not unknown:
        return
    complaints = [f"the checkpoint does not fit {network}."]
    if missing:
        complaints.append(f"{len(missing)} of its entries are missing: {_some(missing)}")
    if unknown:
        complaints.append(f"{len(unknown)} entries are not the network's: {_some(unknown)}")
    pairs = [(name, get_close_matches(name, missing, n=1)) for name in unknown[:_SHOWN]]
    if near := [f"{name} for {match[0]}" for name, match in pairs if match]:
        complaints.append(f"Perhaps {', '.join(near)}")
    raise UserError("\n".join(complaints))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _check_shapes(
    entries: Mapping[str, Tensor], given: Mapping[str, Tensor], scores: set[str]
) -> None:
    for name, tensor in given.items():
        if tensor.shape != entries[name].shape:
            fix = (
                "To keep the network's own last layer, for another number of classes, load with "
                "skip_last=True"
                if _layer(name) in scores
                else "The checkpoint is that of another network, or of another width"
            )
            raise UserError(
                f"{name} is {show(tuple(tensor.shape))} in the checkpoint but "
                f"{show(tuple(entries[name].shape))} in the network. {fix}"
            )
