"""Networks from anywhere as graphs and texts: what reads the notation takes torch networks too.

Torch is imported only for a torch network, which is transcribed (docs/any-network.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, cast

from striate import drawing, graph
from striate.drawing.output import format_of
from striate.errors import UnwrittenError, UserError
from striate.graph import Graph
from striate.graph.adapt import adapt
from striate.graph.load import find_program
from striate.layers import Shape
from striate.ledgers import in_notation
from striate.sizing import symbolic as formulas
from striate.sizing.symbolic import SymbolicSizes
from striate.source import Source

if TYPE_CHECKING:
    from torch import Tensor, nn

    from striate.modules import Network
    from striate.programs import Subject
    from striate.tracing.inputs import Inputs
    from striate.transcribing import Transcription
    from striate.transcribing.steps import Weight


def load_graph(
    what: str | Path | Source | Graph | nn.Module, *, input: Shape | None = None
) -> Graph:
    """The graph of a network: of a text, or of what a torch network does.

    `what` is a zoo network, a `.net` file, a text, a run folder, a graph; or `timm:NAME`,
    `torchvision:NAME`, `module.path:factory` (which runs that function), an ONNX file, a live
    `torch.nn.Module`. `input` (C, H, W) stands in for the network's own. The graph of a torch
    network that the notation has no words for has the layers that were seen, with their sizes.
    Raises UserError when there is no such network, or it cannot be followed; NotationError when
    its text is wrong.
    """
    if _is_at_hand(what):
        return graph.load_graph(what, input=input)
    try:
        return _transcribed(what, input).graph
    except UnwrittenError:
        from striate.programs import follow
        from striate.tracing.finding import locate

        return graph.load_graph(follow(locate(what), input=input).program.to_source())


def load_picture(
    what: str | Path | Source | Graph | nn.Module, *, input: Inputs | None = None
) -> Graph:
    """What is drawn of a network: its graph, or the layers that were seen where it has none.

    That is for networks of several inputs or of volumes in time. Raises UserError as `load_graph`
    does.
    """
    one = input if isinstance(input, tuple) else None
    if _is_at_hand(what):
        return graph.load_graph(what, input=one)
    from striate.programs import sketch
    from striate.tracing.finding import check_input, locate

    chosen = locate(what)
    given = check_input(chosen, input)
    if isinstance(given, tuple) and len(given) == 3:
        return load_graph(what, input=one)
    return sketch(chosen, input=given)


def find_source(what: str | Path | Source | nn.Module, *, input: Shape | None = None) -> Source:
    """The text of a network, with its `input` line set to another where one is given.

    Raises UserError as `load_graph` does, and for a network that the notation has no words for;
    NotationError for a text that `input` is to be set in and that is wrong.
    """
    if not _is_at_hand(what):
        return _transcribed(what, input).source
    if (program := find_program(what)) is not None:
        raise UnwrittenError(
            f"{program.name} is kept as its operations: the notation has no words for it. It can "
            "be sized, drawn and trained without"
        )
    source = graph.find_source(cast("str | Path | Source", what))
    return source if input is None else adapt(source, input=input, classes=None)


@dataclass(frozen=True)
class Beginning:
    """What a training begins with: a network, and the weights that it brings with it."""

    network: Source | Subject
    """A text; or the torch network itself, where the notation has no words for it."""
    weights: Mapping[str, Tensor]
    """Under the names of the graph; none for a network in the notation, nor for those of libraries,
    which have no values."""
    names: Mapping[str, Weight]
    """For each of the graph's names that of the torch network; none for one in the notation."""


def beginning(
    what: str | Path | Source | nn.Module, *, input: Shape | None = None, seed: int = 0
) -> Beginning:
    """Any network and its own weights; `seed` is for those that a library draws.

    Raises UserError as `load_graph` does.
    """
    if in_notation(what):
        return Beginning(graph.find_source(cast("str | Path | Source", what)), {}, {})
    try:
        if find_program(what) is None:
            found = _transcribed(what, input, weights=True)
            own = found.state_dict() if found.has_weights else {}
            return Beginning(found.source, own, found.weights)
    except UnwrittenError:
        pass
    from striate.programs import subject

    chosen = subject(what, input=input, seed=seed)
    return Beginning(chosen, {} if chosen.fresh else chosen.weights(), {})


