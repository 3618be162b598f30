"""Checkpoints under the names that torchvision gives its networks, in and out.

A network is recognised by the kinds of its weighted layers in order of execution, so an edited or
renamed copy is found as well as the zoo's own file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from striate.errors import UserError
from striate.layers import show
from striate.modules.network import Network
from striate.modules.torchvision_names import PUBLISHED

_KINDS: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Conv2d, "conv"),
    (nn.BatchNorm2d, "bn"),
    (nn.Linear, "fc"),
)
_AUXILIARY = ("aux1.", "aux2.")
_SHOWN = 3
"""How many names of a kind a message lists."""


def load_published(
    network: Network, weights: Mapping[str, Tensor] | Path, *, skip_last: bool = False
) -> None:
    """Copy a checkpoint of torchvision's names into a network: all of it or, on error, nothing.

    `weights` is a state dict, or a `.safetensors`, `.pth` or `.pt` file of one; of a file nothing
    but tensors is ever unpickled. GoogLeNet's auxiliary classifiers are left out, and so is the
    `module.` that DataParallel puts in front of names. `skip_last` leaves the last layer as it
    is, for another number of classes. Raises UserError when names or shapes are not the network's.
    """
    given = _plain(weights if isinstance(weights, Mapping) else _read(weights))
    entries = _entries(network)
    if skip_last:
        last = _layer(list(entries)[-1])
        given = {name: tensor for name, tensor in given.items() if _layer(name) != last}
        entries = {name: tensor for name, tensor in entries.items() if _layer(name) != last}
    _check_names(network.graph.name, entries.keys(), given.keys())
    _check_shapes(entries, given)
    with torch.no_grad():
        for name, tensor in given.items():
            entries[name].copy_(tensor)


def to_published(network: Network) -> dict[str, Tensor]:
    """The network's state dict under torchvision's names, sharing memory with the network.

    Raises UserError when torchvision has no network of these layers.
    """
    return _entries(network)


def _entries(network: Network) -> dict[str, Tensor]:
    """The network's own tensors by their published names, in order of execution."""
    weighted = [
        (network.get_submodule(node.name), kind)
        for node in network.graph
        if (kind := _kind(network.get_submodule(node.name)))
    ]
    kinds = [kind for _, kind in weighted]
    for published in PUBLISHED.values():
        names = list(published())
        if [kind for _, kind in names] == kinds:
            return {
                f"{name}.{key}": tensor
                for (module, _), (name, _) in zip(weighted, names, strict=True)
                for key, tensor in module.state_dict().items()
            }
    raise UserError(
        f"{network.graph.name} has no published names: its layers with weights are in number and "
        f"order those of no network that torchvision has. Known: {', '.join(PUBLISHED)}"
    )


def _kind(module: nn.Module) -> str:
    return next((kind for type_, kind in _KINDS if isinstance(module, type_)), "")


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _plain(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor):
            raise UserError(
                f"the checkpoint's {name!r} is of type {type(tensor).__name__}, not a tensor. "
                "Give the state dict itself: tensors by name"
            )
    plain = {name.removeprefix("module."): tensor for name, tensor in weights.items()}
    return {name: tensor for name, tensor in plain.items() if not name.startswith(_AUXILIARY)}


def _read(path: Path) -> Mapping[str, Tensor]:
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


def _check_shapes(entries: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    last = _layer(list(entries)[-1])
    for name, tensor in given.items():
        if tensor.shape != entries[name].shape:
            fix = (
                "To keep the network's own last layer, for another number of classes, load with "
                "skip_last=True"
                if _layer(name) == last
                else "The checkpoint is that of another network, or of another width"
            )
            raise UserError(
                f"{name} is {show(tuple(tensor.shape))} in the checkpoint but "
                f"{show(tuple(entries[name].shape))} in the network. {fix}"
            )
