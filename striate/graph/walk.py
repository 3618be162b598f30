"""One walk over a resolved network, in order of execution: its nodes, with names and shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from striate.errors import Problem
from striate.graph.items import (
    Again,
    Broken,
    Fork,
    Item,
    Jump,
    Loop,
    Named,
    Run,
    Side,
    Step,
    Unpooling,
    Use,
)
from striate.graph.mismatches import (
    MAX_VALUES,
    flattened,
    refuse_ambiguous,
    too_many,
    unlike_weights,
)
from striate.graph.naming import Scope
from striate.graph.nodes import IMAGE, Leaf, Node, Parallel, Part, Repeat, Series, Tap
from striate.graph.nodes import Jump as JumpPart
from striate.graph.nodes import Side as SidePart
from striate.graph.places import Place
from striate.layers import MismatchError, Shape, SizeError, product
from striate.source import Source, Span

Walked = tuple[int | None, Part | None]
"""The last node of an item, or None when its path breaks off; the item as a part."""


@dataclass(frozen=True)
class _Built:
    """The nodes `start` up to `end` that a labelled item became, its full name and its value."""

    name: str
    start: int
    end: int
    value: int | None
    """The node that gives it; None where the item's path breaks off."""


class Walk:
    """Walks a resolved network once. Problems are collected, not raised."""

    def __init__(self, source: Source, input: Shape, problems: list[Problem]) -> None:
        self.source = source
        self.input = input
        self.problems = problems
        self.mismatched_in_size = False
        self.nodes: list[Node] = []
        self.places: list[str] = []
        self.taps: list[Tap] = []
        self.end: int | None = None
        """The node of the network's output."""
        self._built: dict[int, _Built] = {}
        """What a labelled item became last, by the item's identity."""

    def network(self, run: Run) -> Series:
        """The whole network."""
        self.end, parts = self._run(run, IMAGE, Scope(), Place())
        if self.end == IMAGE and not self.problems:
            message = "this network has no layers"
            if self.nodes:
                message += " but those of its taps. Add what gives its own output"
            self.problems.append(Problem(message, Span(0, 0)))
        if not self.problems:
            self._refuse_unread()
        return Series(parts)

    def _refuse_unread(self) -> None:
        """Notes what a `from` turned away from without anything else reading it."""
        read = {self.end, *(tap.node for tap in self.taps)}
        read.update(i for node in self.nodes for i in node.inputs)
        noted: set[Span] = set()
        for i, node in enumerate(self.nodes):
            if i not in read and node.span not in noted:
                noted.add(node.span)
                message = (
                    f"nothing reads what {self._written(node.span)} gives: a from goes on from "
                    "another value. Give it a label and a from of its own, or take it out"
                )
                self.problems.append(Problem(message + self.places[i], node.span))

    def _run(
        self, run: Run, at: int | None, scope: Scope, place: Place
    ) -> tuple[int | None, tuple[Part, ...]]:
        """Adds a run after node `at`: its last node, or None when its path breaks off."""
        parts: list[Part] = []
        scope.keep(item.label for item in run.items if isinstance(item, Named))
        scope.keep(item.name for item in run.items if isinstance(item, Side))
        for item in run.items:
            if at is None:
                break
            at, part = self._item(item, at, scope, place)
            if part is not None:
                parts.append(part)
        return at, tuple(parts)

    def _item(self, item: Item, at: int, scope: Scope, place: Place) -> Walked:
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
            case Again():
                return self._again(item, at, scope.labelled(item.target.label), place)
            case Jump():
                built = self._built.get(id(item.target))
                jump = JumpPart(item.target.label, built.name) if built else None
                return built.value if built else None, jump
            case Unpooling():
                return self._unpool(item, at, scope.counted(item.layer.kind), place)
            case Side():
                return self._side(item, at, scope.labelled(item.name), place)
            case Named():
                name = scope.labelled(item.label)
                start = len(self.nodes)
                walked = self._named(item.item, at, name, place)
                self._built[id(item)] = _Built(name, start, len(self.nodes), walked[0])
                return walked
            case Broken():
                return None, None

    def _step(self, item: Step, at: int, name: str, place: Place) -> Walked:
        node = self._add(Node(name, item.layer, (at,), (), item.span), place)
        return node, None if node is None else Leaf(node)

    def _unpool(self, item: Unpooling, at: int, name: str, place: Place) -> Walked:
        built = self._built.get(id(item.target))
        if built is None or built.end == built.start:
            return None, None
        pool = built.start
        made = Node(name, item.layer, (at, pool), (), item.span, shaped_by=self.nodes[pool].inputs)
        node = self._add(made, place)
        return node, None if node is None else Leaf(node)

    def _use(self, item: Use, at: int, scope: Scope, place: Place) -> Walked:
        inner = place.inside(f"{item.shown} at {self._position(item.span)}")
        end, parts = self._run(item.body, at, scope, inner)
        return end, Series(parts, scope.name, item.definition)

    def _loop(
        self, item: Loop, at: int, scope: Scope, place: Place, *, numbered: bool = False
    ) -> Walked:
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

    def _body(self, body: Run, at: int, name: str, place: Place) -> tuple[int | None, Series]:
        """A run in a scope of its own; one that is a single use of a definition shares it."""
        scope = Scope(name)
        if len(body.items) == 1 and isinstance(body.items[0], Use):
            end, part = self._use(body.items[0], at, scope, place)
            assert isinstance(part, Series)
            return end, part
        end, parts = self._run(body, at, scope, place)
        return end, Series(parts, name)

    def _named(
        self,
        item: Step | Use | Run | Loop | Fork | Again | Unpooling,
        at: int,
        name: str,
        place: Place,
    ) -> Walked:
        match item:
            case Step():
                return self._step(item, at, name, place)
            case Unpooling():
                return self._unpool(item, at, name, place)
            case Again():
                return self._again(item, at, name, place)
            case Loop():
                end, part = self._loop(item, at, Scope(name), place, numbered=True)
                return end, Series((part,) if part else (), name)
            case Run():
                return self._body(item, at, name, place)
            case other:
                return self._body(Run((other,), other.size), at, name, place)

    def _again(self, item: Again, at: int, name: str, place: Place) -> Walked:
        """The labelled item once more: the same walk, and then the weights of the first."""
        first = self._built.get(id(item.target))
        if first is None:
            return None, None
        start = len(self.nodes)
        inner = place.inside(f"again {item.target.label} at {self._position(item.span)}")
        end, part = self._named(item.target.item, at, name, inner)
        if end is None:
            return None, None
        for i in range(first.end - first.start):
            if not self._share(first.start + i, start + i, item.span, inner):
                return None, None
        return end, Series((part,) if part else (), again=first.name)

    def _share(self, owner: int, user: int, span: Span, place: Place) -> bool:
        """Gives a node the weights of another. False where they do not fit."""
        first, second = self.nodes[owner], self.nodes[user]
        before, after = (self._shapes(node) for node in (first, second))
        weights = first.layer.weights(before)
        if weights != second.layer.weights(after):
            place_of_first = f"{self._written(first.span)} at {self._position(first.span)}"
            message = unlike_weights(second.layer, place_of_first, before[0], after[0])
            self.problems.append(Problem(f"{message}{place.outer}", span))
            return False
        if weights:
            self.nodes[user] = replace(second, weights=first.weights or first.name)
        return True

    def _side(self, item: Side, at: int, name: str, place: Place) -> Walked:
        """A tap: what its chain gives is read by no other; the main line goes on from `at`."""
        end, series = self._body(item.body, at, name, place.aside())
        if end is None:
            return None, None
        self.taps.append(Tap(name, end, item.span))
        return at, SidePart(series, name)

    def _fork(self, item: Fork, at: int, scope: Scope, place: Place) -> Walked:
        inner = place.in_branch()
        walked = [self._run(branch, at, scope, inner) for branch in item.branches]
        ends = tuple(end for end, _ in walked if end is not None)
        if len(ends) < len(walked):
            return None, None
        name = scope.counted(item.join.kind)
        join = self._add(Node(name, item.join, ends, (), item.span), place)
        if join is None:
            return None, None
        return join, Parallel(tuple(Series(parts) for _, parts in walked), join)

    def _shapes(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self.input if i == IMAGE else self.nodes[i].output for i in node.measured)

    def _add(self, node: Node, place: Place) -> int | None:
        """Adds a node with its output's shape, or notes why its layer cannot stand here."""
        shapes = self._shapes(node)
        try:
            refuse_ambiguous(node.layer, shapes, in_branch=place.branch)
            output = node.layer.output(shapes)
            if product(output) > MAX_VALUES:
                raise MismatchError(too_many(output))
        except MismatchError as error:
            self._mismatch(error, node, place)
            return None
        self.nodes.append(replace(node, output=output))
        self.places.append(str(place))
        return len(self.nodes) - 1

    def _mismatch(self, error: MismatchError, node: Node, place: Place) -> None:
        self.mismatched_in_size |= isinstance(error, SizeError)
        message, span = f"{error}{place}", node.span
        flattener = self._flattener(node.inputs)
        if flattener is not None and flattener.inputs == (IMAGE,) and flattener.kind == "fc":
            needs = f"{self._written(span)} at {self._position(span)}"
            message, span = flattened(flattener, self.input, needs) + str(place), flattener.span
        elif flattener is not None:
            by = f"{self._written(flattener.span)} at {self._position(flattener.span)}"
            message += f". {by} flattened it"
        if all((problem.span, problem.message) != (span, message) for problem in self.problems):
            self.problems.append(Problem(message, span))

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

    def _position(self, span: Span) -> str:
        line, column = self.source.position(span.start)
        return f"{line}:{column}"

    def _written(self, span: Span) -> str:
        return " ".join(self.source.text[span.start : span.end].split())
