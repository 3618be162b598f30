"""What can be checked once all is read: names, arguments, definitions that use themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from striate.errors import Problem
from striate.notation.tree import (
    Apply,
    Binary,
    Branches,
    CallItem,
    Chain,
    Definition,
    Expression,
    Group,
    Labelled,
    LayerItem,
    Name,
    Negative,
    Network,
    Number,
    Size,
    Word,
)
from striate.notation.vocabulary import MAX_NESTING, nearest


def check(network: Network, headers: Mapping[str, tuple[str, ...]]) -> list[Problem]:
    """Every problem with names, in any order. `headers` names all definitions of the text."""
    constants = {d.name for d in network.definitions if not isinstance(d.body, Chain)}
    checker = _Checker(headers, constants)
    for definition in network.definitions:
        scope = constants.union(definition.parameters)
        if isinstance(definition.body, Chain):
            checker.chain(definition.body, scope)
        else:
            checker.expression(definition.body, scope)
    if network.input is not None:
        for size in (network.input.channels, network.input.height, network.input.width):
            checker.expression(size, constants)
    checker.chain(network.chain, constants)
    return checker.problems + _cycles(network.definitions)


class _Checker:
    def __init__(self, headers: Mapping[str, tuple[str, ...]], constants: set[str]) -> None:
        self.headers = headers
        self.constants = constants
        self.problems: list[Problem] = []

    def chain(self, chain: Chain, scope: set[str]) -> None:
        for item in chain.items:
            inner = item.item if isinstance(item, Labelled) else item
            match inner:
                case LayerItem():
                    for argument in inner.arguments:
                        self.value(argument.value, scope)
                case CallItem():
                    self.call(inner, scope)
                case Group():
                    self.chain(inner.body, scope)
                    if inner.count is not None:
                        self.count(inner.count, scope)
                case Branches():
                    for branch in inner.branches:
                        self.chain(branch, scope)

    def call(self, call: CallItem, scope: set[str]) -> None:
        parameters = self.headers[call.name]
        if call.name in self.constants:
            self.problems.append(
                Problem(f"'{call.name}' is a number here, not a chain of layers", call.span)
            )
        elif len(call.arguments) != len(parameters):
            self.problems.append(Problem(_wrong_count(call, parameters), call.span))
        for argument in call.arguments:
            self.expression(argument, scope)

    def count(self, count: Expression, scope: set[str]) -> None:
        if isinstance(count, Name) and count.name not in scope and count.name not in self.headers:
            message = (
                f"'{count.name}' has no value: in a pattern [ … ]*{count.name.upper()} leaves the "
                f"number of repetitions open, a network says it. Write [ … ]*2, or add the line "
                f"{count.name} = 2"
            )
            self.problems.append(Problem(message, count.span))
        else:
            self.expression(count, scope)

    def value(self, value: Expression | Size | Word, scope: set[str]) -> None:
        if isinstance(value, Size):
            self.expression(value.rows, scope)
            self.expression(value.columns, scope)
        elif not isinstance(value, Word):
            self.expression(value, scope)

    def expression(self, expression: Expression, scope: set[str]) -> None:
        for name in names_in(expression):
            if name.name in scope:
                continue
            if name.name in self.headers:
                message = f"'{name.name}' is a chain of layers, not a number"
            else:
                near = nearest(name.name, scope)
                hint = f"Did you mean '{near}'?" if near else _known(scope)
                message = f"'{name.name}' has no value here. {hint}"
            self.problems.append(Problem(message, name.span))


def names_in(expression: Expression) -> Iterator[Name]:
    """The names that an expression uses."""
    match expression:
        case Name():
            yield expression
        case Negative(operand):
            yield from names_in(operand)
        case Binary(_, left, right):
            yield from names_in(left)
            yield from names_in(right)
        case Apply(_, arguments):
            for argument in arguments:
                yield from names_in(argument)
        case Number():
            pass


def _known(scope: set[str]) -> str:
    if not scope:
        return "Write a number, or define it on a line of its own: name = 32"
    return f"Known here: {', '.join(sorted(scope))}"


def _wrong_count(call: CallItem, parameters: tuple[str, ...]) -> str:
    if not parameters:
        return f"{call.name} has no parameters. Write {call.name} alone"
    form = f"{call.name}({', '.join(parameters)})"
    noun = "value" if len(parameters) == 1 else "values"
    given = {0: "none is given", 1: "1 is given"}.get(
        len(call.arguments), f"{len(call.arguments)} are given"
    )
    return f"{form} takes {len(parameters)} {noun}, but {given}"


def _uses(definition: Definition) -> list[tuple[str, int, CallItem | Name]]:
    """Other definitions that one uses, with the number of brackets around each use."""
    if not isinstance(definition.body, Chain):
        return [(name.name, 0, name) for name in names_in(definition.body)]
    found: list[tuple[str, int, CallItem | Name]] = []
    stack = [(definition.body, 1)]
    while stack:
        chain, depth = stack.pop()
        for item in chain.items:
            inner = item.item if isinstance(item, Labelled) else item
            match inner:
                case CallItem():
                    found.append((inner.name, depth, inner))
                case Group():
                    stack.append((inner.body, depth + 1))
                case Branches():
                    stack.extend((branch, depth + 1) for branch in inner.branches)
    return found


def _cycles(definitions: tuple[Definition, ...]) -> list[Problem]:
    """Definitions that use themselves, and those that nest too deep through each other."""
    uses = {definition.name: _uses(definition) for definition in definitions}
    depths: dict[str, int] = {}
    problems: list[Problem] = []
    for root in uses:
        path: list[str] = []
        work: list[tuple[str, int]] = [(root, 0)]
        while work:
            name, step = work.pop()
            if step == 0:
                if name in depths:
                    continue
                path.append(name)
            if step < len(uses[name]):
                work.append((name, step + 1))
                used, _, place = uses[name][step]
                if used in path:
                    cycle = " -> ".join([*path[path.index(used) :], used])
                    problems.append(
                        Problem(
                            f"a definition may not use itself: {cycle}. Use [ … ]*N to repeat",
                            place.span,
                        )
                    )
                    depths[used] = 0
                elif used in uses and used not in depths:
                    work.append((used, 0))
                continue
            path.pop()
            depths[name] = max(
                (depth + depths.get(used, 0) for used, depth, _ in uses[name]), default=0
            )
            if depths[name] > MAX_NESTING and not problems:
                problems.append(
                    Problem(
                        f"definitions are nested more than {MAX_NESTING} deep through '{name}'. "
                        "Make some of them one chain",
                        next(d.span for d in definitions if d.name == name),
                    )
                )
    return problems