def build(
    what: str | Path | Source | Graph | nn.Module,
    *,
    seed: int | None = None,
    input: Shape | None = None,
) -> Network:
    """A network as a torch module on the CPU, in float32, initialised as published.

    `what` and `input` are those of `load_graph`. A live network and one in an ONNX file keep their
    weights, which are copied; so does a run's that the notation has no words for. Those of others
    are new: a seed gives the same always, whatever the state of torch's global generator, which is
    left as it was; without one they are new each time. Networks of libraries that the notation has
    no words for have weights as their libraries draw them.
    Raises UserError as `load_graph` does, for a seed where weights are kept, and NotationError for
    a name that torch keeps for itself.
    """
    from striate.modules import build as built

    if in_notation(what):
        return built(graph.load_graph(what, input=input), seed=seed)
    try:
        if find_program(what) is None:
            found = _transcribed(what, input, weights=True)
            if not found.has_weights:
                return built(found.graph, seed=seed)
            _refuse_seed(found.graph.name, seed)
            network = built(found.graph, seed=0)
            network.load_state_dict(found.state_dict(), strict=False)
            return network
    except UnwrittenError:
        pass
    from striate.programs import replayed, subject

    chosen = subject(cast("str | Path | Source | nn.Module", what), input=input, seed=seed)
    if not chosen.fresh:
        _refuse_seed(chosen.found.name, seed)
    return replayed(chosen.recording())


def _refuse_seed(name: str, seed: int | None) -> None:
    if seed is not None:
        raise UserError(f"{name} keeps its own weights: leave the seed out")


def symbolic(
    what: str | Path | Source | Graph | nn.Module,
    *,
    input: Shape | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SymbolicSizes:
    """The output of every layer for an image of any height H and width W, and what fits.

    `what` and `input` are those of `load_graph`. The formulas come from each layer's own shape
    rule, and hold for the sizes that fit; those around the smallest and around the network's own
    are built, and every shape is compared. Of a torch network that the notation has no words for
    they come from passes on images of several sizes, of which `progress(done, total)` is told.
    Raises UserError as `load_graph` does, and NotationError when the text is wrong or its own size
    does not fit.
    """
    if in_notation(what):
        return formulas.symbolic(graph.load_graph(what, input=input))
    if find_program(what) is None:
        with suppress(UnwrittenError):
            return formulas.symbolic(_transcribed(what, input).graph)
    from striate.tracing.finding import locate
    from striate.tracing.symbolic import trace_symbolic

    return trace_symbolic(locate(what), input=input, progress=progress)


def draw(
    what: str | Path | Source | Graph | nn.Module,
    output: str | Path,
    *,
    input: Inputs | None = None,
) -> None:
    """Draws a network into a file: SVG, PNG or text, as the file's ending says.

    `what` and `input` are those of `load_picture`. Raises UserError as that does, when the ending
    is another one and when the file cannot be written.
    """
    format_of(Path(output))
    drawing.draw(load_picture(what, input=input), output)


def draw_steps(
    what: str | Path | Source | Graph | nn.Module, output: str | Path, layer: str = ""
) -> str:
    """Draws the arithmetic of one layer step by step into a file, and gives the layer's name.

    `what` is that of `load_graph`. `.svg` is animated and plays for ever; `.png` has every step on
    one sheet, or 36 of them at even distances. Without the name of a layer it is the first whose
    window slides. Raises UserError as `load_graph` does, for another ending, and for a layer that
    has no steps to draw.
    """
    format_of(Path(output))
    return drawing.draw_steps(load_graph(what), output, layer)


def _is_at_hand(what: object) -> TypeGuard[str | Path | Source | Graph]:
    """Whether a network is there as a text, a program or a graph, and needs no following."""
    return in_notation(what) or find_program(what) is not None


def _transcribed(what: object, input: Shape | None, *, weights: bool = False) -> Transcription:
    from striate.transcribing import transcribe

    return transcribe(cast("str | Path | nn.Module", what), input=input, weights=weights)
