"""From the tree to the graph: every layer in its place, with its name and its shape."""

from __future__ import annotations

from dataclasses import dataclass

from striate.errors import Problem, ShapeError
from striate.graph.naming import Scope
from striate.graph.nodes import IMAGE, Graph, Leaf, Node, Parallel, Part, Repeat, Series
from striate.graph.resolve import Broken, Fork, Item, Loop, Named, Resolver, Run, Step, Use
from striate.graph.sizes import SEARCH_WORK, nearest_sizes
from striate.graph.unread import unread_rows
from striate.layers import (
    FullyConnected,
    Layer,
    MismatchError,
    Pair,
    Shape,
    SizeError,
    product,
    show,
)
from striate.notation.tree import Network
from striate.notation.vocabulary import CHANNELS, HEIGHT, WIDTH
from striate.source import Source, Span

MAX_VALUES = 2**40


def build_graph(network: Network, *, input: Shape | None = None, name: str = "") -> Graph:
    """The graph of a network, for its own input or for the one given (C, H, W).

    Raises ShapeError, with every problem that can be told independently, when a setting has no
    meaning, volumes do not fit together, or the network is too large.
    """
    resolver = Resolver(network)
    shape = _input_shape(network, resolver) if input is None else input
    run = resolver.network(network.chain)
    problems = list(resolver.problems)
    builder = _Builder(network.source, shape or (1, 1, 1), problems)
    structure = builder.build(run) if shape is not None else None
    if structure is None or problems:
        if shape is not None and not resolver.problems and builder.mismatched_in_size:
            problems[0] = _with_sizes(problems[0], network.source, run, shape)
        raise ShapeError(network.source, problems)
    nodes = tuple(builder.nodes)
    return Graph(
        name=name or network.source.stem,
        source=network.source,
        input=builder.input,
        nodes=nodes,
        structure=structure,
        warnings=unread_rows(nodes, builder.input, network.source, builder.places),
    )


