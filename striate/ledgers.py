"""The ledger of anything: a text in the notation, a graph, or any torch network.

Torch is imported only for a torch network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from striate.errors import UserError
from striate.graph import Graph, load_graph
from striate.graph.load import find_program
from striate.layers import Shape, product
from striate.notation.vocabulary import is_layer
from striate.sizing import ledger
from striate.sizing.ledger import MISMATCH, Ledger
from striate.sizing.machine import find
from striate.sizing.memory import Fits, Memory, StepSettings
from striate.sizing.roofline import Times, predict
from striate.sizing.verification import Verification
from striate.sizing.work import works
from striate.source import Source

if TYPE_CHECKING:
    from torch import Tensor, nn

    from striate.tracing.finding import Found
    from striate.tracing.inputs import Inputs

PLAIN = StepSettings()

_LIBRARY = re.compile(r"\s*(timm|torchvision):\S*\s*")
_ONNX = re.compile(r"\s*[^\n>→|]*\.onnx\s*")
_FACTORY = re.compile(r"\s*[A-Za-z_][\w.]*:([A-Za-z_]\w*)\s*")


def size(
    what: str | Path | Source | Graph | nn.Module,
    *,
    batch: int = 1,
    input: Inputs | None = None,
    object: int | None = None,
    convention: str | None = None,
    run: bool = False,
) -> Ledger:
    """The ledger of a network, for a batch of images.

    `what` is a zoo network, a `.net` file, a text, a graph; or any torch network: `timm:NAME`,
    `torchvision:NAME`, `module.path:factory` (which runs that function), a live `torch.nn.Module`.
    `input` (C, H, W) stands in for the network's own; a torch network's may be a list or, by name,
    a dictionary of shapes and tensors. `run` lets a torch network that depends on the values of its
    data run on random images from where it stops. `object` is the size in pixels of what is to
    be recognised on the image: a warning tells when no unit sees it whole. `convention` is
    `torchinfo`, `fvcore`, `ptflops`, `thop` or `papers`: what these count stands beside the MACs,
    and notes say where the tool itself is wrong (docs/macs.md). Raises UserError when there is no
    such network or convention, its input is not known, or the object is larger than the image; and
    NotationError when the text is wrong.
    """
    if in_notation(what):
        if not isinstance(input, tuple | None):
            raise UserError(f"a network in the notation takes one image (C, H, W), not {input!r}")
        return ledger.size(what, batch=batch, input=input, object=object, convention=convention)
    from striate.tracing import size as size_torch

    what = cast("str | Path | nn.Module", what)
    return size_torch(what, batch=batch, input=input, object=object, convention=convention, run=run)


def memory(
    what: str | Path | Source | Graph | nn.Module,
    *,
    batch: int = 1,
    input: Shape | None = None,
    settings: StepSettings = PLAIN,
    loss: Callable[[Any], Tensor] | None = None,
) -> Memory:
    """The memory of a training step of a network for a batch of images, without taking any.

    `what` and `input` are those of `size`. `loss` makes one number of what the network gives;
    without it, it is the cross-entropy of every output. Raises UserError as `size` does, and where
    the network does not get through a training step.
    """
    from striate.tracing.memory import trace_memory

    return trace_memory(_found(what, input), batch, settings, loss)


def largest_batch(
    what: str | Path | Source | Graph | nn.Module,
    limit: int,
    *,
    input: Shape | None = None,
    settings: StepSettings = PLAIN,
) -> Fits:
    """The largest batch whose training step takes at most `limit` bytes.

    Raises UserError as `memory` does, and when no batch fits.
    """
    from striate.tracing import memory

    return memory.largest_batch(_found(what, input), limit, settings)


def step_time(
    what: str | Path | Source | Graph | nn.Module,
    *,
    batch: int = 1,
    input: Shape | None = None,
    precision: str = "float32",
    device: str = "auto",
) -> Times:
    """The time of a training step of a network, by roofline, layer by layer.

    `what` and `input` are those of `size`; `precision` is `float32` or `bfloat16`, and `device`
    `cpu`, `cuda` or `auto`, which is the GPU where one was measured. What the device does comes
    from the newest figures that `striate.machine` has stored of it. Raises UserError as `memory`
    does, and where there are no such figures.
    """
    StepSettings(precision=precision)
    machine = find(device)
    if batch < 1:
        raise UserError(f"a batch holds at least 1 image, not {batch}")
    if in_notation(what):
        graph = load_graph(what, input=input)
        done = works(graph, batch, precision)
        weights = [product(w) for node in graph for w in graph.weights(node).values()]
        return predict(graph.name, graph.input, batch, precision, done, weights, machine)
    from striate.tracing.work import trace_time

    return trace_time(_found(what, input), batch, precision, machine)


def saved_bytes(
    what: str | Path | Source | Graph | nn.Module, *, input: Inputs | None = None, batch: int = 1
) -> int:
    """Bytes that a training step keeps from the forward for the backward pass, in float32.

    Of a network in the notation as `striate.modules.saved` counts them, of any other the sum of
    the rows of `size`. Raises UserError as `size` does, and for a torch network that does not get
    through a pass in training.
    """
    from striate.modules.saved import saved_bytes as of_notation

    if in_notation(what):
        if not isinstance(input, tuple | None):
            raise UserError(f"a network in the notation takes one image (C, H, W), not {input!r}")
        return of_notation(what, input=input, batch=batch)
    found = size(what, input=input, batch=batch)
    stopped = next((lint for lint in found.lints if lint.rule in ("stopped", MISMATCH)), None)
    saved = found.totals.saved_bytes
    if saved is None or stopped is not None:
        why = f": {stopped.message}" if stopped else ""
        raise UserError(f"{found.name} does not get through a pass in training{why}")
    return saved


def verify(
    what: str | Path | Source | Graph | nn.Module,
    *,
    input: Shape | None = None,
    layers: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check the receptive fields of a network against the pixels that gradients really reach.

    `what` and `input` are those of `size`; `layers` names some of its layers. This runs a copy of
    the network, with memory, forwards once and backwards for each unit that is checked.
    `progress(done, total)` is told of layers. Raises UserError as `size` does, for a layer that
    there is not, and for a network that cannot be run so.
    """
    from striate.modules.build import build
    from striate.tracing.finding import with_memory
    from striate.tracing.verify import verify as check

    found = _found(what, input)
    if in_notation(what):
        model: nn.Module = build(load_graph(what, input=input), seed=0)
    else:
        model = with_memory(found.model)
    return check(model, size(what, input=input), layers, progress)


def _found(what: str | Path | Source | Graph | nn.Module, input: Shape | None) -> Found:
    """A torch network and the image for it; one in the notation is built without memory."""
    from striate.modules.build import outline
    from striate.tracing.finding import Found, check_input, locate

    if in_notation(what):
        graph = load_graph(what, input=input)
        return Found(outline(graph), graph.name, graph.input)
    found = locate(what)
    return replace(found, input=check_input(found, input))


def in_notation(what: object) -> TypeGuard[str | Path | Source | Graph]:
    """Whether what a user gives is a network in the notation, or names one.

    A program, and a run that holds one, are sized as the torch networks that they come from.
    """
    if find_program(what) is not None:
        return False
    if isinstance(what, str):
        return not names_torch(what)
    if isinstance(what, Path):
        return what.suffix != ".onnx"
    return isinstance(what, Source | Graph)


def names_torch(text: str) -> bool:
    """Whether a text names a torch network or an ONNX file rather than one in the notation."""
    factory = _FACTORY.fullmatch(text)
    named = _LIBRARY.fullmatch(text) or _ONNX.fullmatch(text)
    return bool(named or (factory and not is_layer(factory[1])))
