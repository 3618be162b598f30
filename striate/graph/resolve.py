"""From the tree to concrete layers: definitions opened, expressions evaluated, sizes bounded.

What comes out still has the form of the text (a repetition is kept once, with its count), so it
costs no more than the text does, and the number of layers is known before any is made.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

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
from striate.layers import Add, Concat, Layer, MaxPool, Multiply, Setting, Unpool, Value
from striate.notation import tree
from striate.notation.arithmetic import ArithmeticProblem, evaluate
from striate.notation.scope import names_in
from striate.notation.vocabulary import (
    COUNT,
    MAX_LAYERS,
    MAX_NESTING,
    ValueProblem,
    convert,
    setting_of,
)
from striate.source import Span

Number = int | float
Environment = Mapping[str, Number]

_JOINS: Mapping[tree.Join, Layer] = {"concat": Concat(), "add": Add(), "multiply": Multiply()}


class Resolver:
    """Opens the definitions of one network. Problems are collected, not raised."""

    def __init__(self, network: tree.Network) -> None:
        self.problems: list[Problem] = []
        self._source = network.source
        self._constants: dict[str, Number] = {}
        self._definitions: dict[str, tree.Definition] = {}
        self._runs: dict[tuple[str, tuple[Number, ...]], tuple[Run, int]] = {}
        """Uses of definitions that have been opened, and how deep they nest."""
        self._labels: ChainMap[str, Named] = ChainMap()
        """The labelled items that can be seen here; those that are broken are left out."""
        self._open: list[str] = []
        """The uses of definitions that lead here, as messages show them."""
        self._depth = 0
        self._deepest = 0
        """How deep the item nests that is being opened."""
        self._too_deep = False
        self._resolved = 0
        for definition in network.definitions:
            if isinstance(definition.body, tree.Chain):
                self._definitions[definition.name] = definition
        self._evaluate_constants(network.definitions)

    def _evaluate_constants(self, definitions: Iterable[tree.Definition]) -> None:
        """Constants may use each other in any order; the parser has refused circles."""
        waiting = {d.name: d.body for d in definitions if not isinstance(d.body, tree.Chain)}
        while waiting:
            for name, body in list(waiting.items()):
                if not any(used.name in waiting for used in names_in(body)):
                    del waiting[name]
                    value = self._number(body, self._constants)
                    self._constants[name] = 1 if value is None else value

    def network(self, chain: tree.Chain) -> Run:
        """The whole network."""
        run = self._chain(chain, self._constants)
        if run.size > MAX_LAYERS:
            self._too_many(run.size, chain.span)
        return run

    def setting(
        self, setting: Setting, value: tree.Expression | tree.Size | tree.Word, env: Environment
    ) -> Value | None:
        """The value that a setting is given, or None after noting why it cannot have it."""
        try:
            match value:
                case tree.Word(text):
                    return convert(setting, text)
                case tree.Size(rows, columns):
                    sides = evaluate(rows, env), evaluate(columns, env)
                    return convert(setting, sides)  # type: ignore[arg-type]  # it checks
                case expression:
                    return convert(setting, evaluate(expression, env))
        except ArithmeticProblem as problem:
            self.complain(problem.message, problem.span)
        except ValueProblem as problem:
            self.complain(str(problem), value.span)
        return None

    def constant(self, setting: Setting, value: tree.Expression) -> int | None:
        """A whole number outside of any definition, such as the input's height."""
        found = self.setting(setting, value, self._constants)
        return found if isinstance(found, int) else None

    def _number(self, expression: tree.Expression, env: Environment) -> Number | None:
        try:
            return evaluate(expression, env)
        except ArithmeticProblem as problem:
            self.complain(problem.message, problem.span)
            return None

    def complain(self, message: str, span: Span) -> None:
        """Notes a problem, unless one is noted for that place."""
        if self._open:
            message += f" (in {', '.join(self._open)})"
        if all(problem.span != span for problem in self.problems):
            self.problems.append(Problem(message, span))

    def _chain(self, chain: tree.Chain, env: Environment) -> Run:
        items = tuple(self._item(item, env) for item in chain.items)
        return Run(items, sum(item.size for item in items))

    def _item(self, item: tree.Item, env: Environment) -> Item:
        self._resolved += 1
        self._depth += 1
        try:
            if not self._reach(self._depth, item.span):
                return Broken()
            if self._resolved > MAX_LAYERS:
                return self._refuse(
                    f"the definitions here stand for more than {MAX_LAYERS:,} different layers. "
                    "Use fewer inside each other",
                    item.span,
                )
            found = self._open_item(item, env)
            return self._too_many(found.size, item.span) if found.size > MAX_LAYERS else found
        finally:
            self._depth -= 1

    def _reach(self, depth: int, span: Span) -> bool:
        """Notes that an item nests so deep; False where that is too deep."""
        self._deepest = max(self._deepest, depth)
        if depth > MAX_NESTING and not self._too_deep:
            self._too_deep = True
            self.complain(
                f"definitions and brackets are nested more than {MAX_NESTING} deep here", span
            )
        return depth <= MAX_NESTING

    @contextmanager
    def _seeing(self, labels: ChainMap[str, Named]) -> Iterator[None]:
        before, self._labels = self._labels, labels
        yield
        self._labels = before

    def _too_many(self, size: int, span: Span) -> Broken:
        return self._refuse(
            f"this stands for {size:,} layers, and a network may have at most {MAX_LAYERS:,}. "
            "Repeat it fewer times",
            span,
        )

    def _refuse(self, message: str, span: Span) -> Broken:
        self.complain(message, span)
        return Broken()

    def _open_item(self, item: tree.Item, env: Environment) -> Item:
        match item:
            case tree.LayerItem():
                return self._layer(item, env)
            case tree.CallItem():
                return self._call(item, env)
            case tree.Again():
                return self._again(item)
            case tree.From():
                target = self._labels.get(item.label.name)
                return Jump(target, item.span) if target is not None else Broken()
            case tree.Unpool():
                return self._unpool(item)
            case tree.Labelled():
                return self._labelled(item, env)
        with self._seeing(self._labels.new_child()):
            return self._open_brackets(item, env)

    def _open_brackets(self, item: tree.Group | tree.Branches | tree.Tap, env: Environment) -> Item:
        match item:
            case tree.Group(body=body, count=None):
                return self._chain(body, env)
            case tree.Group():
                return self._loop(item, env)
            case tree.Branches():
                branches = tuple(self._chain(branch, env) for branch in item.branches)
                size = 1 + sum(branch.size for branch in branches)
                return Fork(_JOINS[item.join], branches, item.span, size)
            case tree.Tap(name, chain, span):
                return Side(name, self._chain(chain, env) if chain else Run((), 0), span)

    def _labelled(self, item: tree.Labelled, env: Environment) -> Item:
        around, self._deepest = self._deepest, self._depth
        inner = self._item(item.item, env)
        depth = self._deepest - self._depth
        self._deepest = max(around, self._deepest)
        if isinstance(inner, Broken | Jump | Named | Side):
            return inner
        named = Named(item.label, inner, depth)
        self._labels[item.label] = named
        return named

    def _again(self, item: tree.Again) -> Item:
        target = self._labels.get(item.label.name)
        if target is None or not self._reach(self._depth + target.depth, item.span):
            return Broken()
        return Again(target, item.span)

    def _unpool(self, item: tree.Unpool) -> Item:
        target = self._labels.get(item.label.name)
        if target is None:
            return Broken()
        found = target.item
        while isinstance(found, Again):
            found = found.target.item
        if not isinstance(found, Step) or not isinstance(found.layer, MaxPool):
            return Broken()
        return Unpooling(Unpool(found.layer), target, item.span)

    def _loop(self, item: tree.Group, env: Environment) -> Item:
        assert item.count is not None
        times = self.setting(COUNT, item.count, env)
        body = self._chain(item.body, env)
        return Loop(body, times, item.span) if isinstance(times, int) else Broken()

    def _call(self, item: tree.CallItem, env: Environment) -> Item:
        definition = self._definitions[item.name]
        values = [self._number(argument, env) for argument in item.arguments]
        arguments = tuple(value for value in values if value is not None)
        if len(arguments) < len(values):
            return Broken()
        shown = item.name
        if arguments:
            shown += f"({', '.join(f'{value:g}' for value in arguments)})"
        return Use(
            item.name, shown, self._definition(definition, arguments, item, shown), item.span
        )

    def _definition(
        self,
        definition: tree.Definition,
        arguments: tuple[Number, ...],
        use: tree.CallItem,
        shown: str,
    ) -> Run:
        key = (definition.name, arguments)
        if key not in self._runs:
            assert isinstance(definition.body, tree.Chain)
            line, column = self._source.position(use.span.start)
            self._open.append(f"{shown} at {line}:{column}")
            given = dict(zip(definition.parameters, arguments, strict=True))
            around, self._deepest = self._deepest, self._depth
            with self._seeing(ChainMap()):
                run = self._chain(definition.body, {**self._constants, **given})
            self._runs[key] = run, self._deepest - self._depth
            self._deepest = max(around, self._deepest)
            self._open.pop()
        run, depth = self._runs[key]
        self._deepest = max(self._deepest, self._depth + depth)
        return run

    def _layer(self, item: tree.LayerItem, env: Environment) -> Item:
        values = {}
        for argument in item.arguments:
            setting = setting_of(item.kind, argument.name)
            assert setting is not None
            value = self.setting(setting, argument.value, env)
            if value is not None:
                values[argument.name] = value
        if len(values) < len(item.arguments):
            return Broken()
        return Step(item.kind(**values), item.span)
