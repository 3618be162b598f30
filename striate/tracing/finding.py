"""From the name of a torch network to the network: timm's, torchvision's, or the user's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from striate.errors import StriateError, UserError
from striate.graph.load import find_program
from striate.layers import Shape, show
from striate.modules.build import outline
from striate.onnx_files import OnnxNetwork, read
from striate.tracing.inputs import Inputs, is_shape, told

ONNX = ".onnx"
FRAMES = 16
"""How many frames a video network is sized with: the fewest that all of torchvision's take."""


@dataclass(frozen=True)
class Found:
    """A torch network, its name, and the image that it is made for where it says so."""

    model: nn.Module
    name: str
    input: Inputs | None


def find(what: str | Path, *, real: bool = False) -> Found:
    """The network that `timm:NAME`, `torchvision:NAME`, `module.path:factory` or a file stands for.

    A file is one of ONNX. Those of libraries are made without memory, unless `real`, which gives
    them random weights.
    Nothing is downloaded. The last runs the user's own code; where that gives a network and its
    inputs, these are its own. Raises UserError when there is no
    such network or package, StriateError when the user's code fails.
    """
    if names_file(what):
        return _of_file(Path(what) if isinstance(what, Path) else Path(what.strip()), real)
    assert isinstance(what, str)
    library, _, name = what.strip().partition(":")
    makers = {"timm": _timm, "torchvision": _torchvision}
    if library not in makers:
        return _own(library, name)
    with nullcontext() if real else torch.device("meta"):
        return makers[library](library, name)


def locate(what: object, *, weights: bool = False) -> Found:
    """The network that a name stands for, or a live one. Raises UserError as `find` does.

    With `weights` those of an ONNX file are read too.
    """
    if isinstance(what, nn.Module):
        return Found(what, type(what).__name__, input_of(what))
    if (program := find_program(what)) is not None:
        network = outline(program)
        return Found(network, network.graph.name, network.graph.input)
    if isinstance(what, str | Path):
        return find(what, real=weights and names_file(what))
    raise UserError(f"a network is a text, a path, a graph or a torch.nn.Module, not {what!r}")


def names_file(what: str | Path) -> bool:
    """Whether this is an ONNX file's path."""
    return isinstance(what, Path) or what.strip().endswith(ONNX)


def _of_file(path: Path, real: bool) -> Found:
    """The network in an ONNX file, with its weights' values or without."""
    model = OnnxNetwork(path, read(path, values=real))
    return Found(model, path.stem, model.image)


def with_memory(model: nn.Module) -> nn.Module:
    """The network itself, or one with memory but without values where it has none."""
    return (
        model.to_empty(device="cpu") if any(each.is_meta for each in model.parameters()) else model
    )


def input_of(model: nn.Module) -> Shape | None:
    """The image that a network of striate or timm says it is made for."""
    graph = getattr(model, "graph", None)
    if graph is not None and hasattr(graph, "input"):
        return tuple(graph.input)
    config = getattr(model, "pretrained_cfg", None) or {}
    size = config.get("input_size") if isinstance(config, dict) else None
    return tuple(size) if size else None


def _timm(library: str, name: str) -> Found:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise UserError("timm is not installed: python -m pip install timm") from error
    if not timm.is_model(name):
        raise UserError(_no_such(library, name, timm.list_models()))
    model = _empty(lambda: timm.create_model(name, pretrained=False))
    return Found(model, f"{library}:{name}", input_of(model))


