"""From the tree to concrete layers: definitions opened, expressions evaluated, sizes bounded.

What comes out still has the form of the text (a repetition is kept once, with its count), so it
costs no more than the text does, and the number of layers is known before any is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from striate.errors import Problem
from striate.layers import Add, Concat, Layer, Multiply, Setting, Value
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


@dataclass(frozen=True)
class Step:
    """One layer."""

    layer: Layer
    span: Span
    size: int = 1


@dataclass(frozen=True)
class Run:
    """Items one after the other. `size` counts the layers that any item stands for."""

    items: tuple[Item, ...]
    size: int


@dataclass(frozen=True)
class Use:
    """A definition with its parameters filled in; `shown` is how a message names it."""

    definition: str
    shown: str
    body: Run
    span: Span

    @property
    def size(self) -> int:
        return self.body.size


@dataclass(frozen=True)
class Loop:
    """A run that is repeated."""

    body: Run
    times: int
    span: Span

    @property
    def size(self) -> int:
        return self.body.size * self.times


@dataclass(frozen=True)
class Fork:
    """Branches of one input that meet."""

    join: Layer
    branches: tuple[Run, ...]
    span: Span
    size: int


@dataclass(frozen=True)
class Named:
    """An item with a label."""

    label: str
    item: Step | Use | Run | Loop | Fork

    @property
    def size(self) -> int:
        return self.item.size


@dataclass(frozen=True)
class Broken:
    """An item in which a problem was found: nothing after it on its path can be checked."""

    size: int = 0


Item = Step | Use | Run | Loop | Fork | Named | Broken


class Resolver:
    """Opens the definitions of one network. Problems are collected, not raised."""

    def __init__(self, network: tree.Network) -> None:
        self.problems: list[Problem] = []
        self._source = network.source
        self._constants: dict[str, Number] = {}
        self._definitions: dict[str, tree.Definition] = {}
        self._runs: dict[tuple[str, tuple[Number, ...]], Run] = {}
        self._open: list[str] = []
        """The uses of definitions that lead here, as messages show them."""
        self._depth = 0
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
            if self._depth > MAX_NESTING:
                return self._refuse(
                    f"definitions and brackets are nested more than {MAX_NESTING} deep here",
                    item.span,
                )
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
            case tree.Group(body=body, count=None):
                return self._chain(body, env)
            case tree.Group():
                return self._loop(item, env)
            case tree.Branches():
                branches = tuple(self._chain(branch, env) for branch in item.branches)
                size = 1 + sum(branch.size for branch in branches)
                return Fork(_JOINS[item.join], branches, item.span, size)
            case tree.Labelled():
                inner = self._item(item.item, env)
                if isinstance(inner, Broken | Named):
                    return inner
                return Named(item.label, inner)

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
            self._runs[key] = self._chain(definition.body, {**self._constants, **given})
            self._open.pop()
        return self._runs[key]

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
