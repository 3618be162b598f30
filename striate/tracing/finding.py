"""From the name of a torch network to the network: timm's, torchvision's, or the user's own."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from striate.errors import StriateError, UserError
from striate.layers import Shape, show


@dataclass(frozen=True)
class Found:
    """A torch network, its name, and the image that it is made for where it says so."""

    model: nn.Module
    name: str
    input: Shape | None


def find(what: str) -> Found:
    """The network that `timm:NAME`, `torchvision:NAME` or `module.path:factory` stands for.

    Nothing is downloaded. The last runs the user's own code. Raises UserError when there is no
    such network or package, StriateError when the user's code fails.
    """
    library, _, name = what.strip().partition(":")
    return {"timm": _timm, "torchvision": _torchvision}.get(library, _own)(library, name)


def locate(what: str | nn.Module) -> Found:
    """The network that a name stands for, or a live one. Raises UserError as `find` does."""
    if isinstance(what, nn.Module):
        return Found(what, type(what).__name__, input_of(what))
    if isinstance(what, str):
        return find(what)
    raise UserError(f"a network is a text, a path, a graph or a torch.nn.Module, not {what!r}")


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
    return Found(_empty(lambda: builder(**settings)), f"{library}:{name}", _crop(name))


def _crop(name: str) -> Shape:
    """The pictures that torchvision's own weights of a network are for; 224×224 without any."""
    from torchvision import models

    weights = list(models.get_model_weights(name))
    chosen = getattr(weights[0].transforms, "keywords", {}) if weights else {}
    side = chosen.get("crop_size", 224)
    return (3, side, side) if isinstance(side, int) else (3, *side)


def _empty(build: Any) -> nn.Module:
    """A network made without memory, or with it where its making reads the values of tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                model: nn.Module = build()
        except (RuntimeError, NotImplementedError, TypeError, ValueError):
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
    if not isinstance(made, nn.Module):
        raise UserError(f"{what} gives {_a(made)} where a torch.nn.Module is expected")
    return Found(made, what, input_of(made))


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


def check_input(found: Found, given: Shape | None) -> Shape:
    """The image to size a network with: the one given, or its own. Raises UserError without one."""
    shape = given or found.input
    if shape is None:
        raise UserError(
            f"{found.name} does not say what images it takes. Say it: --input {show((3, 224, 224))}"
            ", in Python input=(3, 224, 224)".replace("×", "x")
        )
    return shape