def _with_sizes(problem: Problem, source: Source, run: Run, input: Shape) -> Problem:
    """The problem with the nearest sizes of the image for which there is none."""

    def fits(size: Pair) -> bool:
        builder = _Builder(source, (input[0], *size), [])
        builder.build(run)
        return not builder.problems

    sizes = nearest_sizes((input[1], input[2]), fits, tries=SEARCH_WORK // max(1, run.size))
    if not sizes:
        return problem
    shown = " or ".join(f"{height}×{width}" for height, width in sizes)
    return Problem(f"{problem.message}. An image of {shown} fits", problem.span)


def _input_shape(network: Network, resolver: Resolver) -> Shape | None:
    if network.input is None:
        resolver.complain(
            "the size of the image is missing. Begin with a line such as input 3x224x224, "
            "or give --input 3x224x224",
            Span(network.chain.span.start, network.chain.span.start),
        )
        return None
    given = network.input
    found = (
        resolver.constant(CHANNELS, given.channels),
        resolver.constant(HEIGHT, given.height),
        resolver.constant(WIDTH, given.width),
    )
    sizes = tuple(n for n in found if n is not None)
    if len(sizes) < len(found):
        return None
    if product(sizes) > MAX_VALUES:
        resolver.complain(_too_many(sizes), given.span)
        return None
    return sizes


def _too_many(shape: Shape) -> str:
    return (
        f"a volume of {show(shape)} holds {product(shape):,} values, more than the "
        f"{MAX_VALUES:,} that a network here may have in one place. Start from a smaller image "
        "or use fewer channels"
    )


@dataclass(frozen=True)
class _Place:
    """Where in its expansion a layer stands: which repetition, which use of a definition."""

    here: str = ""
    outer: _Place | None = None
    branch: bool = False
    """Whether it stands inside a branch."""

    def inside(self, here: str, *, branch: bool = False) -> _Place:
        return _Place(here, self, self.branch or branch)

    def __str__(self) -> str:
        parts = []
        place: _Place | None = self
        while place is not None:
            if place.here:
                parts.append(place.here)
            place = place.outer
        return f" (in {', '.join(reversed(parts))})" if parts else ""


class _Builder:
    """Walks a resolved network once, in order of execution."""

    def __init__(self, source: Source, input: Shape, problems: list[Problem]) -> None:
        self.source = source
        self.input = input
        self.problems = problems
        self.mismatched_in_size = False
        self.nodes: list[Node] = []
        self.places: list[str] = []

    def build(self, run: Run) -> Series:
        end, parts = self._run(run, IMAGE, Scope(), _Place())
        if not self.nodes and end is not None and not self.problems:
            self.problems.append(Problem("this network has no layers", Span(0, 0)))
        return Series(parts)

    def _run(
        self, run: Run, at: int | None, scope: Scope, place: _Place
    ) -> tuple[int | None, tuple[Part, ...]]:
        """Adds a run after node `at`: its last node, or None when its path breaks off."""
        parts: list[Part] = []
        for item in run.items:
            if at is None:
                break
            at, part = self._item(item, at, scope, place)
            if part is not None:
                parts.append(part)
        return at, tuple(parts)

    def _item(
        self, item: Item, at: int, scope: Scope, place: _Place
    ) -> tuple[int | None, Part | None]:
        match item:
            case Step():
                return self._step(item, at, scope.counted(item.layer.kind), place)
            case Use():
                return self._use(item, at, Scope(scope.counted(item.definition)), place)
            case Run():
                end, parts = self._run(item, at, scope, place)
                return end, Series(parts)
            case Loop():
                return self._loop(item, at, scope, place)
            case Fork():
                return self._fork(item, at, scope, place)
            case Named():
                return self._named(item, at, scope.labelled(item.label), place)
            case Broken():
                return None, None

    def _step(
        self, item: Step, at: int, name: str, place: _Place
    ) -> tuple[int | None, Part | None]:
        node = self._add(item.layer, (at,), name, item.span, place)
        return node, None if node is None else Leaf(node)

    def _use(
        self, item: Use, at: int, scope: Scope, place: _Place
    ) -> tuple[int | None, Part | None]:
        line, column = self.source.position(item.span.start)
        inner = place.inside(f"{item.shown} at {line}:{column}")
        end, parts = self._run(item.body, at, scope, inner)
        return end, Series(parts, scope.name, item.definition)

    def _loop(
        self, item: Loop, at: int, scope: Scope, place: _Place, *, numbered: bool = False
    ) -> tuple[int | None, Part | None]:
        rounds: list[Series] = []
        end: int | None = at
        for i in range(1, item.times + 1):
            if end is None or (i > 1 and not item.body.size):
                break
            inner = place.inside(f"repetition {i} of {item.times}") if item.times > 1 else place
            if numbered:
                end, series = self._body(item.body, end, scope.labelled(str(i)), inner)
            else:
                end, parts = self._run(item.body, end, scope, inner)
                series = Series(parts)
            rounds.append(series)
        return end, Repeat(tuple(rounds), item.span)

    def _body(self, body: Run, at: int, name: str, place: _Place) -> tuple[int | None, Series]:
        """A run in a scope of its own; one that is a single use of a definition shares it."""
        scope = Scope(name)
        if len(body.items) == 1 and isinstance(body.items[0], Use):
            end, part = self._use(body.items[0], at, scope, place)
            assert isinstance(part, Series)
            return end, part
        end, parts = self._run(body, at, scope, place)
        return end, Series(parts, name)

    def _named(
        self, item: Named, at: int, name: str, place: _Place
    ) -> tuple[int | None, Part | None]:
        match item.item:
            case Step() as step:
                return self._step(step, at, name, place)
            case Loop() as loop:
                end, part = self._loop(loop, at, Scope(name), place, numbered=True)
                return end, Series((part,) if part else (), name)
            case Run() as run:
                return self._body(run, at, name, place)
            case other:
                return self._body(Run((other,), other.size), at, name, place)

    def _fork(
        self, item: Fork, at: int, scope: Scope, place: _Place
    ) -> tuple[int | None, Part | None]:
        inner = place.inside("", branch=True)
        walked = [self._run(branch, at, scope, inner) for branch in item.branches]
        ends = tuple(end for end, _ in walked if end is not None)
        if len(ends) < len(walked):
            return None, None
        join = self._add(item.join, ends, scope.counted(item.join.kind), item.span, place)
        if join is None:
            return None, None
        return join, Parallel(tuple(Series(parts) for _, parts in walked), join)

    def _add(
        self, layer: Layer, inputs: tuple[int, ...], name: str, span: Span, place: _Place
    ) -> int | None:
        shapes = tuple(self.input if i == IMAGE else self.nodes[i].output for i in inputs)
        try:
            _refuse_ambiguous(layer, shapes, place)
            output = layer.output(shapes)
            if product(output) > MAX_VALUES:
                raise MismatchError(_too_many(output))
        except MismatchError as error:
            self._mismatch(error, inputs, span, place)
            return None
        self.nodes.append(Node(name, layer, inputs, output, span))
        self.places.append(str(place))
        return len(self.nodes) - 1

    def _mismatch(
        self, error: MismatchError, inputs: tuple[int, ...], span: Span, place: _Place
    ) -> None:
        self.mismatched_in_size |= isinstance(error, SizeError)
        message = f"{error}{place}"
        flattener = self._flattener(inputs)
        if flattener is not None and flattener.inputs == (IMAGE,) and flattener.kind == "fc":
            message = self._flattened_image(flattener, span) + str(place)
            span = flattener.span
        elif flattener is not None:
            message += f". {self._show(flattener.span)} flattened it"
        if all((problem.span, problem.message) != (span, message) for problem in self.problems):
            self.problems.append(Problem(message, span))

    def _flattened_image(self, fc: Node, needs: Span) -> str:
        return (
            f"this fc meets the image itself and would flatten its {show(self.input)} values, but "
            f"{self._show(needs)} still needs rows and columns. Write conv1-{fc.output[0]} for a "
            "fully connected layer at every pixel, or move the fc after the last layer that needs "
            "a volume"
        )

    def _flattener(self, inputs: tuple[int, ...]) -> Node | None:
        """The node that made a vector of the volume that these inputs come from, if one did."""
        at = inputs[0]
        if len(inputs) > 1 or at == IMAGE or len(self.nodes[at].output) == 3:
            return None
        while True:
            node = self.nodes[at]
            at = node.inputs[0]
            if at == IMAGE or len(self.nodes[at].output) == 3:
                return node

    def _show(self, span: Span) -> str:
        line, column = self.source.position(span.start)
        return f"{' '.join(self.source.text[span.start : span.end].split())} at {line}:{column}"


def _refuse_ambiguous(layer: Layer, shapes: tuple[Shape, ...], place: _Place) -> None:
    """In a branch an fc could mean one matrix for all pixels or the same one at every pixel."""
    if place.branch and isinstance(layer, FullyConnected) and shapes[0][1:] not in ((), (1, 1)):
        raise MismatchError(
            f"fc inside a branch would flatten its {show(shapes[0])} input, where an image may be "
            f"meant. Write flatten -> fc-{layer.out_channels} to flatten it, or "
            f"conv1-{layer.out_channels} for a fully connected layer at every pixel"
        )