def _torchvision(library: str, name: str) -> Found:
    from torchvision import models

    known = [each for each in models.list_models() if not each.startswith("quantized_")]
    if name not in known:
        raise UserError(_no_such(library, name, known))
    builder = models.get_model_builder(name)
    settings: dict[str, Any] = {"weights": None}
    if "weights_backbone" in inspect.signature(builder).parameters:
        settings["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        settings["init_weights"] = False
    model = _empty(lambda: builder(**settings))
    return Found(model, f"{library}:{name}", _inputs(name, model))


def _inputs(name: str, model: nn.Module) -> Inputs:
    """What torchvision's own weights of a network are for; 224×224 without any."""
    from torchvision import models

    if isinstance(side := getattr(model, "image_size", None), int):
        return (3, side, side)
    weights = list(models.get_model_weights(name))
    chosen = getattr(weights[0].transforms, "keywords", {}) if weights else {}
    side = chosen.get("crop_size", 224)
    height, width = (side, side) if isinstance(side, int) else side
    home = models.get_model_builder(name).__module__
    if ".optical_flow" in home:
        return [(3, 520, 960), (3, 520, 960)]
    return (3, FRAMES, height, width) if ".video" in home else (3, height, width)


def _empty(build: Any) -> nn.Module:
    """A network made where it is asked for, or with memory where its making reads values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model: nn.Module = build()
        except (RuntimeError, NotImplementedError, TypeError, ValueError):
            with torch.device("cpu"):
                model = build()
    return model


def _own(module: str, name: str) -> Found:
    what = f"{module}:{name}"
    here = os.getcwd()  # noqa: PTH109
    if here not in sys.path:
        sys.path.insert(0, here)
    made = _attribute(_imported(module, what), name, what)
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise UserError(
                f"{what} is {_a(made)}, neither a torch network nor a function that gives one"
            )
        made = _called(made, what)
    inputs: Inputs | None = None
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        inputs, made = _as_inputs(made[1]), made[0]
    if not isinstance(made, nn.Module):
        raise UserError(f"{what} gives {_a(made)} where a torch.nn.Module is expected")
    return Found(made, what, inputs or input_of(made))


def _as_inputs(given: Any) -> Inputs:
    """The inputs that a factory gives beside its network: a tensor, a shape, or several."""
    if is_shape(given) or isinstance(given, dict):
        return given
    return list(given) if isinstance(given, tuple | list) else [given]


def _imported(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise StriateError(f"{what} needs a module that is not there: {error.name}") from error
        raise UserError(
            f"{what}: there is no module {error.name!r}, neither in the current folder nor among "
            "the installed packages. Give timm:NAME, torchvision:NAME, or module.path:factory"
        ) from error
    except Exception as error:
        raise StriateError(f"{module} fails while it is imported: {_told(error)}") from error


def _attribute(module: Any, name: str, what: str) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    known = [each for each, value in vars(module).items() if callable(value)]
    raise UserError(_no_such(module.__name__, name, known, kind="function", what=what))


def _called(factory: Any, what: str) -> Any:
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise UserError(
            f"{what} is called without arguments, but {error}. Give it defaults, or size the "
            "network in Python: striate.size(network, input=(3, 224, 224))"
        ) from error
    except ValueError:
        pass  # built in: its signature is not known
    try:
        return factory()
    except Exception as error:
        raise StriateError(f"{what} fails when it is called: {_told(error)}") from error


def _told(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{place}"


def _a(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"


def _no_such(
    library: str, name: str, known: Iterable[str], *, kind: str = "network", what: str = ""
) -> str:
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    guess = f" Did you mean {' or '.join(f'{library}:{each}' for each in near)}?" if near else ""
    return f"{what or f'{library}:{name}'}: {library} has no {kind} {name!r}.{guess}"


def check_input(found: Found, given: Inputs | None) -> Inputs:
    """What to size a network with: what is given, or its own. Raises UserError without either."""
    shape = given or found.input
    if shape is None:
        raise UserError(
            f"{found.name} does not say what images it takes. Say it: --input {show((3, 224, 224))}"
            ", in Python input=(3, 224, 224)".replace("×", "x")
        )
    return shape


def check_image(found: Found, given: Shape | None) -> Shape:
    """The same for what takes one image. Raises UserError for a network of several inputs."""
    shape = check_input(found, given)
    if not isinstance(shape, tuple):
        raise UserError(
            f"{found.name} takes {told(shape)}, and a training step is followed for networks of "
            "one input alone. striate.size takes several"
        )
    return shape
